"""Lets extensions draw parts of the page: what one raises leaves out its part, never the page.

Its events are guarded as well: each asks whether who pressed it may, and names the extension when
it fails.
"""

from __future__ import annotations

import functools
import inspect
import logging
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final, cast

import gradio as gr
from gradio.context import Context

from webui.core.errors import ExtensionFailed, NotPermitted
from webui.core.person import Role
from webui.extend.extensions import Extensions
from webui.ui.caller import must_be

log = logging.getLogger(__name__)

Handler = Callable[..., Any]


class Guard:
    """Draws for one page. An extension that failed once draws nothing more on it: three parts of a
    page are one failure."""

    def __init__(self, extensions: Extensions) -> None:
        self._extensions: Final = extensions
        self._failed: set[str] = set()

    def draw(self, id: str, hook: str, draw: Callable[[], object], role: Role) -> bool:
        """Let `draw` draw where the page is being drawn; its events are for `role`. False if
        nothing of it is there, because it failed now or before."""
        if id in self._failed:
            return False
        begun, undo = time.perf_counter(), _undoing()
        root = Context.root_block
        before = set(root.fns) if root is not None else set()
        try:
            draw()
        except ExtensionFailed:  # booked where it was called
            self._give_up(id, undo)
            return False
        except (Exception, SystemExit):  # noqa: BLE001 - a border: whatever it raises, the page stands
            self._give_up(id, undo)
            told = traceback.format_exc()
            log.warning("“%s” failed at %s and is left out.\n%s", id, hook, told)
            self._extensions.report(id, hook, told, time.perf_counter() - begun)
            return False
        for number, function in (root.fns if root is not None else {}).items():
            if number not in before and function.fn is not None:
                function.fn = for_role(function.fn, role, id)
        return True

    def _give_up(self, id: str, undo: Callable[[], None]) -> None:
        self._failed.add(id)
        undo()


def _undoing() -> Callable[[], None]:
    """What takes away all that is drawn from now on."""
    root, place = Context.root_block, Context.block
    if root is None or place is None:
        return lambda: None
    children = list(place.children)
    blocks, functions = dict(root.default_config.blocks), dict(root.default_config.fns)

    def undo() -> None:
        Context.root_block, Context.block = root, place
        place.children = children
        root.default_config.blocks = blocks
        root.default_config.fns = functions

    return undo


def for_role(handler: Handler, role: Role, id: str) -> Handler:
    """The handler of an event, for people of at least this role. It stays what it was for Gradio:
    a function or a generator, waited for or not."""
    wrap = next((wrap for is_such, wrap in _KINDS if is_such(handler)), _plain)
    wrapped: Handler = functools.wraps(handler)(wrap(handler, role, id))
    return wrapped


def _enter(role: Role) -> None:
    try:
        must_be(role)
    except NotPermitted as error:
        raise gr.Error(str(error)) from error


def _failure(error: Exception, id: str) -> Exception:
    if isinstance(error, gr.Error):
        return cast("Exception", error)
    log.error("“%s” failed at an event of the page.", id, exc_info=error)
    told: Exception = gr.Error(f"The extension “{id}” failed at this. The terminal says why.")
    return told


def _plain(handler: Handler, role: Role, id: str) -> Handler:
    def run(*values: Any, **more: Any) -> Any:
        _enter(role)
        try:
            return handler(*values, **more)
        except Exception as error:
            raise _failure(error, id) from error

    return run


def _generator(handler: Handler, role: Role, id: str) -> Handler:
    def run(*values: Any, **more: Any) -> Iterator[Any]:
        _enter(role)
        try:
            yield from handler(*values, **more)
        except Exception as error:
            raise _failure(error, id) from error

    return run


def _coroutine(handler: Handler, role: Role, id: str) -> Handler:
    async def run(*values: Any, **more: Any) -> Any:
        _enter(role)
        try:
            return await handler(*values, **more)
        except Exception as error:
            raise _failure(error, id) from error

    return run


def _async_generator(handler: Handler, role: Role, id: str) -> Handler:
    async def run(*values: Any, **more: Any) -> AsyncIterator[Any]:
        _enter(role)
        try:
            async for value in handler(*values, **more):
                yield value
        except Exception as error:
            raise _failure(error, id) from error

    return run


_KINDS: Final = (
    (inspect.isasyncgenfunction, _async_generator),
    (inspect.iscoroutinefunction, _coroutine),
    (inspect.isgeneratorfunction, _generator),
)
