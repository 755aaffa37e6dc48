"""A whole prompt as data: its parts joined by AND, its networks, and what is doubtful in it.

a cat AND a dog :0.7      two prompts that guide together, the second with 0.7
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from webui.prompting.faults import PROMPT, Remark, refusal
from webui.prompting.located import Located
from webui.prompting.networks import NetworkTag, cut_tags, write_tag
from webui.prompting.tree import LARGEST_WEIGHT, USUAL_WEIGHTS, Nodes, grow, to_text

_AND: Final = re.compile(r"\bAND\b")
# Begins where blanks begin, not at each of them: that would take a minute for a long row of them.
_PART_WEIGHT: Final = re.compile(r"(?<!\s)\s*+(?<!\\):\s*+([-+]?(?:\d++\.?|\d*+\.\d++))\s*+\Z")


@dataclass(frozen=True, kw_only=True)
class Part:
    """What stands between two ANDs. `ending` is its weight as typed, with the colon, or empty."""

    nodes: Nodes
    ending: str = ""

    @property
    def weight(self) -> float:
        """How much the part counts beside the others."""
        match = _PART_WEIGHT.search(self.ending)
        return float(match[1]) if match else 1.0


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A prompt that was read. Comments are gone; `remarks` say what may not be as it was meant."""

    parts: tuple[Part, ...]
    networks: tuple[NetworkTag, ...] = ()
    remarks: tuple[Remark, ...] = field(default=(), compare=False)


def parse(text: str, field: str = PROMPT, *, is_negative: bool = False) -> Prompt:
    """A prompt as data. A negative prompt is one part: AND means nothing in it, as in A1111.

    Raises InvalidRequest for `field` at the character where something can't be meant.
    """
    networks, rest, remarks = cut_tags(text, field)
    reader = _Reader(text, field, remarks)
    if is_negative:
        parts = [reader.part(rest, has_weight=False)]
    else:
        parts = [reader.part(part, has_weight=True) for part in _split_at_and(rest)]
    if is_negative and networks:
        message = "A network in the negative prompt does nothing; put it into the prompt."
        remarks.append(Remark(position=networks[0].position, message=message))
    remarks.sort(key=lambda remark: remark.position)
    return Prompt(parts=tuple(parts), networks=networks, remarks=tuple(remarks))


def write(prompt: Prompt) -> str:
    """The prompt as text, its networks at the end."""
    parts = "AND".join(to_text(part.nodes) + part.ending for part in prompt.parts)
    return parts + "".join(map(write_tag, prompt.networks))


def _split_at_and(text: Located) -> list[Located]:
    ends = [(match.start(), match.end()) for match in _AND.finditer(text.text)]
    starts = [0, *(end for _, end in ends)]
    stops = [*(start for start, _ in ends), len(text.text)]
    return [text.part(start, stop) for start, stop in zip(starts, stops, strict=True)]


class _Reader:
    """Reads the parts of one prompt."""

    def __init__(self, prompt: str, field: str, remarks: list[Remark]) -> None:
        self._prompt = prompt
        self._field = field
        self._remarks = remarks

    def part(self, text: Located, *, has_weight: bool) -> Part:
        ending = _PART_WEIGHT.search(text.text) if has_weight else None
        end = ending.start() if ending else len(text.text)
        if ending and abs(float(ending[1])) > LARGEST_WEIGHT:
            what = f"The weight {ending[1]} is beyond {LARGEST_WEIGHT:g}"
            self._refuse(text.origins[end], what, USUAL_WEIGHTS)
        if ending:
            self._doubt(text.origins[end], f"“{ending[0].strip()}” weighs this whole prompt.")
        nodes = grow(
            text.text[:end],
            doubt=lambda at, message: self._doubt(text.origins[at], message),
            refuse=lambda at, what, out: self._refuse(text.origins[at], what, out),
        )
        return Part(nodes=nodes, ending=text.text[end:])

    def _doubt(self, position: int, message: str) -> None:
        self._remarks.append(Remark(position=position, message=message))

    def _refuse(self, position: int, what: str, way_out: str) -> None:
        raise refusal(self._prompt, position, what, way_out, self._field)
