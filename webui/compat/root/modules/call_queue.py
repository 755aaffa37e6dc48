"""Functions behind buttons of old tabs, one after the other."""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from modules import errors, shared
from webui.compat.missing import unprovided

queue_lock = threading.RLock()


def wrap_queued_call(func: Callable[..., Any]) -> Callable[..., Any]:
    """The function, of which one call runs at a time."""

    @wraps(func)
    def f(*args: Any, **kwargs: Any) -> Any:
        with queue_lock:
            return func(*args, **kwargs)

    return f


def wrap_gradio_gpu_call(
    func: Callable[..., Any], extra_outputs: list[Any] | None = None
) -> Callable[..., Any]:
    """A button's function that makes pictures: alone at work, and its progress can be seen."""

    @wraps(func)
    def f(*args: Any, **kwargs: Any) -> Any:
        with queue_lock:
            is_inner = bool(shared.state.job)
            if not is_inner:
                shared.state.begin(job=getattr(func, "__name__", "job"))
            try:
                return func(*args, **kwargs)
            finally:
                if not is_inner:
                    shared.state.end()

    return wrap_gradio_call(f, extra_outputs=extra_outputs, add_stats=True)


def wrap_gradio_call(
    func: Callable[..., Any], extra_outputs: list[Any] | None = None, add_stats: bool = False
) -> Callable[..., Any]:
    """A button's function: what it raises becomes words in its last output."""
    return wrap_gradio_call_no_job(func, extra_outputs, add_stats)


def wrap_gradio_call_no_job(
    func: Callable[..., Any], extra_outputs: list[Any] | None = None, add_stats: bool = False
) -> Callable[..., Any]:
    """As `wrap_gradio_call`."""

    @wraps(func)
    def f(*args: Any, extra_outputs_array: list[Any] | None = extra_outputs, **kwargs: Any) -> Any:
        started = time.perf_counter()
        try:
            result = list(func(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - shown to whoever pressed the button
            errors.report("Error completing request", exc_info=True)
            words = html.escape(f"{type(error).__name__}: {error}")
            empty = extra_outputs_array if extra_outputs_array is not None else [None, ""]
            return (*empty, f"<div class='error'>{words}</div>")
        if add_stats and result and isinstance(result[-1], str):
            passed = time.perf_counter() - started
            result[-1] += f"<div class='performance'><p class='time'>{passed:.1f} sec.</p></div>"
        return tuple(result)

    return f


__getattr__ = unprovided(__name__)
