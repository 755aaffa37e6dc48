"""The brackets of a prompt as a tree: weights, schedules [a:b:when] and alternations [a|b].

The rules are those of A1111: a bracket that can't be paired, and one whose inside makes no sense,
is plain text, and so are all brackets around it. Nothing is lost: `to_text(grow(text)) == text`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from types import MappingProxyType
from typing import Final

DEEPEST: Final = 100
"""Brackets in brackets that are read; beyond it nobody means anything."""
LARGEST_WEIGHT: Final = 100.0
USUAL_WEIGHTS: Final = "Weights are around 1, mostly from 0.5 to 1.5: (cat:1.2)."

_SIGN: Final = re.compile(r"(?s)\\.|[()\[\]:|]|[^\\()\[\]:|]+|\\")
# Possessive, here and in the other patterns of prompts: no text may take more than linear time.
_NUMBER: Final = re.compile(r"\s*+[+-]?(?:\d++\.?\d*+|\.\d++)\s*+")
_PARTNER: Final = MappingProxyType({"(": ")", "[": "]"})

Doubt = Callable[[int, str], None]
"""Is told a place in the text and what is tolerated there."""
Refuse = Callable[[int, str, str], None]
"""Is told a place, what can't be meant, and the way out; it raises."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """Characters as they are, escapes included."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Weighted:
    """A pair of brackets. `weight` is the number as it was typed, None where there is none."""

    bracket: str
    inside: Nodes
    weight: str | None = None


@dataclass(frozen=True, kw_only=True)
class Scheduled:
    """[before:after:when]. `before` is None in the form [after:when]; `when` is as typed."""

    before: Nodes | None
    after: Nodes
    when: str

    @property
    def is_fraction(self) -> bool:
        """Whether `when` is a part of the run, not the number of a step."""
        return "." in self.when


@dataclass(frozen=True, kw_only=True)
class Alternation:
    """[a|b|...]: one after the other, a step each."""

    options: tuple[Nodes, ...]


Node = Text | Weighted | Scheduled | Alternation
Nodes = tuple[Node, ...]


@dataclass(kw_only=True)
class _Mark:
    """A : or | whose meaning is known when its bracket closes."""

    sign: str


_Item = Node | _Mark


@dataclass(kw_only=True)
class _Open:
    """A bracket that is not closed yet. `depth` counts the brackets closed inside."""

    bracket: str
    position: int
    items: list[_Item] = field(default_factory=list)
    depth: int = 0


def grow(text: str, doubt: Doubt, refuse: Refuse) -> Nodes:
    """The tree of a text."""
    return _Grower(doubt, refuse).grow(text)


def to_text(nodes: Iterable[Node]) -> str:
    """The text of a tree."""
    return "".join(map(_text_of, nodes))


def _text_of(node: Node) -> str:
    match node:
        case Text(text=text):
            return text
        case Weighted(bracket=bracket, inside=inside, weight=weight):
            number = "" if weight is None else f":{weight}"
            return f"{bracket}{to_text(inside)}{number}{_PARTNER[bracket]}"
        case Scheduled(before=before, after=after, when=when):
            first = "" if before is None else f"{to_text(before)}:"
            return f"[{first}{to_text(after)}:{when}]"
        case Alternation(options=options):
            return f"[{'|'.join(map(to_text, options))}]"


class _Grower:
    """Reads one text from left to right. `_root` is what can't be inside a bracket any more."""

    def __init__(self, doubt: Doubt, refuse: Refuse) -> None:
        self._doubt = doubt
        self._refuse = refuse
        self._root: list[_Item] = []
        self._opened: list[_Open] = []

    def grow(self, text: str) -> Nodes:
        for match in _SIGN.finditer(text):
            sign, position = match.group(), match.start()
            if sign in "([":
                self._opened.append(_Open(bracket=sign, position=position))
            elif sign in ")]":
                self._close(sign, position)
            else:
                self._items.append(_Mark(sign=sign) if sign in ":|" else Text(text=sign))
        for left in self._opened:
            self._doubt(left.position, f"“{left.bracket}” is never closed: it reaches to the end.")
        self._spill()
        return _plain(self._root)

    @property
    def _items(self) -> list[_Item]:
        """Where the next piece goes."""
        return self._opened[-1].items if self._opened else self._root

    def _close(self, sign: str, position: int) -> None:
        if not self._opened or _PARTNER[self._opened[-1].bracket] != sign:
            self._doubt(position, f"“{sign}” closes nothing here.")
            self._spill()
            self._root.append(Text(text=sign))
            return
        inner = self._opened[-1]
        node = self._node(inner)
        if node is None:
            self._spill()
            self._root.append(Text(text=sign))
            return
        self._opened.pop()
        if inner.depth >= DEEPEST:
            what = f"There are more than {DEEPEST} brackets inside each other"
            self._refuse(inner.position, what, "Use a number instead: (cat:1.5).")
        if self._opened:
            self._opened[-1].depth = max(self._opened[-1].depth, inner.depth + 1)
        self._items.append(node)

    def _spill(self) -> None:
        """Make all open brackets plain text."""
        for left in self._opened:
            self._root += [Text(text=left.bracket), *left.items]
        self._opened.clear()

    def _node(self, closed: _Open) -> Node | None:
        """What a closed bracket is; None where it makes no sense."""
        parts = list(_split(closed.items, ":"))
        number = _number(parts[-1]) if len(parts) > 1 else None
        if closed.bracket == "(":
            return self._weighted(closed, parts, number)
        if number is not None and len(parts) <= 3:
            before = _plain(parts[0]) if len(parts) == 3 else None
            return Scheduled(before=before, after=_plain(parts[-2]), when=number)
        options = tuple(_plain(part) for part in _split(closed.items, "|"))
        if len(options) > 1:
            return Alternation(options=options)
        if len(parts) == 1:
            return Weighted(bracket="[", inside=_plain(closed.items))
        self._doubt(
            closed.position,
            "This is no schedule: [from:to:when] ends in a number, a step or a part of the run. "
            "It is read as plain brackets.",
        )
        return None

    def _weighted(
        self, closed: _Open, parts: Sequence[Sequence[_Item]], number: str | None
    ) -> Node | None:
        if len(parts) > 2:
            self._doubt(closed.position, "There is more than one “:” in these brackets.")
            return None
        if number is None:
            return Weighted(bracket="(", inside=_plain(closed.items))
        if abs(float(number)) > LARGEST_WEIGHT:
            what = f"The weight {number.strip()} is beyond {LARGEST_WEIGHT:g}"
            self._refuse(closed.position, what, USUAL_WEIGHTS)
        return Weighted(bracket="(", inside=_plain(parts[0]), weight=number)


def _split(items: Sequence[_Item], sign: str) -> Iterator[list[_Item]]:
    """The pieces between these marks."""
    piece: list[_Item] = []
    for item in items:
        if isinstance(item, _Mark) and item.sign == sign:
            yield piece
            piece = []
        else:
            piece.append(item)
    yield piece


def _plain(items: Iterable[_Item]) -> Nodes:
    """Marks that mean nothing as text, neighbouring texts as one."""
    nodes = (Text(text=item.sign) if isinstance(item, _Mark) else item for item in items)
    merged: list[Node] = []
    for is_text, group in groupby(nodes, key=lambda node: isinstance(node, Text)):
        run = list(group)
        merged += [Text(text=to_text(run))] if is_text else run
    return tuple(merged)


def _number(items: Sequence[_Item]) -> str | None:
    """The items as a number, as it was typed; None if they are none."""
    if len(items) == 1 and isinstance(items[0], Text) and _NUMBER.fullmatch(items[0].text):
        return items[0].text
    return None
