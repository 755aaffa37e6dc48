"""The values of an axis as people write them: lists, ranges with a step, ranges with a count.

| written | read as whole numbers |
|---|---|
| `1, 2, 5` | 1 2 5 |
| `1-5` | 1 2 3 4 5 |
| `1-10 (+3)`, `10-1 (-3)` | 1 4 7 10, 10 7 4 1 |
| `1-10 [5]` | 1 3 5 7 10 |
| `"a, b", c` | as words: “a, b” and “c” |
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from webui.core.errors import InvalidRequest

MAX_VALUES: Final = 10_000
_NUMBER: Final = r"([+-]?\s*\d+(?:\.\d*)?|[+-]?\s*\.\d+)"
# Possessive, so that no text takes more than linear time.
_PART: Final = re.compile(
    r'\s*+(?:"((?:[^"]|"")*+)"[^\S\r\n]*+(?:[,\r\n]|$)|([^,\r\n]*+)(?:[,\r\n]|$))'
)
_RANGE: Final = re.compile(rf"{_NUMBER}\s*-\s*{_NUMBER}\s*(?:\(\s*{_NUMBER}\s*\)|\[\s*(\d+)\s*\])?")


@dataclass(frozen=True, kw_only=True)
class Span:
    """A range as it was written. Either `step` or `count` may be given, or neither."""

    first: float
    last: float
    step: float | None
    count: int | None


def words(text: str) -> list[str]:
    """The parts between commas, without the blanks around them and without empty ones. Quoted
    parts may hold commas, and line ends part as commas do."""
    found, at = [], 0
    while at < len(text) and (match := _PART.match(text, at)):
        quoted, plain = match.groups()
        if quoted is None and plain.startswith('"'):
            raise InvalidRequest(
                "values",
                f"The quotation mark before “{plain[1:40]}” is not closed. Close it, and put a "
                "comma after it.",
            )
        found.append((plain if quoted is None else quoted.replace('""', '"')).strip())
        at = match.end()
    return [part for part in found if part]


def csv_line(parts: list[str]) -> str:
    """The text that `words` reads as these parts."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(parts)
    return line.getvalue()


def whole_numbers(text: str) -> list[int]:
    """Numbers without fraction. Raises InvalidRequest that shows the part at fault."""
    return [int(value) for part in words(text) for value in _numbers(part, _whole, is_whole=True)]


def numbers(text: str) -> list[float]:
    """Numbers. Raises InvalidRequest that shows the part at fault."""
    return [value for part in words(text) for value in _numbers(part, float, is_whole=False)]


def _numbers(part: str, read: Callable[[str], float], *, is_whole: bool) -> list[float]:
    kind, examples = (
        ("whole number", "20, or 10-30 (+5), or 10-30 [3]")
        if is_whole
        else ("number", "7.5, or 4-8 (+0.5), or 4-8 [5]")
    )
    try:
        span = _span(part, read)
        return [read(part)] if span is None else _spread(span, is_whole)
    except ValueError as error:
        raise InvalidRequest(
            "values", f"“{part}” is no {kind} and no range. Write {examples}."
        ) from error


def _whole(text: str) -> int:
    return int(text)


def _span(part: str, read: Callable[[str], float]) -> Span | None:
    match = _RANGE.fullmatch(part)
    if match is None:
        return None
    first, last, step = (value and value.replace(" ", "") for value in match.groups()[:3])
    return Span(
        first=read(first),
        last=read(last),
        step=read(step) if step else None,
        count=int(match[4]) if match[4] else None,
    )


def _spread(span: Span, is_whole: bool) -> list[float]:
    if span.count is not None:
        return _evenly(span, span.count, is_whole)
    step = span.step if span.step is not None else math.copysign(1, span.last - span.first)
    if step == 0 or (span.last - span.first) * step < 0:
        raise InvalidRequest(
            "values",
            f"The step {step:+g} does not lead from {span.first:g} to {span.last:g}. "
            f"Write {-step or 1:+g}.",
        )
    count = math.floor((span.last - span.first) / step + 1e-9) + 1
    _bearable(count)
    return [round(span.first + index * step, 10) for index in range(count)]


def _evenly(span: Span, count: int, is_whole: bool) -> list[float]:
    """As many values from first to last; whole ones lose what stands after the point."""
    _bearable(count)
    if count == 1:
        return [span.first]
    gap = (span.last - span.first) / (count - 1)
    spread = [round(span.first + index * gap, 10) for index in range(count)]
    return [math.trunc(value) for value in spread] if is_whole else spread


def _bearable(count: int) -> None:
    if not 1 <= count <= MAX_VALUES:
        raise InvalidRequest(
            "values", f"{count} values can't be used. Between 1 and {MAX_VALUES} is possible."
        )
