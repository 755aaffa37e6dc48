"""Who may press what an old script drew. Gradio's events reach anyone who has the page."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from functools import wraps
from typing import Any

import gradio as gr

from webui.core.errors import NotPermitted
from webui.core.person import Role
from webui.ui.caller import must_be

Function = Callable[..., Any]


def for_role(role: Callable[[], Role]) -> Callable[[Function], Function]:
    """Puts a check before handlers: whoever has not at least this role is told so."""

    def check() -> None:
        try:
            must_be(role())
        except NotPermitted as error:
            raise gr.Error(str(error)) from error

    return lambda fn: _checked(fn, check)


def _checked(fn: Function, check: Callable[[], None]) -> Function:
    if inspect.isgeneratorfunction(fn):

        @wraps(fn)
        def generate(*values: Any, **more: Any) -> Iterator[Any]:
            check()
            yield from fn(*values, **more)

        return generate
    if inspect.isasyncgenfunction(fn):

        @wraps(fn)
        async def generate_async(*values: Any, **more: Any) -> AsyncIterator[Any]:
            check()
            async for each in fn(*values, **more):
                yield each

        return generate_async
    if inspect.iscoroutinefunction(fn):

        @wraps(fn)
        async def wait(*values: Any, **more: Any) -> Any:
            check()
            return await fn(*values, **more)

        return wait

    @wraps(fn)
    def handle(*values: Any, **more: Any) -> Any:
        check()
        return fn(*values, **more)

    return handle
