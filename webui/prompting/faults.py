"""What is wrong or doubtful in a prompt, and at which character. Positions count from 0 inside the
program and from 1 in messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from webui.core.errors import InvalidRequest

EXCERPT_CHARACTERS: Final = 30

PROMPT: Final = "prompt"
NEGATIVE_PROMPT: Final = "negative_prompt"


@dataclass(frozen=True, kw_only=True)
class Remark:
    """Something that is understood, but perhaps not as it was meant."""

    position: int
    message: str


class WrongPrompt(InvalidRequest):
    """A prompt that can't be carried out, and where in it."""

    def __init__(self, field: str, message: str, position: int) -> None:
        super().__init__(field, message)
        self.position = position


def refusal(text: str, position: int, what: str, way_out: str, field: str = PROMPT) -> WrongPrompt:
    """The error for a place in a prompt: "The weight 500 at character 7 (“cat:500) in”) ..."."""
    where = f"{what} at character {position + 1} (“{excerpt(text, position)}”)"
    return WrongPrompt(field, f"{where}. {way_out}", position)


def excerpt(text: str, position: int) -> str:
    """The text from `position` on, on one line and short enough for a message."""
    piece = " ".join(text[position : position + EXCERPT_CHARACTERS].split())
    return piece + "…" if position + EXCERPT_CHARACTERS < len(text) else piece
