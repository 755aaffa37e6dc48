"""Which extensions are on, and the way there and back: loading, unloading, switching off.

What is on is a mapping that is replaced whole, so readers need no lock. Changes are made one at a
time; the code of an extension runs in a thread of its own while it is loaded, so that one that
hangs costs some seconds and no more.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from webui.core.errors import GessoError, NotFound
from webui.extend.aside import contained, in_thread, in_time
from webui.extend.bisection import Bisection, answered, begin
from webui.extend.calls import Calls, failure_of
from webui.extend.collecting import collect
from webui.extend.data import Context
from webui.extend.extension import Failure, Origin, State
from webui.extend.finding import Found, Places, find
from webui.extend.fitness import in_order, misfit, unfit
from webui.extend.given import Given, with_given
from webui.extend.inputs import Input, checked
from webui.extend.legacy import LegacyHost
from webui.extend.loaded import Loaded, load, unload
from webui.extend.manifest import Kind
from webui.extend.memory import BootGuard, Memory
from webui.extend.old_scripts import OldScripts

log = logging.getLogger(__name__)

API: Final = "1.0"
MOST_FAILURES: Final = 3
LOAD_S: Final = 30.0
"""So long an extension may take to be read."""
CLOSE_S: Final = 5.0
"""So long its last hook may take."""


@dataclass(frozen=True, kw_only=True)
class Safety:
    """What keeps extensions off at this start. `only` and `off` hold ids."""

    is_safe_mode: bool = False
    only: frozenset[str] = frozenset()
    off: frozenset[str] = frozenset()

    @classmethod
    def of(cls, *, is_safe_mode: bool, only: str, off: str) -> Safety:
        """As settings have it: ids with commas between."""
        return cls(is_safe_mode=is_safe_mode, only=_ids(only), off=_ids(off))

    def holds(self, id: str) -> str:
        """Why one is kept off; empty when it is not."""
        if self.is_safe_mode:
            return "All extensions are off: this is safe mode. Start without --safe-mode."
        if id in self.off or (self.only and id not in self.only):
            return "It was left out when the server was started (--ext-only or --ext-off)."
        return ""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Why one that should be on is not."""

    state: State
    error: str
    traceback: str = ""


class Running:
    """Usable from any thread."""

    def __init__(
        self,
        places: Places,
        safety: Safety,
        open_legacy: Callable[[], LegacyHost] | None,
        load_s: float = LOAD_S,
        given: Given | None = None,
    ) -> None:
        self._given: Final = given or {}
        self.places: Final = places
        self.memory: Final = Memory(places.data / "state.json")
        self.calls: Final = Calls(self._book)
        self._safety: Final = safety
        self.old_scripts: Final = OldScripts(open_legacy)
        self._load_s: Final = load_s
        self._boot: Final = BootGuard(places.data / "booting")
        self._space: Final = f"s{id(self):x}"
        self._turn: Final = threading.RLock()
        self._found: Mapping[str, Found] = MappingProxyType({})
        self._on: Mapping[str, Loaded] = MappingProxyType({})
        self._faults: Mapping[str, Fault] = MappingProxyType({})
        self._unloadable: dict[str, Fault] = {}
        """Those that failed to load, until somebody tries them again."""
        self._loads = 0
        self._is_ready = self._is_closed = False
        self._watchers: list[Callable[[bool], None]] = []

    @property
    def found(self) -> Mapping[str, Found]:
        """All by id."""
        return self._found

    @property
    def on(self) -> Mapping[str, Loaded]:
        """Those that are on, in their order."""
        return self._on

    @property
    def legacy(self) -> LegacyHost | None:
        """Who runs A1111's scripts; None when none is on."""
        return self.old_scripts.host

    def on_change(self, watcher: Callable[[bool], None]) -> None:
        """See Extensions.on_change."""
        self._watchers.append(watcher)

    def start(self) -> None:
        """Find all and load those that are on; who killed the last start stays off."""
        ids = self._boot.left()
        for id in ids:
            others = "" if len(ids) == 1 else f" (loading {', '.join(ids)})"
            self._switch_off(
                id,
                f"The server died while this extension was being loaded{others}, so it was "
                "switched off. Switch it on to try again.",
            )
        self.scan()

    def ready(self) -> None:
        """Call `app_ready` of all, each in a thread of its own; later also of new ones."""
        with self._turn:
            self._is_ready = True
            for loaded in self._on.values():
                self._tell_ready(loaded)

    def close(self) -> None:
        """Unload all, last ones first; nothing is loaded after that."""
        with self._turn:
            self._is_closed = True
            for loaded in [*self._on.values()][::-1]:
                self._unload(loaded)
            contained("the A1111 layer", self.old_scripts.unload)
            self._on = MappingProxyType({})

    def scan(self) -> None:
        """Look into the folders again."""
        with self._turn:
            self._found = MappingProxyType(find(self.places))
            is_other = self._apply()
        self.changed(is_page=is_other)

    def switch(self, id: str, *, is_on: bool) -> None:
        """Switch one on or off. Raises NotFound."""
        self._known(id)
        with self._turn:
            self.memory.note(id, enabled=is_on, reasons=None, failures=None)
            self._unloadable.pop(id, None)
            is_other = self._apply()
        self.changed(is_page=is_other)

    def refuse(self, id: str, reason: str) -> None:
        """Switch one off that can't be let in. Raises NotFound."""
        self._known(id)
        with self._turn:
            self._switch_off(id, reason)
            is_other = self._apply()
        self.changed(is_page=is_other)

    def reload(self, id: str) -> None:
        """Read one anew, manifest and code. Raises NotFound."""
        self._known(id)
        with self._turn:
            self._unloadable.pop(id, None)
            self._found = MappingProxyType(find(self.places))
            self._apply(without=id)
            self._apply()
        self.changed(is_page=True)

    def is_enabled(self, id: str) -> bool:
        """Whether its owner wants it on; by default what came with the program may say so."""
        found = self._found[id]
        default = found.origin is Origin.SHIPPED and found.manifest.enabled
        return self.memory.now.enabled.get(id, default)

    def fault(self, id: str) -> Fault | None:
        """Why one is not on that should be, or was switched off."""
        if (reason := self.memory.now.reasons.get(id)) is not None:
            return Fault(state=State.FAILED, error=reason)
        return None if id in self._on else self._faults.get(id)

    def search(self, step: Bisection | None) -> None:
        """Go to a step of a search for a culprit, or end it."""
        with self._turn:
            self.memory.set_bisection(step)
            is_other = self._apply()
        self.changed(is_page=is_other)

    def begin_search(self) -> None:
        """Hold all back that are on now."""
        self.search(begin([*self._on]))

    def answer_search(self, *, is_bad: bool) -> None:
        """The next step; nothing when there is no search."""
        step = self.memory.now.bisection
        if step is not None and not step.is_over:
            self.search(answered(step, is_bad=is_bad))

    def context(self, loaded: Loaded, **more: Any) -> Context:
        """What its hooks get as `ctx`."""
        data = self.data_of(loaded.id)
        data.mkdir(parents=True, exist_ok=True)
        return Context(
            extension=loaded.id,
            settings=self.settings_of(loaded.id),
            data=data,
            log=logging.getLogger(f"gesso.extensions.{loaded.id}"),
            **more,
        )

    def data_of(self, id: str) -> Path:
        """The folder for an extension's own data."""
        return self.places.data / "own" / id

    def settings_of(self, id: str) -> Mapping[str, Any]:
        """The values of its settings; those that don't fit any more have their default."""
        saved = self.memory.now.settings.get(id, {})
        loaded = self._on.get(id)
        inputs = loaded.settings_inputs if loaded is not None else ()
        return MappingProxyType({each.id: _fitting(each, saved) for each in inputs})

    def failed(self, loaded: Loaded, failure: Failure) -> None:
        """Book a failure that was seen elsewhere."""
        self._book(loaded, failure)

    def changed(self, *, is_page: bool) -> None:
        """Tell all watchers."""
        for watcher in self._watchers:
            contained("a watcher of extensions", partial(watcher, is_page))

    def _known(self, id: str) -> Found:
        if id not in self._found:
            raise NotFound("extension", id)
        return self._found[id]

    def _apply(self, without: str = "") -> bool:
        """Bring about what should be on; whether that is something else than before. `without` is
        left off this time. Called in turn."""
        if self._is_closed:
            return False
        faults: dict[str, Fault] = {}
        target = [id for id in self._candidates(faults) if id != without]
        before = dict(self._on)
        for id in reversed([id for id in before if id not in target]):
            self._unload(before[id])
        self._on = MappingProxyType({id: on for id, on in before.items() if id in target})
        self._load_all(target, faults)
        self._faults = MappingProxyType(faults)
        return [*before.items()] != [*self._on.items()]

    def _go_off(self) -> None:
        """Leave out who was switched off for its failures."""
        with self._turn:
            is_other = self._apply()
        self.changed(is_page=is_other)

    def _candidates(self, faults: dict[str, Fault]) -> Iterator[str]:
        """Those that may be tried, in order; of the others the faults are noted."""
        step, wanted = self.memory.now.bisection, []
        for id, found in self._found.items():
            if found.error:
                faults[id] = Fault(state=State.FAILED, error=found.error)
            elif not self.is_enabled(id):
                continue
            elif held := self._safety.holds(id):
                faults[id] = Fault(state=State.HELD, error=held)
            elif step is not None and id in step.held:
                faults[id] = Fault(state=State.HELD, error="Held back to find who makes trouble.")
            elif why := unfit(found.manifest, API):
                faults[id] = Fault(state=State.UNFIT, error=why)
            else:
                wanted.append(found.manifest)
        ids, circles = in_order(wanted)
        faults |= {id: Fault(state=State.UNFIT, error=why) for id, why in circles.items()}
        yield from ids

    def _load_all(self, target: list[str], faults: dict[str, Fault]) -> None:
        """Load those of the target that are not there yet, where they get along."""
        before, on = self._on, dict[str, Loaded]()
        known = {id: found.manifest for id, found in self._found.items()}
        for id in target:
            coming = {each for each in target if each not in faults and self._is_older(each, id)}
            if why := misfit(known[id], on.keys(), coming, known):
                faults[id] = Fault(state=State.UNFIT, error=why)
            elif id in self._unloadable:
                faults[id] = self._unloadable[id]
            elif loaded := before.get(id) or self._loaded(self._found[id], faults):
                on[id] = loaded
                self._on = MappingProxyType({**before, **on})
        for id in reversed([id for id in before if id not in on]):
            self._unload(before[id])
        self._load_old_scripts(on, faults)
        self._on = MappingProxyType(on)
        if self._is_ready:
            for loaded in on.values():
                if loaded.id not in before:
                    self._tell_ready(loaded)

    def _is_older(self, id: str, other: str) -> bool:
        """Whether one was switched on before another: of two that conflict it stays."""
        order = [*self.memory.now.enabled]
        places = [order.index(each) if each in order else -1 for each in (id, other)]
        return places[0] < places[1]

    def _loaded(self, found: Found, faults: dict[str, Fault]) -> Loaded | None:
        name = found.manifest.name
        try:
            with self._boot.loading(found.id):
                loaded = in_time(lambda: load(found, self._space), self._load_s, name)
                given = self._given.get(found.id, {})
                loaded.inputs = with_given(loaded.inputs, given, found.id)
                self._on = MappingProxyType({**self._on, found.id: loaded})
                loaded.registered = in_time(
                    lambda: collect(loaded, self.calls, self.context(loaded)), self._load_s, name
                )
        except TimeoutError as error:
            self._switch_off(found.id, str(error))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the border of extensions
            faults[found.id] = self._unloadable[found.id] = _load_fault(found, error)
        else:
            self._loads += 1
            loaded.stamp += f"-{self._loads}"
            self.memory.note(found.id, registered=_names(loaded) or None)
            return loaded
        self._on = MappingProxyType({id: on for id, on in self._on.items() if id != found.id})
        unload(Loaded(found=found), self._space)
        return None

    def _load_old_scripts(self, on: dict[str, Loaded], faults: dict[str, Fault]) -> None:
        folders = {
            id: loaded.found.file or loaded.found.folder
            for id, loaded in on.items()
            if loaded.found.kind is Kind.A1111
        }
        for id, text in self.old_scripts.load(folders, self._boot).items():
            if (loaded := on.pop(id, None)) is not None:
                error = (
                    f"“{loaded.name}” could not be loaded: {text.strip().rpartition(chr(10))[2]}"
                )
                faults[id] = Fault(state=State.FAILED, error=error, traceback=text)
                self._unloadable[id] = faults[id]

    def _unload(self, loaded: Loaded) -> None:
        log.info("Extension %s is off.", loaded.id)
        given = {"ctx": self.context(loaded)}

        def close() -> None:
            self.calls.call(loaded, "app_close", given)

        contained(loaded.id, lambda: in_time(close, CLOSE_S, loaded.name))
        loaded.is_out = True
        unload(loaded, self._space)

    def _tell_ready(self, loaded: Loaded) -> None:
        if "app_ready" in loaded.hooks:
            given = {"ctx": self.context(loaded)}
            in_thread(f"{loaded.id} is ready", lambda: self.calls.call(loaded, "app_ready", given))

    def _book(self, loaded: Loaded, failure: Failure) -> None:
        failures = self.memory.add_failure(loaded.id, failure)
        if (failure.is_hang or len(failures) >= MOST_FAILURES) and not loaded.is_out:
            loaded.is_out = True
            self._switch_off(
                loaded.id,
                f"“{loaded.name}” failed {len(failures)} times, last at {failure.hook}: "
                f"{failure.message.rstrip('.')}. It was switched off. Switch it on to try again.",
            )
            # in a thread of its own: somebody else may be loading, and a job waits for this
            in_thread(f"{loaded.id} goes off", self._go_off)
        else:
            self.changed(is_page=False)

    def _switch_off(self, id: str, reason: str) -> None:
        log.warning("Extension %s: %s", id, reason)
        self.memory.note(id, enabled=False, reasons=reason)


def _ids(text: str) -> frozenset[str]:
    return frozenset(filter(None, map(str.strip, text.split(","))))


def _load_fault(found: Found, error: BaseException) -> Fault:
    failure = failure_of("load", error)
    log.warning("Extension %s could not be loaded.\n%s", found.id, failure.traceback.rstrip())
    if isinstance(error, GessoError):
        return Fault(state=State.FAILED, error=str(error))
    words = f"“{found.manifest.name}” could not be loaded: {failure.message}"
    return Fault(state=State.FAILED, error=words, traceback=failure.traceback)


def _names(loaded: Loaded) -> dict[str, tuple[str, ...]]:
    """What it adds that requests may name, by kind."""
    kinds = ("sampler", "schedule", "upscaler")
    added = {
        kind: tuple(
            name
            for part in loaded.registered.get(f"register_{kind}s", ())
            for name in dict.fromkeys((part.id, part.label))
        )
        for kind in kinds
    }
    return {kind: names for kind, names in added.items() if names}


def _fitting(each: Input, saved: Mapping[str, Any]) -> Any:
    try:
        return checked((each,), {each.id: saved[each.id]}, "")[each.id]
    except (KeyError, GessoError):
        return each.default
