"""What a person may be called: readable, bounded, and not to be mistaken for somebody else."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from webui.core.errors import InvalidRequest

MOST_CHARACTERS: Final = 40
MOST_MARKS: Final = 3
"""Vowels and the like upon one letter, in the scripts that write them so."""
_SIGNS: Final = " .-_'’@+"
_INVISIBLE: Final = "\u115f\u1160\u3164\uffa0"
"""Fillers of Hangul: letters to Unicode, nothing to the eye."""
_LOOK_ALIKE: Final = frozenset({"LATIN", "GREEK", "CYRILLIC", "ARMENIAN"})
"""Scripts that share the shapes of letters: "а" of Cyrillic beside "a" of Latin."""
_MARKS: Final = ("Mn", "Mc")


def clean_name(text: str) -> str:
    """The name as it is kept and shown. Raises InvalidRequest for the field "name"."""
    name = re.sub(" +", " ", unicodedata.normalize("NFKC", text[: 10 * MOST_CHARACTERS])).strip(" ")
    if not name:
        raise InvalidRequest("name", "A name is missing. Type one.")
    if len(name) > MOST_CHARACTERS:
        raise InvalidRequest(
            "name", f"This name has {len(name)} characters. Use at most {MOST_CHARACTERS}."
        )
    for place, character in enumerate(name):
        if not _is_allowed(character, name[:place]):
            raise InvalidRequest(
                "name",
                f"The character U+{ord(character):04X} can't stand there in a name. "
                "Use letters, digits, spaces and . - _ ' @ + only.",
            )
    _check_letters(name)
    return name


def clean_text(field: str, text: str) -> str:
    """A note or label in one line, as it is kept and shown. Raises InvalidRequest."""
    line = unicodedata.normalize("NFC", text).strip(" ")
    for character in line:
        if not character.isprintable():
            raise InvalidRequest(
                field, f"The character U+{ord(character):04X} can't be used here. Leave it out."
            )
    return line


def fold(text: str) -> str:
    """Equal for names that count as the same: whatever case, width or spaces they are typed in."""
    once = unicodedata.normalize("NFKC", text[: 10 * MOST_CHARACTERS]).casefold()
    return re.sub(" +", " ", unicodedata.normalize("NFKC", once)).strip(" ")


def _check_letters(name: str) -> None:
    if not any(character.isalnum() for character in name):
        raise InvalidRequest("name", f"“{name}” has no letter and no digit. Add one.")
    mixed = {_script(c) for c in name if c.isalpha()} & _LOOK_ALIKE
    if len(mixed) > 1:
        scripts = " and ".join(sorted(script.title() for script in mixed))
        raise InvalidRequest(
            "name",
            f"This name mixes letters of {scripts}, which look alike. Use those of one script.",
        )


def _is_allowed(character: str, before: str) -> bool:
    if unicodedata.category(character) in _MARKS:
        return _carries_marks(before)
    return (character.isalnum() or character in _SIGNS) and character not in _INVISIBLE


def _carries_marks(before: str) -> bool:
    """Whether one more mark may follow: in scripts that can't do without, and a few only."""
    base = before.rstrip("".join(c for c in before if unicodedata.category(c) in _MARKS))
    is_letter = base[-1:].isalpha() and _script(base[-1]) not in _LOOK_ALIKE
    return is_letter and len(before) - len(base) < MOST_MARKS


def _script(letter: str) -> str:
    """The script of a letter, by the first word of what Unicode calls it."""
    return unicodedata.name(letter, "?").partition(" ")[0]
