"""Reads the code of extensions into the engine, anew when it has changed."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Final

from webui.core.engine import UsedExtension, Work
from webui.engine.extensions.calls import Calls, Hook, IsFatal, Participant, is_memory_short
from webui.extend.data import Context
from webui.extend.loading import NAMESPACE, drop, load_file, load_folder, load_inner
from webui.extend.manifest import FILE, read_manifest
from webui.extend.packages import use_packages
from webui.extend.registration import Implementation
from webui.extend.registration import hooks_of as registered_hooks

SPACE: Final = "engine"
"""Of modules' names: apart from those that the server gives them, should it be this process."""
ENGINE_FILE: Final = "engine.py"
PACKAGE_FILE: Final = "__init__.py"
LEVELS: Final = 4
"""So deep below its folder an extension's entry may lie."""
LOADING: Final = "load"
"""Stands for a hook where the code itself could not be loaded."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """The code of one extension, as it was at `stamp`. `entry`: what registers samplers and the
    like, loaded when it is asked for."""

    stamp: str
    hooks: Mapping[str, Hook]
    entry: Callable[[], Mapping[str, Hook]]


class Loader:
    """Loads extensions for one engine and keeps them. All in the thread that makes pictures."""

    def __init__(self, is_cancelled: Callable[[], bool] = lambda: False) -> None:
        """`is_cancelled`: whether the batch that runs is given up."""
        self._is_cancelled: Final = is_cancelled
        self._loaded: Final[dict[str, Loaded]] = {}

    def load(self, used: UsedExtension) -> Loaded:
        """The code of an extension. Raises whatever it raises, SystemExit included."""
        known = self._loaded.get(used.id)
        if known is not None and known.stamp == used.stamp:
            return known
        self._loaded.pop(used.id, None)
        use_packages()
        loaded = self._loaded[used.id] = _load(used)
        return loaded

    def calls(
        self,
        work: Work,
        only: Collection[str] = (),
        others: Iterable[Participant] = (),
        is_fatal: IsFatal = is_memory_short,
    ) -> Calls:
        """The hooks of a batch's extensions, those of `others` behind them. With `only`, files
        that name none of these hooks are not loaded: they may import what is not wanted here."""
        calls = Calls(is_fatal=is_fatal)
        for used in work.extensions:
            self._join(used, work, only, calls)
        for other in others:
            calls.join(other)
        return calls

    def _join(self, used: UsedExtension, work: Work, only: Collection[str], calls: Calls) -> None:
        """A border: code that can't be loaded is booked, and the picture made without it. Who is
        there only for a sampler and the like is switched off for this picture."""
        if used.inputs.get("enabled") is False:
            return
        try:
            if only and not _names(used.file, only):
                return
            hooks = self.load(used).hooks
        except (Exception, SystemExit) as error:  # noqa: BLE001 - booked with its traceback
            calls.fail(used.id, used.name, LOADING, error)
            return
        inputs = SimpleNamespace(**used.inputs)
        ctx = replace(context_of(used, work), is_cancelled=self._is_cancelled)
        calls.join(Participant(id=used.id, name=used.name, hooks=hooks, inputs=inputs, ctx=ctx))


def hooks_of(plugin: Any, id: str = "", name: str = "") -> Mapping[str, Hook]:
    """The functions of a module or object that are marked as hooks. Raises ExtensionFailed for one
    that is misspelt or wants an argument there isn't."""
    return {hook: _by_name(found) for hook, found in registered_hooks(plugin, id, name).items()}


def _by_name(implementation: Implementation) -> Hook:
    return lambda **arguments: implementation(arguments)


def context_of(used: UsedExtension, work: Work) -> Context:
    """What the hooks of an extension are told of where they run."""
    return Context(
        extension=used.id,
        settings=used.settings,
        data=used.data,
        log=logging.getLogger(f"gesso.extensions.{used.id}"),
        job=work.job,
        role=work.role,
    )


def _names(file: Path, hooks: Collection[str]) -> bool:
    source = file.read_text("utf-8")
    return any(hook in source for hook in hooks)


def _load(used: UsedExtension) -> Loaded:
    drop(SPACE, used.id)
    home, of = _home(used.file), (used.id, used.name)
    if home is not None and used.file == home / ENGINE_FILE:
        _open_package(used.id, home)
        module = load_inner(SPACE, used.id, home, used.file.stem)
        entry = cache(lambda: hooks_of(_whole(used.id, home), *of))
        return Loaded(stamp=used.stamp, hooks=hooks_of(module, *of), entry=entry)
    module = load_file(SPACE, used.id, used.file) if home is None else _whole(used.id, home)
    hooks = hooks_of(module, *of)
    return Loaded(stamp=used.stamp, hooks=hooks, entry=lambda: hooks)


def _home(file: Path) -> Path | None:
    """The folder that an extension's file belongs to; None for a single file."""
    if file.name in (ENGINE_FILE, PACKAGE_FILE):
        return file.parent
    return next((folder for folder in file.parents[:LEVELS] if (folder / FILE).is_file()), None)


def _whole(id: str, home: Path) -> ModuleType:
    """The module of a folder that is meant for the server."""
    entry = read_manifest(home).entry if (home / FILE).is_file() else ""
    return load_folder(SPACE, id, home, entry)


def _open_package(id: str, home: Path) -> None:
    """Makes the folder a package, so that engine.py may import what lies beside it; its own code
    is meant for the server, and run only when the package is asked for a name of it."""
    package = ModuleType(f"{NAMESPACE}.{SPACE}.{id}")
    package.__path__ = [str(home)]

    def read(wanted: str) -> Any:
        is_beside = (home / f"{wanted}.py").is_file() or (home / wanted).is_dir()
        if wanted.startswith("__") or is_beside:
            raise AttributeError(f"{package.__name__} has no {wanted}")
        return getattr(load_folder(SPACE, id, home), wanted)

    vars(package)["__getattr__"] = read
    sys.modules[package.__name__] = package
