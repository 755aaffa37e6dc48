"""What requests say of extensions, checked and filled in: who takes part, with which values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from webui.core.errors import InvalidRequest
from webui.core.request import GenerationRequest
from webui.extend.inputs import checked
from webui.extend.legacy import LegacyPart
from webui.extend.loaded import ENABLED, Loaded, takes_part
from webui.extend.running import Running

FIELD: Final = "extensions"
SCRIPT: Final = "script"

Values = Mapping[str, Mapping[str, Any]]


class RequestValues:
    """Reads requests with the extensions that are on. Usable from any thread."""

    def __init__(self, running: Running) -> None:
        self._running: Final = running

    def of(self, request: GenerationRequest) -> dict[str, dict[str, Any]]:
        """The full values of those that take part: Recipe.extensions. Raises InvalidRequest that
        names "extensions.<id>.<input>" or "script"."""
        self._check_script(request)
        on, parts = self._running.on, self._parts()
        for id, given in request.extensions.items():
            if id not in on and id not in parts and given.get(ENABLED) is not False:
                raise InvalidRequest(f"{FIELD}.{id}", self._absent(id))
        values = {
            id: filled
            for id, loaded in on.items()
            if (filled := self._filled(loaded, request)) is not None
        }
        return values | dict(self._of_parts(parts, request))

    def given(self, loaded: Loaded, request: GenerationRequest) -> dict[str, Any]:
        """The values of one extension, whether it takes part or not. Raises InvalidRequest."""
        given = request.extensions.get(loaded.id, {})
        return checked(loaded.inputs, given, f"{FIELD}.{loaded.id}")

    def known(self, values: Values) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
        """Those values that can be used here, and the names of the extensions that are not on."""
        on, parts = self._running.on, self._parts()
        kept: dict[str, dict[str, Any]] = {}
        missing: list[str] = []
        for id, given in values.items():
            owner = on.get(id) or parts.get(id)
            if owner is None:
                missing.append(f"the extension “{self.name(id)}”")
                continue
            inputs = {each.id: each for each in owner.inputs}
            kept[id] = {}
            for name, value in given.items():
                try:
                    kept[id][name] = inputs[name].check(value, name)
                except (KeyError, InvalidRequest):
                    missing.append(f"the value of “{name}” of the extension “{self.name(id)}”")
        return kept, tuple(missing)

    def has_script(self, id: str) -> bool:
        """Whether somebody of this id can take a job over."""
        return id in self._scripts()

    def name(self, id: str) -> str:
        """An extension's for people, also of one that is off; a part's title."""
        part = self._parts().get(id)
        found = self._running.found.get(id)
        return part.title if part else found.manifest.name if found else id

    def _check_script(self, request: GenerationRequest) -> None:
        script = request.script
        if script is None or self.has_script(script):
            return
        id = script.partition("/")[0]
        if id in self._running.found and id not in self._running.on:
            raise InvalidRequest(SCRIPT, self._absent(script))
        known = ", ".join(self._scripts()) or "none"
        raise InvalidRequest(
            SCRIPT, f"There is no script “{script}” that can take a job over. There are: {known}."
        )

    def _scripts(self) -> list[str]:
        ours = [id for id, loaded in self._running.on.items() if "job_run" in loaded.hooks]
        return [*ours, *(part.id for part in self._parts().values() if not part.is_always)]

    def _filled(self, loaded: Loaded, request: GenerationRequest) -> dict[str, Any] | None:
        """One extension's values; None when it takes no part. Raises InvalidRequest."""
        is_named = loaded.id in request.extensions
        is_script = request.script == loaded.id
        if request.is_settled and not is_named and not is_script:
            return None
        values = self.given(loaded, request)
        if is_script:
            return values
        if loaded.is_out or not values.get(ENABLED, True):
            return None
        return values if takes_part(loaded, request.mode) else None

    def _of_parts(
        self, parts: Mapping[str, LegacyPart], request: GenerationRequest
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Of A1111's scripts those values that differ from what is there anyway."""
        for id, given in request.extensions.items():
            if id in parts:
                values = checked(parts[id].inputs, given, f"{FIELD}.{id}")
                usual = {each.id: each.default for each in parts[id].inputs}
                if changed := {k: v for k, v in values.items() if v != usual[k]}:
                    yield id, changed

    def _parts(self) -> Mapping[str, LegacyPart]:
        return self._running.old_scripts.parts()

    def _absent(self, id: str) -> str:
        found = self._running.found.get(id.partition("/")[0])
        if found is None:
            known = ", ".join(self._running.on) or "none"
            return f"There is no extension “{id}”. Those that are on: {known}."
        fault = self._running.fault(found.id)
        why = f" ({fault.error.rstrip('.')})" if fault else ""
        return (
            f"The extension “{found.manifest.name}” is off{why}. Switch it on at the Extensions "
            "tab, or leave out its values."
        )
