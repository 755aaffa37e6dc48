"""What the studio and the page ask of scripts written for AUTOMATIC1111.

`webui.compat.page.host` answers; it is loaded by name, and only when such an extension is on. It
imports Gradio and the scripts' own code, so nothing of it is imported here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol

from webui.core.engine import Legacy
from webui.core.errors import InvalidRequest
from webui.core.job import PersonId
from webui.core.person import Role
from webui.core.recipe import Recipe
from webui.core.request import GenerationRequest, InputId, Mode
from webui.extend.inputs import Input
from webui.extend.registered import Tab

HOST: Final = "webui.compat.page.host:open_host"
"""The factory of a LegacyHost: a function of the Studio."""

PACKED: Final = "$a1111"
"""The key by which a packed value is told from an author's own mapping."""
PICTURES: Final = ("pil", "numpy")
"""What a packed picture is for the script that gets it."""
LONGEST_VALUE: Final = 1_000_000
"""Characters of one control's value, written down."""


@dataclass(frozen=True)
class LegacyInput(Input):
    """A control of an old script: any plain data, as its author checked nothing either."""

    kind: ClassVar[str] = "legacy"

    def check(self, value: Any, field: str) -> Any:
        """Text, number, truth, nothing, or lists and mappings of them."""
        if not _is_plain(value):
            raise InvalidRequest(
                field,
                f"{self.label} can't take a {type(value).__name__}. Give text, numbers or lists.",
            )
        if len(repr(value)) > LONGEST_VALUE:
            raise InvalidRequest(
                field, f"{self.label} has more than {LONGEST_VALUE} characters. Give less."
            )
        return value


@dataclass(frozen=True, kw_only=True)
class LegacyPart:
    """One script of an extension, in the tabs where it shows itself."""

    id: str
    """"<extension>/<file's name without .py>", lower case, without dots."""
    extension: str
    title: str
    modes: tuple[Mode, ...]
    inputs: tuple[LegacyInput, ...]
    """In the order of the script's arguments."""
    is_always: bool
    """Takes part in every job of its tabs; the others only when they are chosen as the script."""


@dataclass(frozen=True, kw_only=True)
class LegacyTab(Tab):
    """A tab of an old extension. Drawn with the elem_id "tab_<id>"; `build` checks roles itself."""

    id: str
    extension: str


class Controls(Protocol):
    """A tab's form, as webui.ui.form has it."""

    def bind(self, path: str, *components: Any, **how: Any) -> None:
        """Let components hold a field of the request."""
        ...

    def component(self, path: str) -> Any:
        """The control that holds a field; None if there is none."""
        ...


class LegacyHost(Protocol):
    """Old scripts in the server's process: their controls, tabs, settings, routes and files."""

    def load(self, folders: Mapping[str, Path]) -> Mapping[str, str]:
        """Load the extensions, by id, in this order; tracebacks of those that failed. What was
        loaded before is unloaded first."""
        ...

    def unload(self) -> None:
        """Call their last callbacks and forget them."""
        ...

    def parts(self) -> Sequence[LegacyPart]:
        """All scripts. Draws their controls once, out of sight, to know them."""
        ...

    def work(self, request: GenerationRequest, recipe: Recipe, person: PersonId) -> Legacy | None:
        """What the engine is told of them for one batch; None if none takes part."""
        ...

    def pasted(self, text: str, fields: Mapping[str, str]) -> dict[str, str]:
        """The fields of a picture's text, after the scripts looked at them."""
        ...

    def building(self) -> AbstractContextManager[None]:
        """Around the drawing of the whole page: scripts are told of its components."""
        ...

    def draw(self, mode: Mode, form: Controls) -> None:
        """Draw the scripts' groups where a picture tab wants them, and bind their controls to
        `extensions.<part>.<input>`. Those that can be chosen show theirs while they are; without a
        control for `script` the list is drawn, too."""
        ...

    def tabs(self) -> Sequence[LegacyTab]:
        """Their tabs, built anew with each page."""
        ...

    def draw_settings(self) -> None:
        """Draw the options that they added to the settings, a group for each section."""
        ...

    def set_role(self, extension: str, role: Role) -> None:
        """Let this role use an extension's tabs and routes, which are the owner's at first. Routes
        follow with the next page."""
        ...

    def head(self) -> str:
        """Tags for the page's head that load the bridge, their scripts and their styles."""
        ...

    def attach(self, app: Any, blocks: Any) -> None:
        """Tell them of the finished page, and put their routes into `app` (FastAPI), those of an
        earlier call taken out."""
        ...


def pictures_in(value: Any) -> tuple[InputId, ...]:
    """The pictures that a control's value names, as webui.compat.values packs them."""
    if isinstance(value, Mapping):
        own = (InputId(str(value.get("id"))),) if value.get(PACKED) in PICTURES else ()
        return (*own, *(id for each in value.values() for id in pictures_in(each)))
    if isinstance(value, list | tuple):
        return tuple(id for each in value for id in pictures_in(each))
    return ()


def legacy_of(studio: Any) -> Callable[[], LegacyHost]:
    """Makes the host of a studio once it is wanted."""
    name, _, factory = HOST.partition(":")

    def open_host() -> LegacyHost:
        host: LegacyHost = getattr(importlib.import_module(name), factory)(studio)
        return host

    return open_host


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(each) for each in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(each) for key, each in value.items())
    return value is None or isinstance(value, str | int | float | bool)
