"""What scripts want the network to be told instead of the engine's reading of the prompts: some put
functions of their own into `modules.prompt_parser`."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from webui.engine.architectures.text import Text
from webui.engine.extensions.steps import Question

log = logging.getLogger(__name__)

FUNCTIONS: Final = (
    "get_learned_conditioning_prompt_schedules",
    "get_learned_conditioning",
    "get_multicond_prompt_list",
    "get_multicond_learned_conditioning",
    "reconstruct_cond_batch",
    "reconstruct_multicond_batch",
)


class Conditions:
    """The prompts of one run. Without functions of scripts' it has nothing to say."""

    def __init__(self, p: Any, steps: int) -> None:
        self._p: Final = p
        self._steps: Final = steps
        self._parser: Final = importlib.import_module("modules.prompt_parser")
        self._made: tuple[Any, Any] | None = None
        self.is_other: Final = any(
            getattr(self._parser, name) is not self._parser.gesso_own[name] for name in FUNCTIONS
        )

    def at(self, index: int, asked: Sequence[Question]) -> Sequence[Question] | None:
        """The questions of a call with scripts' prompts in them; None where there are no such, or
        a script failed at them."""
        if not self.is_other:
            return None
        calls = importlib.import_module("modules.gesso_calls")
        given: Sequence[Question] | None = calls.guarded(
            "", "prompts", "prompt_parser", self._asked, index, asked
        )
        return given

    def _asked(self, index: int, asked: Sequence[Question]) -> Sequence[Question]:
        cond, uncond = self._conds()
        parts, tensor = self._parser.reconstruct_multicond_batch(cond, index)
        first = asked[0]
        questions = []
        for place in range(len(parts[0])):
            rows, weight = [of_picture[place][0] for of_picture in parts], parts[0][place][1]
            text = _text(tensor, rows)
            questions.append(replace(first, text=text, weight=weight, is_negative=False))
        if asked[-1].is_negative:
            batch = self._parser.reconstruct_cond_batch(uncond, index)
            text = _text(batch, list(range(len(parts))))
            questions.append(replace(asked[-1], text=text))
        return _level(questions)

    def _conds(self) -> tuple[Any, Any]:
        """Made once in a run: A1111's p.c and p.uc."""
        if self._made is None:
            p, parser = self._p, self._parser
            is_hires = bool(p.is_hr_pass)
            prompts = (p.hr_prompts if is_hires else None) or p.prompts
            negatives = (p.hr_negative_prompts if is_hires else None) or p.negative_prompts
            size = {"width": p.width, "height": p.height}
            extra = importlib.import_module("modules.extra_networks")
            plain = [extra.parse_prompt(text)[0] for text in prompts]
            positive = parser.SdConditioning(plain, **size)
            negative = parser.SdConditioning(negatives, is_negative_prompt=True, **size)
            steps = (p.steps, self._steps) if is_hires else (self._steps, None)
            uncond = parser.get_learned_conditioning(p.sd_model, negative, *steps, False)
            cond = parser.get_multicond_learned_conditioning(p.sd_model, positive, *steps, False)
            self._made = cond, uncond
            p.c, p.uc = cond, uncond
        return self._made


def _text(cond: Any, rows: list[int]) -> Text:
    if isinstance(cond, dict):
        return Text(tokens=cond["crossattn"][rows], pooled=cond["vector"][rows])
    return Text(tokens=cond[rows])


def _level(questions: list[Question]) -> list[Question]:
    """All of one length: the shorter ones are filled up with their last piece."""
    import torch

    longest = max(each.text.length for each in questions)

    def filled(text: Text) -> Text:
        missing = longest - text.length
        if not missing:
            return text
        more = text.tokens[:, -1:].repeat(1, missing, 1)
        return Text(tokens=torch.cat([text.tokens, more], dim=1), pooled=text.pooled)

    return [replace(each, text=filled(each.text)) for each in questions]
