"""docs/extensions/hooks.md, written from the hooks' own descriptions.

python -m webui.doctor.reference > docs/extensions/hooks.md
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Iterator
from typing import Any, Final

from webui.extend import data, inputs, registered, steps
from webui.extend.hookspecs import EngineHooks, WebHooks

OPENING: Final = """\
# All hooks
A hook is a function of your extension, marked with `@hook` and named as one of these. It takes the
arguments that it wants, by name, in any order. Giving back nothing changes nothing. What it raises
ends there: the input goes on unchanged, your extension is left out for the rest of the job, and the
owner sees the traceback; `StopJob("why")` ends the job on purpose. Written from the source by
`python -m webui.doctor.reference`.
"""
SECTIONS: Final = (
    (
        "In the server",
        "In `__init__.py`, or in the single file of a script. Never import torch here: the page "
        "must answer before it is loaded.",
        WebHooks,
    ),
    ("In the engine", "In `engine.py`, where the models are. Torch may be imported.", EngineHooks),
)
TYPES: Final = (
    ("Inputs", inputs),
    ("What hooks are given", data),
    ("What engine hooks are given", steps),
    ("What extensions add", registered),
)


def page() -> str:
    """The whole page."""
    parts = [OPENING]
    for title, opening, specs in SECTIONS:
        parts += [f"## {title}\n{opening}\n", *_hooks(specs)]
    for title, module in TYPES:
        parts += [f"## {title}\n", *_types(module)]
    return "\n".join(parts).rstrip() + "\n"


def _hooks(specs: type) -> Iterator[str]:
    for name, function in vars(specs).items():
        if not name.startswith("_"):
            arguments = list(inspect.signature(function).parameters)[1:]
            yield f"### {name}({', '.join(arguments)})\n{_words(function)}\n"


def _types(module: Any) -> Iterator[str]:
    for name, kind in vars(module).items():
        is_own = isinstance(kind, type) and kind.__module__ == module.__name__
        if is_own and dataclasses.is_dataclass(kind):
            yield f"### {name}\n{_words(kind)}\n\n" + "".join(_fields(kind))


def _fields(kind: Any) -> Iterator[str]:
    for field in dataclasses.fields(kind):
        yield f"- `{field.name}`: {field.type}{_default(field)}\n"


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING or callable(field.default):
        return ""
    value = field.default
    return f", {tuple(map(str, value))}" if isinstance(value, tuple) and value else f", {value!r}"


def _words(documented: Any) -> str:
    return inspect.cleandoc(documented.__doc__ or "")


if __name__ == "__main__":
    sys.stdout.write(page())
