"""An extension whose code is in memory, and how it comes there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from webui.core.errors import ExtensionFailed
from webui.core.request import Mode
from webui.extend.finding import Found
from webui.extend.hookspecs import ENGINE_HOOKS
from webui.extend.inputs import Input
from webui.extend.loading import drop, load_file, load_folder, load_package, stamp_of
from webui.extend.manifest import Kind, RunMode
from webui.extend.packages import use_packages
from webui.extend.registration import Hooks, check_hook, hooks_of, inputs_of
from webui.extend.telling import told
from webui.extend.worker.client import Worker
from webui.extend.worker.parts import start_worker

ENABLED: Final = "enabled"
"""The id of the input that says whether an extension takes part."""
WATCHING: Final = frozenset({"image_save_after", "job_end"})
"""Hooks of jobs that see what was made and change nothing of it."""
OF_EXTRAS: Final = frozenset({"job_start", "extras_op", "image_save_before"})
OF_PAINTING: Final = frozenset(
    {"job_start", "prompt", "image_post", "image_save_before", *ENGINE_HOOKS}
)
"""Hooks of jobs that change what is made."""


@dataclass(eq=False, kw_only=True)
class Loaded:
    """`seconds` and `is_out` change while it is there; the rest does not."""

    found: Found
    hooks: Hooks = field(default_factory=dict)
    engine_hooks: frozenset[str] = frozenset()
    inputs: tuple[Input, ...] = ()
    settings_inputs: tuple[Input, ...] = ()
    stamp: str = ""
    registered: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """What its `register_...` hooks added, by the hook."""
    seconds: float = 0.0
    worker: Worker | None = None
    """Its process, if it has one of its own."""
    is_out: bool = False
    """Nobody calls it any more: it failed too often, or was switched off."""

    @property
    def id(self) -> str:
        """The extension's."""
        return self.found.id

    @property
    def name(self) -> str:
        """For people."""
        return self.found.manifest.name

    @property
    def hook_names(self) -> frozenset[str]:
        """All its hooks, those of the engine too."""
        return self.engine_hooks | self.hooks.keys()

    @property
    def code(self) -> Path:
        """The file that the engine reads: engine.py, else where the hooks are."""
        return self.found.engine_file or self.found.code


def load(found: Found, space: str) -> Loaded:
    """Read an extension's code. Raises ExtensionFailed, or what the code raises."""
    name, id = found.manifest.name, found.id
    if found.kind is Kind.A1111:
        return Loaded(found=found)
    if found.manifest.run is RunMode.WORKER:
        parts = start_worker(found)
        return Loaded(
            found=found,
            hooks=parts.hooks,
            inputs=parts.inputs,
            stamp=stamp_of(found.folder),
            worker=parts.worker,
        )
    use_packages()
    _check_imports(found)
    if found.module:
        module = load_package(found.module)
    elif found.file is not None:
        module = load_file(space, id, found.file)
    else:
        module = load_folder(space, id, found.folder, found.manifest.entry)
    hooks = hooks_of(module, id, name)
    return Loaded(
        found=found,
        hooks=hooks,
        engine_hooks=frozenset(ENGINE_HOOKS).intersection(hooks) | _in_engine_file(found),
        inputs=inputs_of(module, "INPUTS", id, name),
        settings_inputs=inputs_of(module, "SETTINGS", id, name),
        stamp=stamp_of(found.folder, found.file),
    )


def unload(loaded: Loaded, space: str) -> None:
    """Forget its code."""
    if loaded.worker is not None:
        loaded.worker.close()
    drop(space, loaded.id, loaded.found.module)


def takes_part(loaded: Loaded, mode: Mode) -> bool:
    """Whether jobs of this kind have anything to do with it, when it is enabled."""
    names = loaded.hook_names
    if loaded.inputs and not any(mode in each.tabs for each in loaded.inputs):
        return False
    shaping = OF_EXTRAS if mode is Mode.EXTRAS else OF_PAINTING
    return bool(names & shaping) or bool(loaded.inputs and names & WATCHING)


def _check_imports(found: Found) -> None:
    """Raises ExtensionFailed for code that would bring torch into the server's process."""
    if line := told(found.code).torch:
        raise ExtensionFailed(
            found.id,
            f"“{found.manifest.name}” imports torch at line {line} of {found.code.name}, and the "
            "server's process does without. Import it in function bodies, or in engine.py.",
        )


def _in_engine_file(found: Found) -> frozenset[str]:
    """The hooks of engine.py, which only the engine loads: told from its text. Raises
    ExtensionFailed for a misspelt one."""
    if found.file is not None or found.engine_file is None:
        return frozenset()  # a single file's hooks are known from loading it
    seen = told(found.engine_file)
    if seen.fault:
        raise ExtensionFailed(found.id, f"{seen.fault}.")
    for hook, arguments in seen.hooks:
        check_hook(hook, arguments, found.id, found.manifest.name)
    return frozenset(hook for hook, _ in seen.hooks)
