"""Fills in wildcards and variants: a prompt that is a template becomes one without choices.

    __animal__                a line of animal.txt          {red|blue}           one of them
    __art/*__  __**/cat__     of all files that match       {2$$a|b|c}           two, joined by ", "
    {1-3$$ and $$a|b|c}       one to three, by " and "      {0.2::rare|common}   with odds

Lines and options may hold wildcards and variants again. The choice depends on the seed alone.
Braces without | or $$ (styles' {prompt}), braces that don't pair, and \\{ \\} \\| are plain text.
Comments go: behind a chosen word their # could be taken for a letter's.
"""

from __future__ import annotations

import difflib
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from webui.core.errors import InvalidRequest
from webui.core.request import LONGEST_PROMPT
from webui.prompting.comments import COMMENT
from webui.prompting.faults import PROMPT, refusal

DEEPEST: Final = 20
"""Characters of a prompt that a request takes."""

_NAME: Final = r"__(?P<name>(?!_)[\w*?](?:[\w*?./ -]{0,200}?[\w*?])??)__"
_PIECE: Final = re.compile(
    rf"\\.|(?P<comment>{COMMENT.pattern})|{_NAME}|[^\\{{}}\[\]|_\#]+|.",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_WHOLE_NAME: Final = re.compile(rf"\s*{_NAME}\s*")
_COUNT: Final = re.compile(r"\s*+(?:(?P<low>\d{0,9})-(?P<high>\d{0,9})|(?P<exact>\d{1,9}))\s*+\$\$")
_ODDS: Final = re.compile(r"\s*+(?P<odds>\d++\.?\d*+|\.\d++)\s*+::")


@dataclass(frozen=True, kw_only=True)
class _Option:
    """One of several choices."""

    text: str
    odds: float = 1.0


def expand(template: str, seed: int, folder: Path, field: str = PROMPT) -> str:
    """The prompt that a template gives for a seed. `folder` holds the wildcards' .txt files.

    The two prompts of a picture draw apart: `field` counts as well as the seed. Raises
    InvalidRequest for `field`: unknown wildcard, one that holds itself, too long a prompt.
    """
    if not has_choices(template):
        return template
    return _Expander(template, seed, Files(folder), field).expand()


def has_choices(template: str) -> bool:
    """Whether a seed could make a difference. False when nothing needs to be looked up."""
    return "__" in template or "{" in template


def wildcard_names(folder: Path) -> tuple[str, ...]:
    """What wildcards may be called, without the underscores."""
    return tuple(Files(folder).names())


class Files:
    """The wildcard files below a folder, by name: the path without .txt, with forward slashes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: dict[str, Path] | None = None

    def names(self) -> Sequence[str]:
        """All names, in order."""
        return list(self._found())

    def lines(self, name: str) -> list[str] | None:
        """The lines of the files that a name or pattern means; None when there is no such file.

        A name without a folder is looked for in all folders when it is in none.
        """
        paths, wanted = self._found(), name.strip().casefold()
        matching = [key for key in paths if fnmatchcase(key.casefold(), wanted)]
        if not matching:
            matching = [key for key in paths if key.casefold().rsplit("/", 1)[-1] == wanted]
        if not matching:
            return None
        return [line for key in matching for line in _lines(paths[key])]

    def _found(self) -> dict[str, Path]:
        if self._paths is None:
            files = self._folder.rglob("*.txt") if self._folder.is_dir() else ()
            paths = {
                file.relative_to(self._folder).with_suffix("").as_posix(): file for file in files
            }
            self._paths = dict(sorted(paths.items()))
        return self._paths


class _Expander:
    """Fills in one template."""

    def __init__(self, template: str, seed: int, files: Files, field: str) -> None:
        self._template = template
        self._files = files
        self._field = field
        # seeded by text, whose digest is the same in all versions of Python; of the generator only
        # random() is used, which is promised to stay the same too
        self._random = random.Random(f"{field} {seed}")

    def expand(self) -> str:
        return self._fill(self._template, 0, 0)

    def _fill(self, text: str, depth: int, position: int) -> str:
        """`text` without choices. `position`: where it, or what it comes from, began."""
        if depth > DEEPEST:
            raise self._refusal(position, "Choices lie too deep in each other, or hold themselves,")
        filled: list[str] = []
        length = 0
        for piece, at in _pieces(text):
            place = position + at if depth == 0 else position
            filled.append(self._choose(piece, depth, place))
            length += len(filled[-1])
            if length > LONGEST_PROMPT:
                raise self._refusal(
                    place, f"The prompt gets longer than {LONGEST_PROMPT} characters"
                )
        return "".join(filled)

    def _choose(self, piece: str, depth: int, position: int) -> str:
        """What stands for a piece: itself, a line for a wildcard, an option for a variant."""
        if (match := _WHOLE_NAME.fullmatch(piece)) and not piece[0].isspace():
            return self._pick(self._options_of(match["name"], position), 1, ", ", depth, position)
        if len(piece) < 2 or piece[0] != "{":
            return piece
        inside = piece[1:-1]
        count = _COUNT.match(inside)
        options = list(_split(inside[count.end() :] if count else inside))
        separator = ", "
        if count and len(options) and "$$" in options[0]:
            separator, options[0] = options[0].split("$$", 1)
        if not count and len(options) == 1:
            return "{" + self._fill(inside, depth + 1, position) + "}"
        low, high = _range(count, len(options))
        choices = [_option(option) for option in options]
        name = _WHOLE_NAME.fullmatch(options[0]) if len(options) == 1 else None
        if count and name:
            choices = self._options_of(name["name"], position)
            low, high = _range(count, len(choices))
        wanted = low + int(self._random.random() * (high - low + 1))
        return self._pick(choices, wanted, separator, depth, position)

    def _pick(
        self, options: Sequence[_Option], count: int, separator: str, depth: int, position: int
    ) -> str:
        """So many of the options, or all; none twice."""
        left = list(options)
        is_even = all(option.odds == 1 for option in options)
        picked: list[str] = []
        for _ in range(min(count, len(options))):
            option = left.pop(self._draw(left, is_even=is_even))
            picked.append(self._fill(option.text, depth + 1, position))
        return separator.join(picked)

    def _draw(self, options: Sequence[_Option], *, is_even: bool) -> int:
        if is_even:  # what is below gives the same, but of ten thousand options it takes seconds
            return int(self._random.random() * len(options))
        total = sum(option.odds for option in options)
        point = self._random.random() * total
        for index, option in enumerate(options):
            point -= option.odds
            if point < 0:
                return index
        return len(options) - 1

    def _options_of(self, name: str, position: int) -> list[_Option]:
        lines = self._files.lines(name)
        if lines is None:
            near = difflib.get_close_matches(name, self._files.names(), n=1)
            way_out = f"Did you mean “__{near[0]}__”?" if near else "Add the file, or remove it."
            raise self._refusal(position, f"There is no wildcard “{name}”", way_out)
        if not lines:
            raise self._refusal(position, f"The wildcard “{name}” has no lines", "Write some.")
        return [_option(line) for line in lines]

    def _refusal(self, position: int, what: str, way_out: str = "Leave one out.") -> InvalidRequest:
        return refusal(self._template, position, what, way_out, self._field)


def _lines(path: Path) -> Iterator[str]:
    """A wildcard file's lines without comments and empty ones, whatever editor wrote it."""
    for line in path.read_text("utf-8-sig", errors="replace").splitlines():
        text = COMMENT.sub("", line).strip()
        if text:
            yield text


def _option(text: str) -> _Option:
    odds = _ODDS.match(text)
    return (
        _Option(text=text[odds.end() :], odds=float(odds["odds"])) if odds else _Option(text=text)
    )


def _range(count: re.Match[str] | None, options: int) -> tuple[int, int]:
    """The least and the most to pick."""
    if count is None:
        return 1, 1
    if count["exact"]:
        return int(count["exact"]), int(count["exact"])
    low, high = int(count["low"] or 0), int(count["high"] or options)
    return min(low, high), max(low, high)


def _pieces(text: str) -> Iterator[tuple[str, int]]:
    """Wildcards, whole pairs of braces, and what lies between, each with its place."""
    found = [match for match in _PIECE.finditer(text) if match["comment"] is None]
    partner = _partners([match.group() for match in found])
    index = 0
    while index < len(found):
        start = found[index].start()
        last = partner.get(index, index)
        yield text[start : found[last].end()], start
        index = last + 1


def _partners(groups: Sequence[str]) -> dict[int, int]:
    """For each { that is closed, where."""
    opened: list[int] = []
    partner: dict[int, int] = {}
    for index, group in enumerate(groups):
        if group == "{":
            opened.append(index)
        elif group == "}" and opened:
            partner[opened.pop()] = index
    return partner


def _split(inside: str) -> Iterator[str]:
    """The options between the |, but for those that stand in square brackets: [a|b]."""
    option, squares = "", 0
    for piece, _ in _pieces(inside):
        squares = max(0, squares + (piece == "[") - (piece == "]"))
        if piece == "|" and not squares:
            yield option
            option = ""
        else:
            option += piece
    yield option
