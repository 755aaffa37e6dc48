"""Event handlers of old scripts: what they give back, in the words of Gradio 6."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Sequence, Set
from contextlib import AbstractContextManager
from functools import partial, wraps
from itertools import zip_longest
from typing import Any

from gradio.blocks import Block

from webui.compat.gradio3.arguments import update_arguments
from webui.compat.gradio3.lending import May, lent

Function = Callable[..., Any]
Within = Callable[[], AbstractContextManager[None]]


def translated(
    fn: Function, within: Within, outputs: Any = None, may: May = lambda path: False
) -> Function:
    """A handler that runs `within`, and whose updates of `outputs` are understood; files are shown
    that it `may`. It keeps its signature, by which Gradio tells what it wants."""
    read = partial(understood, parts=_listed(outputs), may=may)
    if inspect.isgeneratorfunction(fn):
        return _generator(fn, within, read)
    if inspect.isasyncgenfunction(fn):
        return _async_generator(fn, within, read)
    if inspect.iscoroutinefunction(fn):
        return _coroutine(fn, within, read)

    @wraps(fn)
    def handle(*values: Any, **more: Any) -> Any:
        with within():
            return read(fn(*values, **more))

    return handle


def understood(answer: Any, parts: Sequence[Any] = (), may: May = lambda path: False) -> Any:
    """An answer of a handler for these parts, with the updates in it translated."""
    if isinstance(answer, tuple | list) and len(parts) != 1:
        told = [_one(*pair, may) for pair in zip_longest(answer, parts[: len(answer)])]
        return told if isinstance(answer, list) else tuple(told)
    if isinstance(answer, dict) and answer and all(isinstance(key, Block) for key in answer):
        return {part: _one(each, part, may) for part, each in answer.items()}
    return _one(answer, parts[0] if parts else None, may)


def _one(answer: Any, part: Any, may: May) -> Any:
    if not _is_update(answer):
        return lent(answer, part, may)
    told = {**update_arguments(answer, part), "__type__": "update"}
    return {**told, "value": lent(told["value"], part, may)} if "value" in told else told


def _listed(outputs: Any) -> Sequence[Any]:
    if isinstance(outputs, Set):
        return sorted(outputs, key=lambda part: part._id)
    if isinstance(outputs, Sequence):
        return list(outputs)
    return [] if outputs is None else [outputs]


def _is_update(answer: Any) -> bool:
    return isinstance(answer, dict) and answer.get("__type__") == "update"


def _generator(fn: Function, within: Within, read: Function) -> Function:
    @wraps(fn)
    def handle(*values: Any, **more: Any) -> Iterator[Any]:
        with within():
            answers = fn(*values, **more)
        while True:
            with within():
                try:
                    answer = read(next(answers))
                except StopIteration:
                    return
            yield answer

    return handle


def _coroutine(fn: Function, within: Within, read: Function) -> Function:
    @wraps(fn)
    async def handle(*values: Any, **more: Any) -> Any:
        with within():
            return read(await fn(*values, **more))

    return handle


def _async_generator(fn: Function, within: Within, read: Function) -> Function:
    @wraps(fn)
    async def handle(*values: Any, **more: Any) -> AsyncIterator[Any]:
        answers = fn(*values, **more)
        while True:
            with within():
                try:
                    answer = read(await anext(answers))
                except StopAsyncIteration:
                    return
            yield answer

    return handle
