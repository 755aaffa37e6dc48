"""A worker as the studio sees any extension: hooks that are called, parts that were added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

from PIL import Image

from webui.core.errors import ExtensionFailed
from webui.extend.data import Context
from webui.extend.finding import Found
from webui.extend.inputs import Input
from webui.extend.manifest import DeclaredTab, Manifest
from webui.extend.registered import Answer, Page, Preprocessor, Tab
from webui.extend.registration import Hooks, Implementation, check_hook, declared_inputs
from webui.extend.worker.client import Worker, command_of
from webui.extend.worker.environment import python_of


@dataclass(frozen=True, kw_only=True)
class WorkerParts:
    """A running worker and what it has."""

    worker: Worker
    hooks: Hooks
    inputs: tuple[Input, ...]


def start_worker(found: Found) -> WorkerParts:
    """Start the process of an extension. Raises ExtensionFailed."""
    manifest = found.manifest
    python = python_of(manifest.id)
    if manifest.dependencies and python is None:
        raise ExtensionFailed(
            manifest.id,
            f"The packages of “{manifest.name}” are not installed. Install it in the tab "
            "Extensions, which asks before anything is fetched.",
        )
    worker = Worker(manifest.id, command_of(python, found.folder, manifest.id, manifest.entry))
    try:
        hello = worker.start()
        inputs = declared_inputs(manifest.inputs, manifest.id, manifest.name)
        hooks = dict(_hooks(worker, hello, manifest.id, manifest.name))
        hooks |= _tabs(worker, manifest, inputs)
    except BaseException:
        worker.close()
        raise
    return WorkerParts(worker=worker, hooks=hooks, inputs=inputs)


def _hooks(worker: Worker, hello: Mapping[str, Any], id: str, name: str) -> Hooks:
    if hello["refused"]:
        raise ExtensionFailed(
            id,
            f"“{name}” runs in a worker, where the hook “{hello['refused'][0]}” has no place. "
            'Write run = "inprocess" into extension.toml, or leave it out.',
        )
    found = {}
    for hook, taken in hello["hooks"].items():
        check_hook(hook, taken, id, name)
        run = partial(_ask, worker, hook)
        found[hook] = Implementation(run=run, arguments=tuple(taken))
    for hook, rows in hello["adds"].items():
        run = partial(_register, worker, hook, rows)
        found[hook] = Implementation(run=run, arguments=("register",))
    return found


def _tabs(worker: Worker, manifest: Manifest, inputs: tuple[Input, ...]) -> Hooks:
    """The tabs that extension.toml declares, as the hook that would register them."""
    if not manifest.tabs:
        return {}

    def register_tabs(register: Any, ctx: Context) -> None:
        def answer(tab: str, picture: Image.Image | None, values: SimpleNamespace) -> Any:
            given = {"tab": tab, "picture": picture, "inputs": values}
            return worker.ask("tab_run", given, ctx)

        for declared in manifest.tabs:
            build = partial(_draw, declared, inputs, answer)
            register(Tab(title=declared.title, build=build))

    return {"register_tabs": Implementation(run=register_tabs, arguments=("register", "ctx"))}


def _draw(declared: DeclaredTab, inputs: Sequence[Input], answer: Answer, page: Page) -> None:
    shown = [each for each in inputs if each.id in declared.inputs]
    page.draw_declared(declared, shown, answer)


def _ask(worker: Worker, hook: str, **given: Any) -> Any:
    ctx = given.pop("ctx", None)
    return worker.ask(hook, given, ctx)


def _register(
    worker: Worker, hook: str, rows: Sequence[Mapping[str, Any]], *, register: Any
) -> None:
    """Hand the studio a descriptor for each, whose function asks the worker."""
    from webui.upscalers import Upscaler

    for row in rows:

        def run(*arguments: Any, key: str = row["key"]) -> Any:
            return worker.ask(key, {"arguments": list(arguments)})

        id, label = row["id"], row["label"]
        if hook == "register_preprocessors":
            inputs = tuple(row["inputs"])
            register(Preprocessor(id=id, label=label, run=run, inputs=inputs))
        else:
            register(Upscaler(id=id, label=label, enlarge=run))
