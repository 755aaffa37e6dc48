"""Prompts from a file or a text box: one job for each line, with tags as A1111 reads them.

A line without tags is a prompt. A line that begins with `--` is read like a command line:
`--prompt "a red apple" --steps 30 --seed 7`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated, Final

from annotated_types import MaxLen

from webui.core.errors import InvalidRequest
from webui.core.request import GenerationRequest, Tiling
from webui.plans.axis import put_at
from webui.plans.kind import (
    MAX_CELLS,
    PAINTING,
    Grid,
    Independent,
    Kind,
    Place,
    Probe,
    Sources,
    chosen,
    limit,
    settle_seeds,
    square,
    with_seed,
)
from webui.plans.values import words

MOST_IN_GRID: Final = 400
PLACES: Final = ("alone", "start", "end")
Read = Callable[[str], object]


def _tiling(text: str) -> Tiling:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return Tiling.BOTH if text.lower() == "true" else Tiling.NONE


TAGS: Final[Mapping[str, tuple[str, Read]]] = MappingProxyType(
    {
        "prompt": ("prompt", str),
        "negative_prompt": ("negative_prompt", str),
        "styles": ("styles", lambda text: tuple(words(text))),
        "sd_model": ("checkpoint", str),
        "seed": ("seed", int),
        "subseed": ("noise.variation_seed", int),
        "subseed_strength": ("noise.variation_strength", float),
        "seed_resize_from_w": ("noise.resize_from_width", int),
        "seed_resize_from_h": ("noise.resize_from_height", int),
        "sampler_name": ("sampling.sampler", str),
        "scheduler": ("sampling.schedule", str),
        "steps": ("sampling.steps", int),
        "cfg_scale": ("sampling.guidance_scale", float),
        "clip_skip": ("sampling.clip_skip", int),
        "width": ("width", int),
        "height": ("height", int),
        "batch_size": ("batch_size", int),
        "n_iter": ("batch_count", int),
        "tiling": ("tiling", _tiling),
        "denoising_strength": ("source.denoising_strength", float),
    }
)
"""The field of each tag, and how its value is read."""
FOREIGN: Final = (
    "outpath_samples",
    "outpath_grids",
    "prompt_for_display",
    "sampler_index",
    "restore_faces",
    "do_not_save_samples",
    "do_not_save_grid",
)
"""A1111's tags for things that Gesso does otherwise or not at all."""
RANDOM: Final = -1
SEEDS: Final = ("seed", "noise.variation_seed")


@dataclass(frozen=True, kw_only=True)
class LinesOptions:
    """The lines, and where the page's own prompt goes."""

    text: Annotated[str, MaxLen(900_000)] = ""
    place: str = "alone"
    """Each line "alone", or with the page's prompt: the line at its "start" or its "end"."""
    vary_seeds: bool = False
    """Each line goes on with the seeds after the line before it."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line, read: the fields that it sets, by path."""

    number: int
    fields: Mapping[str, object]


class LinesLayout(Independent):
    """One cell for each line."""

    def __init__(
        self, base: GenerationRequest, options: LinesOptions, lines: Sequence[Line]
    ) -> None:
        self._base: Final = base
        self._options: Final = options
        self._lines: Final = tuple(lines)
        self.count: Final = len(lines)
        self._begun: Final = tuple(self._seeds_before())

    @property
    def grid(self) -> Grid | None:
        """The grid at the end, if there is one."""
        return square(self.count) if 1 < self.count <= MOST_IN_GRID else None

    def request(self, number: int, sources: Sources | None = None) -> GenerationRequest:
        """What cell `number` asks for."""
        request, line = self._base, self._lines[number]
        if self._options.vary_seeds:
            request = with_seed(request, self._begun[number])
        for path, value in line.fields.items():
            if value == RANDOM and path in SEEDS:
                continue  # as if it was not said: the plan's own, which was drawn once
            request = put_at(request, path, value)
        return replace(request, prompt=self._joined(request.prompt))

    def label(self, number: int) -> str:
        """What is special about a cell."""
        return f"Line {self._lines[number].number}"

    def place(self, number: int) -> Place:
        """Where the cell stands in the grid."""
        row, column = divmod(number, len(square(self.count).columns))
        return Place(column=column, row=row)

    def probes(self) -> Iterator[Probe]:
        """Requests that are checked first."""
        for number, line in enumerate(self._lines):
            yield Probe(field="text", words=f"Line {line.number}", request=self.request(number))

    def _joined(self, line: str) -> str:
        own = self._base.prompt
        match self._options.place:
            case "start" if line != own:
                return f"{line} {own}".strip()
            case "end" if line != own:
                return f"{own} {line}".strip()
        return line

    def _seeds_before(self) -> Iterator[int]:
        """How many pictures the lines before each line make."""
        begun = 0
        for line in self._lines:
            yield begun
            size, count = line.fields.get("batch_size"), line.fields.get("batch_count")
            begun += int(str(size or self._base.batch_size)) * int(
                str(count or self._base.batch_count)
            )


def lay_out(base: GenerationRequest, options: LinesOptions) -> LinesLayout:
    """The cells. Raises InvalidRequest that names the line."""
    chosen(options.place, PLACES, "place")
    lines = [
        Line(number=number, fields=_fields(text.strip(), number))
        for number, text in enumerate(options.text.splitlines(), start=1)
        if text.strip()
    ]
    limit(len(lines), MAX_CELLS, "text", "lines")
    return LinesLayout(base, options, lines)


def _fields(text: str, number: int) -> dict[str, object]:
    if not text.startswith("--"):
        return {"prompt": text}
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise _fault(number, f"it can't be read ({error}). Close every quotation mark.") from error
    fields: dict[str, object] = {}
    while parts:
        path, value = _tag(parts, number)
        fields[path] = value
    return fields


def _tag(parts: list[str], number: int) -> tuple[str, object]:
    """Takes a tag and its value away from the parts. A prompt goes on until the next tag."""
    tag = parts.pop(0)
    path, read = _known(tag, number)
    if not parts:
        raise _fault(number, f"{tag} has no value. Write one after it.")
    text = parts.pop(0)
    while path in ("prompt", "negative_prompt") and parts and not parts[0].startswith("--"):
        text += f" {parts.pop(0)}"
    try:
        return path, read(text)
    except (ValueError, InvalidRequest) as error:
        raise _fault(number, f"{tag} can't be “{text}”.") from error


def _known(tag: str, number: int) -> tuple[str, Read]:
    name = tag.removeprefix("--")
    if not tag.startswith("--"):
        raise _fault(number, f"“{tag}” stands where a tag should. Put quotation marks around it.")
    if name in FOREIGN:
        raise _fault(number, f"{tag} has no meaning in Gesso. Remove it.")
    if name not in TAGS:
        raise _fault(number, f"{tag} is not a known tag. Known are: {', '.join(TAGS)}.")
    return TAGS[name]


def _fault(number: int, words: str) -> InvalidRequest:
    return InvalidRequest("text", f"Line {number}: {words}")


KIND: Final = Kind(
    id="lines",
    label="Prompts from file or textbox",
    modes=PAINTING,
    options=LinesOptions,
    settle=settle_seeds,
    lay_out=lay_out,
)
