"""Reads the code of extensions into the engine, anew when it has changed."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Final

import pluggy

from webui.core.engine import UsedExtension, Work
from webui.engine.extensions.calls import Calls, Hook, IsFatal, Participant, is_memory_short
from webui.extend.data import Context
from webui.extend.hookspecs import PROJECT, EngineHooks, WebHooks
from webui.extend.packages import use_packages

PREFIX: Final = "gesso_engine_"
"""Of modules' names: apart from those that the server gives them, should it be this process."""
ENGINE_FILE: Final = "engine.py"
PACKAGE_FILE: Final = "__init__.py"
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

    def __init__(self) -> None:
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
        ctx = context_of(used, work)
        calls.join(Participant(id=used.id, name=used.name, hooks=hooks, inputs=inputs, ctx=ctx))


def hooks_of(plugin: object) -> Mapping[str, Hook]:
    """The functions of a module or object that are marked as hooks. Raises
    pluggy.PluginValidationError for one that is misspelt or wants an argument there isn't."""
    manager = pluggy.PluginManager(PROJECT)
    for specs in (WebHooks, EngineHooks):
        manager.add_hookspecs(specs)
    manager.register(plugin)
    manager.check_pending()
    callers = manager.get_hookcallers(plugin) or []
    return {caller.name: _pruned(impl) for caller in callers for impl in caller.get_hookimpls()}


def _pruned(impl: pluggy.HookImpl) -> Hook:
    function, wanted = impl.function, impl.argnames

    def call(**arguments: Any) -> Any:
        return function(**{name: arguments[name] for name in wanted})

    return call


def context_of(used: UsedExtension, work: Work) -> Context:
    """What the hooks of an extension are told of where they run."""
    return Context(
        extension=used.id,
        settings=used.settings,
        data=used.data,
        log=logging.getLogger(f"{PREFIX}{used.id}"),
        job=work.job,
        role=work.role,
    )


def _names(file: Path, hooks: Collection[str]) -> bool:
    source = file.read_text("utf-8")
    return any(hook in source for hook in hooks)


def _load(used: UsedExtension) -> Loaded:
    name = PREFIX + used.id
    for old in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
        del sys.modules[old]
    importlib.invalidate_caches()
    if used.file.name == ENGINE_FILE:
        package = _package(used.file.parent, name)
        module = _run(f"{name}.engine", used.file)
        return Loaded(
            stamp=used.stamp, hooks=hooks_of(module), entry=cache(lambda: hooks_of(package()))
        )
    hooks = hooks_of(_run(name, used.file))
    return Loaded(stamp=used.stamp, hooks=hooks, entry=lambda: hooks)


def _package(folder: Path, name: str) -> Callable[[], ModuleType]:
    """Makes the folder a package, so that engine.py may import what lies beside it; its own code
    is meant for the server, and run only when the package is asked for a name, or by a call."""
    spec = _spec(name, folder / PACKAGE_FILE)
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    is_run = False

    def run() -> ModuleType:
        nonlocal is_run
        if not is_run and (folder / PACKAGE_FILE).exists():
            is_run = True
            _execute(package, spec)
        return package

    def read(wanted: str) -> Any:
        if wanted.startswith("__") or is_run:
            raise AttributeError(f"module {name!r} has no attribute {wanted!r}")
        return getattr(run(), wanted)

    vars(package)["__getattr__"] = read
    return run


def _run(name: str, file: Path) -> ModuleType:
    spec = _spec(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        _execute(module, spec)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _execute(module: ModuleType, spec: ModuleSpec) -> None:
    assert spec.loader is not None
    spec.loader.exec_module(module)


def _spec(name: str, file: Path) -> ModuleSpec:
    folders = [str(file.parent)] if file.name == PACKAGE_FILE else None
    loader = _SourceLoader(name, str(file))
    spec = importlib.util.spec_from_file_location(
        name, file, loader=loader, submodule_search_locations=folders
    )
    assert spec is not None
    return spec


class _SourceLoader(SourceFileLoader):
    """Without compiled files beside the source: one that was changed twice within a second would
    be taken for unchanged."""

    def path_stats(self, path: Any) -> Any:
        """Nothing to compare a compiled file with."""
        raise OSError("read from the source only")
