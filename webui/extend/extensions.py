"""All extensions of a studio: the one place that everything else asks.

Usable from any thread. What is given out are frozen views; hooks are called one by one and guarded,
so that what an extension raises ends nowhere but here.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from webui.core.codec import to_json
from webui.core.engine import UsedExtension
from webui.core.errors import ExtensionFailed, InvalidRequest, NotFound
from webui.core.model import ModelInfo
from webui.core.person import Role
from webui.core.recipe import Recipe
from webui.core.request import GenerationRequest
from webui.extend.additions import Additions
from webui.extend.aside import in_thread
from webui.extend.bisection import Bisection
from webui.extend.calls import told_failure
from webui.extend.data import StopJob
from webui.extend.draft import Draft
from webui.extend.extension import Extension, State
from webui.extend.finding import Places
from webui.extend.given import Given
from webui.extend.hookspecs import ENGINE_HOOKS
from webui.extend.inputs import checked, named
from webui.extend.job_hooks import JobHooks, Member
from webui.extend.legacy import LegacyHost
from webui.extend.loaded import ENABLED, WATCHING, Loaded
from webui.extend.manifest import Kind
from webui.extend.running import LOAD_S, Running, Safety
from webui.extend.texts import Texts
from webui.extend.values import RequestValues

__all__ = ["Extensions", "Places", "Safety"]

MOST_REMARKS: Final = 200
T = TypeVar("T")


class Extensions(Additions):
    """The facade. Made by the Studio; `start` loads what is on."""

    def __init__(
        self,
        places: Places,
        safety: Safety | None = None,
        open_legacy: Callable[[], LegacyHost] | None = None,
        *,
        load_s: float = LOAD_S,
        given: Given | None = None,
    ) -> None:
        """`open_legacy` makes the host of A1111's scripts when the first of them is on. Loading
        one extension may take `load_s`. `given` are first values of declared inputs."""
        self.places: Final = places
        self.drawing: Final = threading.RLock()
        """Held while something is drawn with Gradio, which knows of one page at a time. Never
        switch an extension while holding it: who does that may be waiting for it."""
        super().__init__(Running(places, safety or Safety(), open_legacy, load_s, given))
        self._values: Final = RequestValues(self._running)
        self._texts: Final = Texts(self._running)
        self._remarks: Final[OrderedDict[str, tuple[str, ...]]] = OrderedDict()
        """Who failed before the job was there, by the recipe."""

    # Life

    def start(self) -> None:
        """Find all and load those that are on."""
        self._running.start()

    def ready(self) -> None:
        """Tell them that the page is about to be served."""
        self._running.ready()

    def close(self) -> None:
        """Tell them that the server ends, and let go of their code."""
        self._running.close()

    def on_change(self, watcher: Callable[[bool], None]) -> None:
        """Call `watcher(is_page)` after each change: `is_page` when the page has to be drawn
        anew. In the thread that made the change."""
        self._running.on_change(watcher)

    # What there is

    def all(self) -> tuple[Extension, ...]:
        """All that were found: those that are on in their order, then the others by name."""
        on = [*self._running.on]
        rest = sorted(
            (id for id in self._running.found if id not in on),
            key=lambda id: self._running.found[id].manifest.name.lower(),
        )
        return tuple(self._view(id) for id in (*on, *rest) if id in self._running.found)

    def get(self, id: str) -> Extension:
        """One of them. Raises NotFound."""
        if id not in self._running.found:
            raise NotFound("extension", id)
        return self._view(id)

    @property
    def legacy(self) -> LegacyHost | None:
        """A1111's scripts; None when no such extension is on."""
        return self._running.legacy

    # Switching

    def enable(self, id: str) -> Extension:
        """Switch one on; failures that were counted are forgotten. How it went is in the state
        and the error of what is given back. Raises NotFound."""
        self._running.switch(id, is_on=True)
        return self.get(id)

    def disable(self, id: str) -> Extension:
        """Switch one off. Raises NotFound."""
        self._running.switch(id, is_on=False)
        return self.get(id)

    def refuse(self, id: str, reason: str) -> None:
        """Switch one off that the studio can't let in; the sentence is shown with it. Raises
        NotFound."""
        self._running.refuse(id, reason)

    def reload(self, id: str) -> Extension:
        """Read one's manifest and code anew. Raises NotFound."""
        self._running.reload(id)
        return self.get(id)

    def scan(self) -> None:
        """Look into the folders again: new ones appear, those that are gone are dropped."""
        self._running.scan()

    @property
    def bisection(self) -> Bisection | None:
        """The search for the one that makes trouble, if one is under way."""
        return self._running.memory.now.bisection

    def begin_bisection(self) -> None:
        """Begin one: all are held back first."""
        self._running.begin_search()

    def answer_bisection(self, *, is_bad: bool) -> None:
        """Whether the trouble is there with those that are on now."""
        self._running.answer_search(is_bad=is_bad)

    def end_bisection(self) -> None:
        """Have all on again that were."""
        self._running.search(None)

    # Settings

    def settings(self, id: str) -> Mapping[str, Any]:
        """The values of one's own settings, defaults filled in. Raises NotFound."""
        self.get(id)
        return self._running.settings_of(id)

    def set_settings(self, id: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change some of them; all are given back. Raises NotFound, InvalidRequest that names
        "settings.<input>"."""
        name, loaded = self.get(id).name, self._running.on.get(id)
        if loaded is None:
            raise InvalidRequest(
                "settings", f"“{name}” is off. Switch it on to change its settings."
            )
        now = self._running.settings_of(id)
        full = checked(loaded.settings_inputs, {**now, **values}, "settings")
        self._running.memory.note(id, settings=full)
        self._running.changed(is_page=False)
        return MappingProxyType(full)

    def data(self, id: str) -> Path:
        """The folder for one's own data, which need not be there yet."""
        return self._running.data_of(id)

    # Calls

    def call(self, id: str, hook: str, /, **arguments: Any) -> Any:
        """What one extension's hook gives back; None if it has none. `ctx` is added. Raises
        ExtensionFailed after the failure was booked."""
        loaded = self._running.on.get(id)
        if loaded is None:
            return None
        given = {"ctx": self._running.context(loaded), **arguments}
        outcome = self._running.calls.call(loaded, hook, given)
        if outcome.failure is not None:
            raise ExtensionFailed(
                id,
                f"“{loaded.name}” failed at {hook}: {outcome.failure.message}. Look at its "
                "traceback on the Extensions page.",
            )
        return outcome.value

    def guard(self, id: str, what: str, run: Callable[[], T]) -> T:
        """What `run` gives back: a function that an extension registered, for example a tab's.
        Raises ExtensionFailed after the failure was booked."""
        loaded = self._running.on.get(id)
        if loaded is None:
            return run()
        outcome = self._running.calls.guarded(loaded, what, run)
        if outcome.failure is not None:
            raise ExtensionFailed(id, f"“{loaded.name}” failed: {outcome.failure.message}.")
        result: T = outcome.value
        return result

    def report(self, id: str, hook: str, error: str, seconds: float, job: str = "") -> None:
        """Book a call that ran elsewhere; `error` is its traceback, empty when all went well. An
        id may be that of a part of an extension."""
        loaded = self._running.on.get(id.partition("/")[0])
        if loaded is None:
            return
        loaded.seconds += seconds
        if error:
            self._running.failed(loaded, told_failure(hook, error, job))

    def job(
        self,
        job: str,
        recipe: Recipe,
        *,
        role: Role = Role.OWNER,
        progress: Callable[[float, str], None] = lambda fraction, note: None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> JobHooks:
        """The hooks of those that take part in a job, for as long as it lasts."""
        context = {"job": job, "role": role, "progress": progress, "is_cancelled": is_cancelled}
        notes = self._remarks.get(_mark(recipe), ()) if self._remarks else ()
        off = [id for id in recipe.extensions if "/" not in id and id not in self._running.on]
        return JobHooks(
            [*self._members(recipe.extensions, context)],
            self._running.calls,
            job,
            (*notes, *(f"{id} was off" for id in off)),
        )

    def everyone(self, *hooks: str) -> JobHooks:
        """The hooks of all that are on, or that have one of these, outside of jobs."""
        members = [
            Member(loaded=one, inputs=named({}), ctx=self._running.context(one))
            for one in self._running.on.values()
            if not hooks or not one.hooks.keys().isdisjoint(hooks)
        ]
        return JobHooks(members, self._running.calls)

    # Requests

    def draft(self, request: GenerationRequest, role: Role = Role.OWNER) -> Draft:
        """A request on its way to being a job, after text tokens and `job_start`. Raises
        InvalidRequest."""

        def hooked(values: Mapping[str, Mapping[str, Any]]) -> JobHooks:
            return JobHooks([*self._members(values, {"role": role})], self._running.calls)

        tokens = [
            (loaded, token)
            for loaded in self._running.on.values()
            for token in loaded.registered.get("register_text_tokens", ())
        ]
        return Draft(request, self._values, hooked, tokens, self._running.calls)

    def remark(self, recipe: Recipe, draft: Draft) -> None:
        """Keep what the pictures of a job will say of those that failed while it was drafted."""
        if notes := tuple(draft.facts.values()):
            self._remarks[_mark(recipe)] = notes
            while len(self._remarks) > MOST_REMARKS:
                self._remarks.popitem(last=False)

    def values(self, request: GenerationRequest) -> dict[str, dict[str, Any]]:
        """The full values of those that take part in a request: Recipe.extensions. Raises
        InvalidRequest for "extensions.<id>.<input>" and "script"."""
        return self._values.of(request)

    def known_values(
        self, values: Mapping[str, Mapping[str, Any]]
    ) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
        """Of a picture's values those that can be used here, and in words what is missing."""
        return self._values.known(values)

    def has_script(self, id: str) -> bool:
        """Whether an extension or a script of this id can take a job over."""
        return self._values.has_script(id)

    def used_in_engine(self, recipe: Recipe) -> tuple[UsedExtension, ...]:
        """Those whose code the engine needs for this recipe: with hooks for it, or with the
        sampler, schedule, upscaler or family that it names. Who is there for that only has an
        input “enabled” that is False."""
        named_parts = _parts_of(recipe)
        return tuple(
            self._used(loaded, recipe)
            for id, loaded in self._running.on.items()
            if not loaded.is_out
            and loaded.found.kind is not Kind.A1111
            and (
                (id in recipe.extensions and loaded.hook_names & set(ENGINE_HOOKS))
                or named_parts & _ids_of(loaded)
            )
        )

    def owner_of(self, kind: str, name: str) -> str:
        """Whose a sampler, schedule or upscaler is that is not here because its extension is off:
        a sentence; empty when nobody knows."""
        wanted = name.strip().lower()
        for id, kinds in self._running.memory.now.registered.items():
            is_known = id in self._running.found and id not in self._running.on
            if is_known and wanted in map(str.lower, kinds.get(kind, ())):
                title = self._running.found[id].manifest.name
                return f"It belongs to the extension “{title}”, which is off. Switch that on."
        return ""

    # Texts and events

    @property
    def texts(self) -> Texts:
        """Their inputs in the texts of pictures."""
        return self._texts

    def parsed(self, text: str, fields: Mapping[str, str]) -> dict[str, str]:
        """The fields of a picture's text after all `infotext_parse` hooks, and A1111's scripts."""
        hooks = self.everyone("infotext_parse")
        found = dict(fields)
        with suppress(StopJob):  # there is no job to stop
            found = hooks.fold("infotext_parse", "fields", found, _texts_only, text=text)
        return self._running.old_scripts.pasted(text, found)

    def model_changed(self, before: ModelInfo | None, now: ModelInfo | None) -> None:
        """Tell them that the engine holds another checkpoint; returns at once."""
        hooks = self.everyone("model_loaded", "model_unloaded")
        told = [("model_unloaded", before), ("model_loaded", now)]
        calls = [(hook, model) for hook, model in told if model is not None and hooks.has(hook)]
        if calls:

            def tell() -> None:
                for hook, model in calls:
                    hooks.tell(hook, model=model)

            in_thread("models of extensions", tell)

    def _members(
        self, values: Mapping[str, Mapping[str, Any]], context: Mapping[str, Any]
    ) -> Iterator[Member]:
        """Those with values, and those that only watch and have none."""
        for id, loaded in self._running.on.items():
            is_watching = not loaded.inputs and loaded.hooks.keys() & WATCHING
            if id in values or is_watching:
                yield Member(
                    loaded=loaded,
                    inputs=named(values.get(id, {})),
                    ctx=self._running.context(loaded, **context),
                )

    def _used(self, loaded: Loaded, recipe: Recipe) -> UsedExtension:
        takes_no_part = {each.id: each.default for each in loaded.inputs} | {ENABLED: False}
        return UsedExtension(
            id=loaded.id,
            name=loaded.name,
            file=loaded.code,
            stamp=loaded.stamp,
            data=self._running.data_of(loaded.id),
            inputs=recipe.extensions.get(loaded.id, takes_no_part),
            settings=dict(self._running.settings_of(loaded.id)),
        )

    def _view(self, id: str) -> Extension:
        running = self._running
        found, loaded, fault = running.found[id], running.on.get(id), running.fault(id)
        state = State.ON if loaded is not None else State.OFF
        return Extension(
            id=id,
            name=found.manifest.name,
            manifest=found.manifest,
            kind=found.kind,
            folder=found.folder,
            file=found.file,
            origin=found.origin,
            is_enabled=running.is_enabled(id),
            state=fault.state if fault else state,
            error=fault.error if fault else "",
            traceback=fault.traceback if fault else "",
            inputs=loaded.inputs if loaded else (),
            settings_inputs=loaded.settings_inputs if loaded else (),
            failures=running.memory.now.failures.get(id, ()),
            seconds=loaded.seconds if loaded else 0.0,
            hooks=loaded.hook_names if loaded else frozenset(),
            registered=_names_of(loaded) if loaded else {},
        )


def _names_of(loaded: Loaded) -> dict[str, tuple[str, ...]]:
    """What it adds, for people: names by kind."""
    return {
        hook.removeprefix("register_").rstrip("s"): tuple(map(_name_of, parts))
        for hook, parts in loaded.registered.items()
    }


def _name_of(part: object) -> str:
    names = (getattr(part, name, "") for name in ("label", "title", "name", "id", "anchor"))
    return str(next(filter(None, names), type(part).__name__))


def _parts_of(recipe: Recipe) -> AbstractSet[str]:
    """The ids of samplers, schedules, upscalers and families that a recipe names."""
    hires, extras = recipe.hires, recipe.extras
    named = {recipe.sampler, recipe.schedule, recipe.model.family}
    if hires is not None:
        named |= {hires.sampler or "", hires.schedule or "", hires.upscaler}
    if extras is not None:
        named |= {extras.upscaler, extras.second_upscaler or ""}
    return named - {""}


def _ids_of(loaded: Loaded) -> AbstractSet[str]:
    kinds = ("samplers", "schedules", "upscalers", "families")
    return {part.id for kind in kinds for part in loaded.registered.get(f"register_{kind}", ())}


def _mark(recipe: Recipe) -> str:
    return hashlib.sha256(to_json(recipe).encode()).hexdigest()


def _texts_only(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError(f"it gave back a {type(value).__name__}, not a dict")
    return {str(key): str(text) for key, text in value.items()}
