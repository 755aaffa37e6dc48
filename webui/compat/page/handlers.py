"""Event handlers of old scripts: what they give back, in the words of Gradio 6."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any

from gradio.blocks import Block

from webui.compat.page.arguments import update_arguments

Function = Callable[..., Any]
Within = Callable[[], AbstractContextManager[None]]


def translated(fn: Function, within: Within) -> Function:
    """A handler that runs `within`, and whose updates are understood. It keeps its signature, by
    which Gradio tells what it wants."""
    if inspect.isgeneratorfunction(fn):
        return _generator(fn, within)
    if inspect.isasyncgenfunction(fn):
        return _async_generator(fn, within)
    if inspect.iscoroutinefunction(fn):
        return _coroutine(fn, within)

    @wraps(fn)
    def handle(*values: Any, **more: Any) -> Any:
        with within():
            return understood(fn(*values, **more))

    return handle


def understood(answer: Any) -> Any:
    """An answer of a handler with the updates in it translated."""
    if isinstance(answer, tuple):
        return tuple(map(understood, answer))
    if isinstance(answer, list):
        return [understood(each) if _is_update(each) else each for each in answer]
    if _is_update(answer):
        return {**update_arguments(answer), "__type__": "update"}
    if isinstance(answer, dict) and answer and all(isinstance(key, Block) for key in answer):
        return {part: understood(each) for part, each in answer.items()}
    return answer


def _is_update(answer: Any) -> bool:
    return isinstance(answer, dict) and answer.get("__type__") == "update"


def _generator(fn: Function, within: Within) -> Function:
    @wraps(fn)
    def handle(*values: Any, **more: Any) -> Iterator[Any]:
        with within():
            answers = fn(*values, **more)
        while True:
            with within():
                try:
                    answer = understood(next(answers))
                except StopIteration:
                    return
            yield answer

    return handle


def _coroutine(fn: Function, within: Within) -> Function:
    @wraps(fn)
    async def handle(*values: Any, **more: Any) -> Any:
        with within():
            return understood(await fn(*values, **more))

    return handle


def _async_generator(fn: Function, within: Within) -> Function:
    @wraps(fn)
    async def handle(*values: Any, **more: Any) -> AsyncIterator[Any]:
        answers = fn(*values, **more)
        while True:
            with within():
                try:
                    answer = understood(await anext(answers))
                except StopAsyncIteration:
                    return
            yield answer

    return handle
