"""Reads network tags: <lora:name:text weight:unet weight:rank> and what may be said by name.

    <lora:name>                  weight 1               <lora:name:0.8>     both parts 0.8
    <lora:name:0.8:0.5>          text encoder, UNet     <lyco:name:0.8>     the same as lora
    <lora:name:te=0:unet=0.7:dyn=8>                     any of the three by name
    <lora:name:0.8:lbw=1,0,0,...>                       a factor for each block of the UNet
    <lora:name:[1@0, 0.4@0.5]>   weight 1, from the middle of the run 0.4

Tags are cut out of the prompt wherever they stand. <hypernet:...> is understood and left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from webui.prompting.comments import COMMENT
from webui.prompting.faults import PROMPT, Remark, refusal
from webui.prompting.located import Located

TAG: Final = re.compile(r"<(\w+):([^<>]*)>")
KINDS: Final = ("lora", "lyco")
HYPERNETWORK: Final = "hypernet"
LARGEST_WEIGHT: Final = 100.0

_ENDS: Final = ("1", "2", "4", "5", "7", "8")
BLOCK_LAYOUTS: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType(
    {
        12: ("BASE", "IN04", "IN05", "IN07", "IN08", "MID", *(f"OUT0{i}" for i in range(6))),
        17: (
            "BASE",
            *(f"IN0{i}" for i in _ENDS),
            "MID",
            *(f"OUT{i:02}" for i in range(3, 12)),
        ),
        20: ("BASE", *(f"IN{i:02}" for i in range(9)), "MID", *(f"OUT{i:02}" for i in range(9))),
        26: ("BASE", *(f"IN{i:02}" for i in range(12)), "MID", *(f"OUT{i:02}" for i in range(12))),
    }
)
"""Which blocks a list of so many factors means, as people write them for A1111: 17 the blocks of
SD 1.x with attention, 26 all of them; 12 and 20 the same for SDXL. BASE is the text encoder."""


@dataclass(frozen=True, kw_only=True)
class WeightPoint:
    """A weight that holds from a part of the run on, 0 to 1."""

    weight: float
    start: float


@dataclass(frozen=True, kw_only=True)
class NetworkTag:
    """One network that a prompt asks for. `position` is where its tag began.

    `rank` uses only the first so many rows of a LoRA (A1111's dyn); `blocks` are factors by the
    names in BLOCK_LAYOUTS, empty for all 1. `schedule` is in order and takes the place of
    `unet_weight` when it is not empty; the text encoder keeps `text_weight`.
    """

    name: str
    text_weight: float = 1.0
    unet_weight: float = 1.0
    rank: int | None = None
    blocks: Mapping[str, float] = field(default_factory=dict)
    schedule: tuple[WeightPoint, ...] = ()
    position: int = field(default=0, compare=False)

    def unet_weight_at(self, fraction: float) -> float:
        """The UNet's weight when this part of the run is done."""
        if not self.schedule:
            return self.unet_weight
        begun = [point for point in self.schedule if point.start <= fraction]
        return (begun[-1] if begun else self.schedule[0]).weight


def network_tags(prompt: str, field: str = PROMPT) -> tuple[tuple[NetworkTag, ...], str]:
    """The tags of a prompt in their order, and the prompt without them and without comments.

    Raises InvalidRequest for `field` at the character where a tag is wrong.
    """
    tags, rest, _ = cut_tags(prompt, field)
    return tags, rest.text


def cut_tags(prompt: str, field: str) -> tuple[tuple[NetworkTag, ...], Located, list[Remark]]:
    """As `network_tags`, with the places of what is left, and what should be remarked."""
    reader = _Reader(prompt, field)
    rest, before = Located.whole(prompt), None
    while rest != before:  # what is cut out may have stood inside another tag
        before = rest
        rest = rest.without(COMMENT).without(TAG, reader.read)
    return tuple(reader.tags), rest, reader.remarks


def write_tag(tag: NetworkTag) -> str:
    """The tag as text."""
    parts = ["lora", tag.name]
    if tag.schedule:
        points = ", ".join(f"{point.weight!r}@{point.start!r}" for point in tag.schedule)
        parts += [f"[{points}]"]
        parts += [f"te={tag.text_weight!r}"] if tag.text_weight != tag.schedule[0].weight else []
    else:
        parts += [repr(tag.text_weight), repr(tag.unet_weight)]
    parts += [f"dyn={tag.rank}"] if tag.rank is not None else []
    if tag.blocks:
        parts += ["lbw=" + ",".join(map(repr, tag.blocks.values()))]
    return f"<{':'.join(parts)}>"


class _Reader:
    """Collects the tags of one prompt."""

    def __init__(self, prompt: str, field: str) -> None:
        self._prompt = prompt
        self._field = field
        self.tags: list[NetworkTag] = []
        self.remarks: list[Remark] = []

    def read(self, match: re.Match[str], position: int) -> None:
        """Take note of one tag. Raises InvalidRequest."""
        kind, (name, *arguments) = match[1].lower(), match[2].split(":")
        if kind not in (*KINDS, HYPERNETWORK):
            self._remark(position, f"“<{match[1]}:…>” is no kind of network and was left out.")
            return
        if not name.strip():
            way_out = "Write it as in <lora:name:0.8>."
            raise refusal(self._prompt, position, "A network has no name", way_out, self._field)
        if kind == HYPERNETWORK:
            self._remark(position, f"Hypernetworks don't work here; “{name}” was left out.")
        else:
            self.tags.append(self._tag(name.strip(), arguments, position))

    def _tag(self, name: str, arguments: Sequence[str], position: int) -> NetworkTag:
        named = dict(part.split("=", 1) for part in arguments if "=" in part)
        named = {key.strip().lower(): value.strip() for key, value in named.items()}
        given = [part.strip() for part in arguments if "=" not in part]
        for key in named.keys() - {"te", "unet", "dyn", "lbw"}:
            self._remark(position, f"“{key}=” means nothing in a network tag and was left out.")
        points = self._schedule(given[0], position) if given and given[0][:1] == "[" else ()
        first = str(points[0].weight) if points else (given[0] if given else "")
        text_weight = self._number(named.get("te") or first or "1", position)
        second = given[1] if len(given) > 1 else ""
        unet_weight = self._number(
            named.get("unet") or second or named.get("te") or first or "1", position
        )
        rank = named.get("dyn") or (given[2] if len(given) > 2 else "")
        return NetworkTag(
            name=name,
            text_weight=text_weight,
            unet_weight=points[0].weight if points else unet_weight,
            rank=int(self._number(rank, position, largest=100_000)) if rank else None,
            blocks=self._blocks(named["lbw"], position) if "lbw" in named else {},
            schedule=points,
            position=position,
        )

    def _schedule(self, text: str, position: int) -> tuple[WeightPoint, ...]:
        points = []
        for item in text.strip("[] ").split(","):
            weight, _, start = item.partition("@")
            point = WeightPoint(
                weight=self._number(weight, position),
                start=self._number(start or "0", position, largest=1.0),
            )
            if point.start < 0:
                raise self._refusal(position, f"The start {point.start:g} of a weight is negative")
            points.append(point)
        return tuple(sorted(points, key=lambda point: point.start))

    def _blocks(self, text: str, position: int) -> Mapping[str, float]:
        values = [self._number(item, position) for item in text.split(",")]
        names = BLOCK_LAYOUTS.get(len(values))
        if names is None:
            counts = ", ".join(map(str, BLOCK_LAYOUTS))
            raise refusal(
                self._prompt,
                position,
                f"There are {len(values)} block weights in the network tag",
                f"Give one of these numbers of them: {counts}.",
                self._field,
            )
        return dict(zip(names, values, strict=True))

    def _number(self, text: str, position: int, largest: float = LARGEST_WEIGHT) -> float:
        try:
            value = float(text)
        except ValueError:
            raise self._refusal(position, f"“{text.strip()}” is no number") from None
        if not abs(value) <= largest:
            raise self._refusal(position, f"{text.strip()} is beyond {largest:g}")
        return value

    def _refusal(self, position: int, what: str) -> Exception:
        way_out = "Weights are numbers as in <lora:name:0.8>; parts of the run go from 0 to 1."
        return refusal(self._prompt, position, f"{what} in a network tag", way_out, self._field)

    def _remark(self, position: int, message: str) -> None:
        self.remarks.append(Remark(position=position, message=message))
