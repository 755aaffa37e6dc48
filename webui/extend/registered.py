"""What extensions add to the studio: descriptors with a function each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol

from PIL import Image

from webui.core.person import Role
from webui.core.request import GenerationRequest, Mode
from webui.extend.inputs import Input
from webui.extend.manifest import DeclaredTab

Answer = Callable[[str, Image.Image | None, SimpleNamespace], Any]
"""What the button of a declared tab asks: the tab's id, the picture, the values of its inputs."""


class Page(Protocol):
    """What an extension may do with the page while it is being drawn. Gradio components are used
    as they are."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The extension's own settings."""
        ...

    def draw_declared(self, tab: DeclaredTab, inputs: Sequence[Input], answer: Answer) -> None:
        """Draw a tab that extension.toml declares: picture, controls, button, result."""
        ...

    def send(self, image: Any, mode: Mode) -> None:
        """Wire a gr.Image or gr.Gallery with a button that sends its picture to a tab."""
        ...


@dataclass(frozen=True, kw_only=True)
class Tab:
    """A tab of the page. `build(page)` draws it with Gradio; `role`: who sees it and may press
    its buttons."""

    title: str
    build: Callable[[Page], None]
    role: Role = Role.ARTIST


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """`build(page)` draws before or after the part of the page with the id `anchor`."""

    anchor: str
    build: Callable[[Page], None]
    is_before: bool = False


@dataclass(frozen=True, kw_only=True)
class Routes:
    """A FastAPI APIRouter, served below /ext/<id>/ to whoever has at least this role."""

    router: Any
    role: Role = Role.OWNER


@dataclass(frozen=True, kw_only=True)
class Axis:
    """An axis of an X/Y/Z plot: `apply` makes the request of one value."""

    label: str
    apply: Callable[[GenerationRequest, Any], GenerationRequest]
    read: Callable[[str], Any] = str
    """From what was typed to the value. Raises InvalidRequest."""
    choices: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Preprocessor:
    """Makes a guiding picture out of a picture."""

    id: str
    label: str
    run: Callable[[Image.Image, Mapping[str, Any]], Image.Image]
    inputs: Sequence[Input] = ()


@dataclass(frozen=True, kw_only=True)
class TextToken:
    """A tag in prompts: `<name:...>`. `apply` is given the request and the arguments of each tag,
    which are taken out of the prompt, and gives back the request to go on with."""

    name: str
    apply: Callable[[GenerationRequest, Sequence[Sequence[str]]], GenerationRequest]
    help: str = ""
