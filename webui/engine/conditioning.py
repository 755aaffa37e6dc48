"""From a prompt to what the network listens to in the course of a run."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from PIL import Image

from webui.core.request import Emphasis
from webui.engine.architectures.text import NO_EMBEDDINGS, Manner, Text, TextEncoder, Vectors
from webui.engine.extensions.latents import EditText
from webui.prompting.faults import NEGATIVE_PROMPT, PROMPT
from webui.prompting.prompt import Part, parse
from webui.prompting.schedule import Stage, schedule

KEPT_PROMPTS: Final = 64


@dataclass(frozen=True, kw_only=True)
class Weighted:
    """The encoding of one of the prompts joined by AND, and its weight."""

    text: Text
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Conditioning:
    """What one picture is to be and not to be, all of one length.

    `negative` is None where no guidance is asked for.
    """

    positive: tuple[Weighted, ...]
    negative: Text | None


@dataclass(frozen=True, kw_only=True)
class ConditioningPlan:
    """What the prompts say in the course of a run. `stages` are in order, each with the number of
    the last call that it holds for."""

    stages: tuple[tuple[int, Conditioning], ...]

    def at(self, call: int) -> Conditioning:
        """What call number `call` of the network is told, counted from 0.

        A stage that ends at step n holds for the calls 0 to n, as in A1111: the change comes one
        call later than the number says.
        """
        return next((given for end, given in self.stages if call <= end), self.stages[-1][1])


class PromptEncoder:
    """Encodes prompts for one model, and remembers the last ones."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder: Final = encoder
        self._begin: Callable[[], None] | None = None
        self._known: Final[OrderedDict[tuple[object, ...], Text]] = OrderedDict()

    def plan(
        self,
        prompt: str,
        negative: str,
        *,
        clip_skip: int,
        emphasis: Emphasis,
        steps: int,
        calls_per_step: int,
        is_guided: bool,
        is_hires: bool = False,
        first_pass_steps: int = 0,
        embeddings: Mapping[str, Vectors] = NO_EMBEDDINGS,
        pictures: tuple[Image.Image, ...] = (),
        begin: Callable[[], None] | None = None,
        edit: EditText | None = None,
    ) -> ConditioningPlan:
        """What the prompts say at each call of a run, all of it encoded now.

        `calls_per_step` is 2 for samplers of second order. `first_pass_steps` counts the calls of
        the first pass (its steps times its sampler's calls per step). `embeddings` by name;
        `pictures` are what a text encoder with eyes is shown.
        `clip_skip` counts as A1111 does: 1 is the last layer. `begin` is called before the first
        text that is not known yet, if there is one. `edit` may change each text after it was
        encoded. Raises InvalidRequest.
        """
        self._begin = begin
        manner = Manner(
            clip_skip=clip_skip, emphasis=emphasis, embeddings=embeddings, pictures=pictures
        )
        calls, before = steps * calls_per_step, first_pass_steps if is_hires else None
        parts = parse(prompt, PROMPT).parts
        tracks = [schedule(part.nodes, calls, before) for part in parts]
        if is_guided:
            (unwanted,) = parse(negative, NEGATIVE_PROMPT, is_negative=True).parts
            tracks.append(schedule(unwanted.nodes, calls, before))
        stages = [
            (end, self._conditioning(parts, texts, manner, edit))
            for end, texts in _together(tracks)
        ]
        return ConditioningPlan(stages=tuple(stages))

    def forget(self) -> None:
        """Encode everything anew: the text encoder's weights have changed."""
        self._known.clear()

    def encode(self, text: str, clip_skip: int) -> Text:
        """One text without schedules. Raises InvalidRequest."""
        return self._encode(text, Manner(clip_skip=clip_skip), PROMPT)

    def _conditioning(
        self,
        parts: Sequence[Part],
        texts: Sequence[str],
        manner: Manner,
        edit: EditText | None,
    ) -> Conditioning:
        """The parts' texts at one step; behind them the negative one where there is guidance. The
        shorter ones are filled up."""
        fields = [*[PROMPT] * len(parts), NEGATIVE_PROMPT]
        encoded = [
            self._encode(text, manner, field) for text, field in zip(texts, fields, strict=False)
        ]
        if edit is not None:
            encoded = [
                edit(each, text, field == NEGATIVE_PROMPT)
                for each, text, field in zip(encoded, texts, fields, strict=False)
            ]
        length = max(each.length for each in encoded)
        filled = [self._lengthen(each, length, manner) for each in encoded]
        positive = [
            Weighted(text=each, weight=part.weight)
            for part, each in zip(parts, filled, strict=False)
        ]
        negative = filled[-1] if len(filled) > len(parts) else None
        return Conditioning(positive=tuple(positive), negative=negative)

    def _encode(self, text: str, manner: Manner, field: str) -> Text:
        is_negative = field == NEGATIVE_PROMPT
        key = (*manner.key(text), is_negative)
        if key not in self._known:
            if self._begin is not None:
                self._begin()
                self._begin = None
            self._known[key] = self._encoder.encode(text, manner, field, is_negative=is_negative)
        self._known.move_to_end(key)
        while len(self._known) > KEPT_PROMPTS:
            self._known.popitem(last=False)
        return self._known[key]

    def _lengthen(self, text: Text, length: int, manner: Manner) -> Text:
        return text if text.length == length else self._encoder.lengthen(text, length, manner)


def _together(tracks: Sequence[Sequence[Stage]]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The texts of several schedules side by side, whenever one of them changes."""
    ends = sorted({stage.end for track in tracks for stage in track})
    rows = [
        (end, tuple(next(stage.text for stage in track if end <= stage.end) for track in tracks))
        for end in ends
    ]
    for texts, same in groupby(rows, key=lambda row: row[1]):
        yield max(end for end, _ in same), texts
