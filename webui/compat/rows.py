"""The network's questions of one call as A1111 stacks them: for each picture its parts between
ANDs, and behind them all pictures without their prompts."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from torch import Tensor

from webui.engine.architectures.text import Text
from webui.engine.extensions.steps import Question


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a script was shown, before it could change it."""

    x: Tensor
    sigma: Tensor
    cond: Tensor
    uncond: Tensor


class Rows:
    """Questions and their rows; B pictures, each with P positive parts."""

    def __init__(self, asked: Sequence[Question]) -> None:
        self._asked: Final = tuple(asked)
        self._positives: Final = [each for each in asked if not each.is_negative]
        self._negative: Final = next((each for each in asked if each.is_negative), None)
        self._pictures: Final = len(asked[0].x)

    @property
    def is_guided(self) -> bool:
        """Whether the network is asked without the prompt too."""
        return self._negative is not None

    def x(self) -> Tensor:
        """(B P + B, C, h, w)."""
        return self.stacked([each.x for each in self._asked])

    def sigma(self) -> Tensor:
        """(B P + B)."""
        levels = [each.x.new_full((self._pictures,), each.sigma) for each in self._asked]
        return self.stacked(levels)

    def cond(self) -> Any:
        """Encoded prompts, (B P, tokens, width); a mapping where there is more."""
        tokens = [each.text.rows(self._pictures).tokens for each in self._positives]
        pooled = [each.text.rows(self._pictures).pooled for each in self._positives]
        return self._shaped(self._by_picture(tokens), pooled)

    def uncond(self) -> Any:
        """Encoded negative prompts, (B, tokens, width)."""
        text = (self._negative or self._positives[0]).text.rows(self._pictures)
        return self._shaped(text.tokens.clone(), [text.pooled])

    def weights(self) -> list[list[tuple[int, float]]]:
        """For each picture (row, weight) of its parts."""
        count = len(self._positives)
        return [
            [(picture * count + i, each.weight) for i, each in enumerate(self._positives)]
            for picture in range(self._pictures)
        ]

    def stacked(self, values: Sequence[Tensor]) -> Tensor:
        """Values of the questions, (B, ...) each, as rows."""
        first = self._by_picture(values[: len(self._positives)])
        return torch.cat([first, *values[len(self._positives) :]])

    def kept(self, params: Any) -> Kept:
        """Copies of what a script is about to see."""
        return Kept(
            x=params.x.clone(),
            sigma=params.sigma.clone(),
            cond=_tokens(params.text_cond).clone(),
            uncond=_tokens(params.text_uncond).clone(),
        )

    def changed(self, params: Any, before: Kept) -> list[Question] | None:
        """The questions as a script left them; None where it changed nothing."""
        is_same = (
            torch.equal(params.x, before.x)
            and torch.equal(params.sigma, before.sigma)
            and _is_same(_tokens(params.text_cond), before.cond)
            and _is_same(_tokens(params.text_uncond), before.uncond)
        )
        if is_same:
            return None
        return [self._question(i, each, params) for i, each in enumerate(self._asked)]

    def _question(self, place: int, asked: Question, params: Any) -> Question:
        rows = self._rows_of(place, asked)
        level = float(params.sigma[rows[0]])
        text = self._text(place, asked, params)
        return replace(asked, x=params.x[rows], sigma=max(level, 1e-6), text=text)

    def _rows_of(self, place: int, asked: Question) -> list[int]:
        count = len(self._positives)
        if asked.is_negative:
            return list(range(self._pictures * count, self._pictures * (count + 1)))
        return [picture * count + place for picture in range(self._pictures)]

    def _text(self, place: int, asked: Question, params: Any) -> Text:
        if asked.is_negative:
            return _as_text(params.text_uncond, list(range(self._pictures)), asked.text)
        return _as_text(params.text_cond, self._rows_of(place, asked), asked.text)

    def _by_picture(self, values: Sequence[Tensor]) -> Tensor:
        """(B, ...) of each part as (B P, ...), a picture's parts beside each other."""
        return torch.stack(list(values), dim=1).flatten(0, 1)

    def _shaped(self, tokens: Tensor, pooled: Sequence[Tensor | None]) -> Any:
        vectors = [each for each in pooled if each is not None]
        if not vectors:
            return tokens
        parser = importlib.import_module("modules.prompt_parser")
        vector = self._by_picture(vectors) if len(vectors) > 1 else vectors[0]
        return parser.DictWithShape({"crossattn": tokens, "vector": vector})


def _tokens(cond: Any) -> Tensor:
    tokens: Tensor = cond["crossattn"] if isinstance(cond, dict) else cond
    return tokens


def _is_same(tokens: Tensor, before: Tensor) -> bool:
    return tokens.shape == before.shape and torch.equal(tokens, before)


def _as_text(cond: Any, rows: list[int], before: Text) -> Text:
    tokens = _tokens(cond)[rows].to(before.tokens)
    if not isinstance(cond, dict):
        return Text(tokens=tokens, pooled=before.pooled)
    return Text(tokens=tokens, pooled=cond["vector"][rows])
