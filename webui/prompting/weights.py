"""Reads attention weights and BREAK out of a prompt. Knows nothing of tokens or models.

    (x)  x counts 1.1 times as much      [x]  1.1 times less      (x:1.3)  1.3 times as much
    nested brackets multiply             \\( \\) \\[ \\] \\\\  are the characters themselves
    BREAK  begins a new section

Brackets that don't pair are tolerated: an open one reaches to the end of the prompt, a closing
one without a partner is plain text. The rules are those of A1111.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType
from typing import Final

_FACTOR: Final = MappingProxyType({"(": 1.1, "[": 1 / 1.1})
_PARTNER: Final = MappingProxyType({")": "(", "]": "["})

_BREAK: Final = re.compile(r"(?:(?<!\s)\s*+|)\bBREAK\b\s*+")
"""With the blanks around it; looked for from the first of them only, or many would take minutes."""
_TOKEN: Final = re.compile(
    r"""
      \\ (?P<literal> [()\[\]\\] )
    | \\                                                # a backslash before anything else vanishes
    | (?P<open> [(\[] )
    | : \s*+ (?P<weight> [+-]? (?: \d++ \.? \d*+ | \. \d++ ) ) \s*+ \)
    | (?P<close> [)\]] )
    | (?P<text> [^\\()\[\]:]+ | : )
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, kw_only=True)
class Span:
    """A piece of text and how much it counts."""

    text: str
    weight: float = 1.0


Section = tuple[Span, ...]
"""What stands between two BREAKs; neighbours differ in weight."""


@dataclass(kw_only=True)
class _Piece:
    """Text whose brackets are perhaps not all closed yet, or a BREAK."""

    text: str
    weight: float = 1.0
    is_break: bool = False


def parse_weights(prompt: str) -> tuple[Section, ...]:
    """The sections of a prompt, at least one. Spans without text are left out."""
    return tuple(_merge(section) for section in _sections(_read(prompt)))


def has_weights(prompt: str) -> bool:
    """Whether a part of it counts more or less than the rest."""
    return any(span.weight != 1.0 for section in parse_weights(prompt) for span in section)


def without_weights(prompt: str) -> str:
    """The text alone, for models that know no weights; what BREAK parts is joined by a space."""
    return " ".join("".join(span.text for span in section) for section in parse_weights(prompt))


def _read(prompt: str) -> list[_Piece]:
    pieces: list[_Piece] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}
    for match in _TOKEN.finditer(prompt):
        kind, text = match.lastgroup, match.group()
        if kind == "literal":
            pieces.append(_Piece(text=match["literal"]))
        elif kind == "open":
            opened[text].append(len(pieces))
        elif kind == "weight" and opened["("]:
            _multiply(pieces[opened["("].pop() :], float(match["weight"]))
        elif kind == "close" and opened[_PARTNER[text]]:
            _multiply(pieces[opened[_PARTNER[text]].pop() :], _FACTOR[_PARTNER[text]])
        elif kind is not None:
            pieces.extend(_split_at_breaks(text))
    for bracket, starts in opened.items():
        for start in starts:
            _multiply(pieces[start:], _FACTOR[bracket])
    return pieces


def _multiply(pieces: Iterable[_Piece], factor: float) -> None:
    for piece in pieces:
        piece.weight *= factor


def _split_at_breaks(text: str) -> list[_Piece]:
    first, *rest = _BREAK.split(text)
    pieces = [_Piece(text=first)]
    for part in rest:
        pieces += [_Piece(text="", is_break=True), _Piece(text=part)]
    return pieces


def _sections(pieces: Iterable[_Piece]) -> list[list[_Piece]]:
    sections: list[list[_Piece]] = [[]]
    for piece in pieces:
        if piece.is_break:
            sections.append([])
        elif piece.text:
            sections[-1].append(piece)
    return sections


def _merge(pieces: Iterable[_Piece]) -> Section:
    """Neighbours of one weight as one span: words are split into tokens per span."""
    return tuple(
        Span(text="".join(piece.text for piece in group), weight=weight)
        for weight, group in groupby(pieces, key=lambda piece: piece.weight)
    )
