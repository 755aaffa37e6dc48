"""Gradio as code written for versions 3 and 4 knows it, for such code only.

    with adapting():
        script.ui(False)

While anyone holds it, Gradio's constructors and events are replaced by ones that ask whether the
code of this thread (or task) is an old script's; for all others they are what they were. When the
last one lets go, Gradio is as it was found.

Usable without a page, too: the engine builds scripts' controls to learn their arguments.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Final, Protocol

import gradio as gr
import gradio.component_meta
import gradio.events
import gradio.helpers
from gradio.blocks import Block, Blocks

from webui.compat.gradio3.arguments import (
    LEGACY_CLASS,
    component_arguments,
    event_arguments,
    update_arguments,
)
from webui.compat.gradio3.handlers import translated
from webui.compat.gradio3.lending import May
from webui.compat.gradio3.removed import removed_names

Function = Callable[..., Any]


class Watcher(Protocol):
    """Is told of every part of the page that is made."""

    def before(self, part: Block, arguments: dict[str, Any]) -> None:
        """A part is about to be made with these arguments; it has none of them yet."""
        ...

    def after(self, part: Block, arguments: dict[str, Any]) -> None:
        """It is made."""
        ...


def _unchanged(function: Function) -> Function:
    return function


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the code of this thread is read. `handler` is put around its event handlers, which give
    the page files that they `may`."""

    is_old: bool = False
    watcher: Watcher | None = None
    handler: Callable[[Function], Function] = _unchanged
    may: May = lambda path: False


_NEW: Final = Reading()
_reading: Final[ContextVar[Reading]] = ContextVar("reading")


@contextmanager
def adapting(
    handler: Callable[[Function], Function] = _unchanged, may: May = lambda path: False
) -> Iterator[None]:
    """Within, this thread's calls of Gradio mean what they did in versions 3 and 4."""
    now = _reading.get(_NEW)
    reading = Reading(is_old=True, watcher=now.watcher, handler=handler, may=may)
    with PATCHES.held(), _as(reading):
        yield


@contextmanager
def watching(watcher: Watcher | None) -> Iterator[None]:
    """Within, `watcher` is told of every part that this thread makes, whoever wants it."""
    now = _reading.get(_NEW)
    with PATCHES.held(), _as(replace(now, watcher=watcher)):
        yield


@contextmanager
def _as(reading: Reading) -> Iterator[None]:
    token = _reading.set(reading)
    try:
        yield
    finally:
        _reading.reset(token)


class Patches:
    """What is replaced in Gradio while somebody holds it."""

    def __init__(self) -> None:
        self._lock: Final = threading.RLock()
        self._holders = 0
        self._undo: list[tuple[Any, str, Any]] = []

    @contextmanager
    def held(self) -> Iterator[None]:
        """In place within; nested and from several threads."""
        self.take()
        try:
            yield
        finally:
            self.let_go()

    def take(self) -> None:
        """Put the replacements in place, if nobody holds them yet."""
        with self._lock:
            self._holders += 1
            if self._holders == 1:
                self._install()

    def let_go(self) -> None:
        """Put back what was there, if nobody else holds them."""
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                while self._undo:
                    self._restore(*self._undo.pop())

    def _install(self) -> None:
        for cls in _block_classes():
            if "__init__" in vars(cls):
                self._replace(cls, "__init__", _constructor(cls))
            for event in vars(cls).get("EVENTS", ()):
                self._replace(cls, str(event), _event(getattr(cls, str(event))))
        self._replace(Blocks, "load", _event(Blocks.load))
        self._replace(gradio.events.Dependency, "__init__", _dependency())
        for module in (gr, gradio.events):
            self._replace(module, "on", _event(gradio.events.on))
        for module in (gr, gradio.helpers):
            self._replace(module, "update", _update(gradio.helpers.update))
        self._replace(gradio.component_meta.ComponentMeta, "__call__", _maker())
        self._replace(gradio.component_meta, "create_or_modify_pyi", _stubs())
        self._replace(Block, "get_config", _config())
        self._replace(Block, "get_block_class", _class_name())
        for cls in (gr.Dropdown, gr.Radio, gr.CheckboxGroup):
            self._replace(cls, "preprocess", _lenient(cls))
        for owner, name, value in removed_names():
            if not hasattr(owner, name):
                self._replace(owner, name, value)

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        self._undo.append((owner, name, vars(owner).get(name, _ABSENT)))
        setattr(owner, name, value)

    def _restore(self, owner: Any, name: str, old: Any) -> None:
        if old is _ABSENT:
            delattr(owner, name)
        else:
            setattr(owner, name, old)


_ABSENT: Final = object()
PATCHES: Final = Patches()
"""There is one Gradio in a process, so there is one of these."""


def _block_classes() -> Iterator[type[Block]]:
    """Gradio's own kinds of parts, not those that anybody derived from them."""
    waiting, seen = [Block], set()
    while waiting:
        cls = waiting.pop()
        if cls in seen or not cls.__module__.startswith("gradio."):
            continue
        seen.add(cls)
        waiting += cls.__subclasses__()
        yield cls


def _constructor(cls: type[Block]) -> Function:
    made = vars(cls)["__init__"]
    parameters = inspect.signature(made).parameters
    names = [name for name in parameters if name != "self"]
    is_open = any(each.kind is each.VAR_KEYWORD for each in parameters.values())

    @wraps(made)
    def construct(self: Block, *values: Any, **more: Any) -> None:
        if not _reading.get(_NEW).is_old or getattr(self, "_is_initialized", False):
            made(self, *values, **more)
            return
        given = {**dict(zip(names, values, strict=False)), **more}
        known = {*names, *given} if is_open else names
        made(self, **component_arguments(cls, given, known))

    return construct


def _event(wired: Function) -> Function:
    known = [*inspect.signature(wired).parameters]

    @wraps(wired)
    def wire(*values: Any, **more: Any) -> Any:
        reading = _reading.get(_NEW)
        if not reading.is_old:
            return wired(*values, **more)
        given = {**dict(zip(known, values, strict=False)), **more}
        if callable(given.get("fn")):
            fn = reading.handler(given["fn"])
            given["fn"] = translated(fn, adapting, given.get("outputs"), reading.may)
        return wired(**event_arguments(given, known))

    return wire


def _dependency() -> Function:
    made = vars(gradio.events.Dependency)["__init__"]

    @wraps(made)
    def construct(self: Any, *values: Any, **more: Any) -> None:
        made(self, *values, **more)
        if _reading.get(_NEW).is_old:
            for name in ("then", "success", "failure"):
                setattr(self, name, _event(getattr(self, name)))

    return construct


def _update(update: Function) -> Function:
    @wraps(update)
    def change(*values: Any, **more: Any) -> Any:
        if not _reading.get(_NEW).is_old:
            return update(*values, **more)
        if values:  # in version 3 the value came first
            more.setdefault("value", values[0])
        return update(**update_arguments(more))

    return change


def _maker() -> Function:
    def make(cls: Any, *values: Any, **more: Any) -> Any:
        reading = _reading.get(_NEW)
        if reading.is_old:
            cls = stand_in(cls, more)
            values, more = _named(cls, values, more)
        if reading.watcher is None:
            return type.__call__(cls, *values, **more)
        part = cls.__new__(cls)
        reading.watcher.before(part, more)
        part.__init__(*values, **more)
        reading.watcher.after(part, more)
        return part

    return make


def _named(
    cls: Any, values: tuple[Any, ...], more: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments of a class that a script derived with a constructor of *args, by name: what
    Gradio puts around constructors loses the others."""
    if not values or cls.__module__.startswith("gradio."):
        return values, more
    parameters = inspect.signature(cls.__init__).parameters.values()
    if not any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return values, more
    kind = next(each for each in cls.__mro__ if each.__module__.startswith("gradio."))
    own = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD][1:]
    theirs = [*inspect.signature(kind.__init__).parameters][1:]
    names = [*own, *(name for name in theirs if name not in own)]
    return (), {**dict(zip(names, values, strict=False)), **more}


def stand_in(cls: type, arguments: dict[str, Any]) -> type:
    """The class that does today what `cls` did with these arguments."""
    from webui.compat.gradio3.sketch import SketchImage, is_sketch

    return SketchImage if cls is gr.Image and is_sketch(arguments) else cls


def _stubs() -> Function:
    written = gradio.component_meta.create_or_modify_pyi

    @wraps(written)
    def write(*values: Any, **more: Any) -> None:
        if not _reading.get(_NEW).is_old:  # nothing is written into an extension's folder
            written(*values, **more)

    return write


def _config() -> Function:
    read: Function = Block.get_config

    @wraps(read)
    def get_config(self: Block, cls: type[Block] | None = None) -> dict[str, Any]:
        # Gradio tells a part's properties by its constructor's arguments, and those of classes
        # that scripts derive are often only *args and **kwargs.
        told: dict[str, Any] = read(self, cls or (_own_kind(self) if is_old(self) else None))
        return told

    return get_config


def _class_name() -> Function:
    read = Block.get_block_class

    @wraps(read)
    def get_block_class(self: Block) -> str:
        return _own_kind(self).__name__.lower() if is_old(self) else read(self)

    return get_block_class


def is_old(part: Block) -> bool:
    """Whether an old script made it."""
    return LEGACY_CLASS in getattr(part, "elem_classes", ())


def _own_kind(part: Block) -> type[Block]:
    """The kind of Gradio's that a script's class was derived from."""
    kinds = (each for each in type(part).__mro__ if each.__module__.startswith("gradio."))
    return next(kind for kind in kinds if issubclass(kind, Block) and "__init__" in vars(kind))


def _lenient(cls: type) -> Function:
    read: Function = vars(cls)["preprocess"]

    @wraps(read)
    def preprocess(self: Any, payload: Any) -> Any:
        if not is_old(self):
            return read(self, payload)
        values = [value for _, value in self.choices]
        if self.type != "index":
            return payload
        if isinstance(payload, list):
            return [values.index(each) for each in payload if each in values]
        return values.index(payload) if payload in values else None

    return preprocess
