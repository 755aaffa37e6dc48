"""What an extension lets people set: declared once, used everywhere.

From one list come the controls on the page, the fields of the API, the words in the picture's
text and their way back, the axes of an X/Y/Z plot and the checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

from webui.core.errors import InvalidRequest
from webui.core.request import Mode

PICTURE_TABS = (Mode.TXT2IMG, Mode.IMG2IMG, Mode.INPAINT)


@dataclass(frozen=True)
class Input:
    """One value. `id` is what hooks call it (`inputs.strength`); lower case, digits, underscores.

    `infotext` is its key in the picture's text, by default the extension's name and the label.
    `show_if` names a Toggle of the same extension that must be on for the control to be seen.
    """

    kind: ClassVar[str]

    id: str
    label: str
    default: Any = None
    help: str = ""
    infotext: str = ""
    show_if: str = ""
    tabs: tuple[Mode, ...] = PICTURE_TABS

    def check(self, value: Any, field: str) -> Any:
        """The value, if this input may have it. Raises InvalidRequest for `field`."""
        return value


@dataclass(frozen=True)
class Toggle(Input):
    """On or off. One with the id "enabled" decides whether the extension's hooks for jobs run."""

    kind: ClassVar[str] = "toggle"
    default: bool = False

    def check(self, value: Any, field: str) -> bool:
        """True or False."""
        if not isinstance(value, bool):
            raise InvalidRequest(field, f"{self.label} is on or off, not “{value}”.")
        return value


@dataclass(frozen=True)
class Slider(Input):
    """A number from `low` to `high`; whole numbers where low, high and step are whole."""

    kind: ClassVar[str] = "slider"
    default: float = 0.0
    low: float = 0.0
    high: float = 1.0
    step: float = 0.01

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return all(float(part).is_integer() for part in (self.low, self.high, self.step))

    def check(self, value: Any, field: str) -> float:
        """A number in the range."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidRequest(field, f"{self.label} is a number, not “{value}”.")
        if not self.low <= value <= self.high:
            raise InvalidRequest(
                field,
                f"{self.label} {value:g} is not between {self.low:g} and {self.high:g}. "
                "Choose a value in between.",
            )
        return int(value) if self.is_whole and float(value).is_integer() else value


@dataclass(frozen=True)
class Text(Input):
    """Words; a box of so many lines."""

    kind: ClassVar[str] = "text"
    default: str = ""
    lines: int = 1
    longest: int = 20_000

    def check(self, value: Any, field: str) -> str:
        """A text that is not too long."""
        if not isinstance(value, str) or len(value) > self.longest:
            raise InvalidRequest(
                field, f"{self.label} is a text of at most {self.longest} characters. Shorten it."
            )
        return value


@dataclass(frozen=True)
class Choice(Input):
    """One of several texts."""

    kind: ClassVar[str] = "choice"
    default: str = ""
    choices: Sequence[str] = ()

    def check(self, value: Any, field: str) -> str:
        """One of the choices."""
        if value not in self.choices:
            raise InvalidRequest(
                field,
                f"{self.label} can't be “{value}”. Choose one of: {', '.join(self.choices)}.",
            )
        return str(value)


def checked(inputs: Sequence[Input], values: Mapping[str, Any], field: str) -> dict[str, Any]:
    """A value for each input: those given, and defaults. Raises InvalidRequest that names the one
    at fault below `field`."""
    known = {each.id: each for each in inputs}
    for id in values:
        if id not in known:
            names = ", ".join(known) or "none"
            raise InvalidRequest(f"{field}.{id}", f"There is no input “{id}”. There are: {names}.")
    return {
        id: each.check(values[id], f"{field}.{id}") if id in values else each.default
        for id, each in known.items()
    }


def named(values: Mapping[str, Any]) -> SimpleNamespace:
    """What a hook gets as `inputs`: the values as attributes."""
    return SimpleNamespace(**values)
