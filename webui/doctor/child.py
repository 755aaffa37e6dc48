"""The examination itself, in a process of its own: `python -m webui.doctor.child FOLDER PLACE`.

Says on standard output, as lines of JSON, which step begins and how it ended.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from webui.core.engine import Engine
from webui.core.request import GenerationRequest, Mode, Sampling
from webui.doctor.rig import STEPS, JobFailed, Rig, switched_on, values_on
from webui.engine.process import EngineProcess
from webui.extend.extension import Extension
from webui.extend.finding import Found
from webui.extend.hookspecs import ENGINE_HOOKS
from webui.extend.legacy import LegacyHost
from webui.extend.manifest import Kind

JOB_HOOKS: Final = frozenset({"job_start", "prompt", "image_post", "image_save_before",
                              "image_save_after", "job_end", "register_text_tokens"})  # fmt: skip
PICTURE_MODES: Final = (Mode.TXT2IMG, Mode.IMG2IMG, Mode.INPAINT)


class Exam:
    """One extension, step by step. A step that fails ends only itself, but for loading."""

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        self._tell: Final = tell
        self.is_well = True

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Something that is tried; whatever it raises becomes its error."""
        self._tell({"begin": name})
        began = time.monotonic()
        error = trace = ""
        try:
            yield
        except (Exception, SystemExit) as fault:  # noqa: BLE001 - another border of extensions
            error, trace = _line(fault), traceback.format_exc()
        self.is_well = not error
        seconds = round(time.monotonic() - began, 3)
        step = {"name": name, "seconds": seconds, "error": error, "trace": trace}
        self._tell({"step": step})

    def examine(self, folder: Path, place: Path, engine: str) -> None:
        """All steps, as far as they make sense for this one."""
        chosen = _LateEngine(engine)
        with self.step("read"):
            rig = Rig(folder, place, chosen)
            found = rig.found
            self._tell({"about": {"id": found.id, "kind": found.kind.value}})
            chosen.choose(needs_real=_runs_in_engine(found))
        if not self.is_well:
            return
        try:
            self._use(rig)
        finally:
            with self.step("end"):
                rig.close()

    def _use(self, rig: Rig) -> None:
        with self.step("load"):
            rig.start()
            rig.switch_on()
        if not self.is_well:
            return
        extension = rig.extension
        with self.step("page"):
            _build(rig)
        for name, request in _requests(rig, extension):
            with self.step(name):
                before = len(rig.extension.failures)
                rig.run(request)
                _raise_new(rig.extension, before)


def _requests(rig: Rig, extension: Extension) -> Iterator[tuple[str, GenerationRequest]]:
    """What is tried: each kind of job with blank inputs, then with all switches on."""
    modes = list(PICTURE_MODES) if _takes_part(extension) else []
    if extension.has_hook("extras_op"):
        modes.append(Mode.EXTRAS)
    on = {extension.id: values_on(extension)}
    for mode in modes:
        yield f"{mode.value} job", rig.request(mode)
        if extension.inputs:
            yield f"{mode.value} job, on", rig.request(mode, extensions=on)
    if extension.has_hook("job_run"):
        yield "script job", rig.request(Mode.TXT2IMG, script=extension.id, extensions=on)
    for label in extension.registered.get("sampler", ()):
        sampling = Sampling(steps=STEPS, sampler=label)
        yield f"sampler {label}", rig.request(Mode.TXT2IMG, sampling=sampling)
    for label in extension.registered.get("schedule", ()):
        sampling = Sampling(steps=STEPS, schedule=label)
        yield f"schedule {label}", rig.request(Mode.TXT2IMG, sampling=sampling)
    yield from _old_requests(rig, rig.studio.extensions.legacy)


def _old_requests(rig: Rig, host: LegacyHost | None) -> Iterator[tuple[str, GenerationRequest]]:
    """Jobs with the scripts of an A1111 extension: as they are, then each switched on."""
    parts = () if host is None else host.parts()
    for mode in sorted({mode for part in parts if part.is_always for mode in part.modes}):
        yield f"{mode.value} job", rig.request(mode)
    for part in parts:
        defaults = {each.id: each.default for each in part.inputs}
        on = {part.id: {**defaults, **switched_on(part)}}
        script = None if part.is_always else part.id
        for mode in part.modes:
            name = f"{part.title}, {mode.value}, on"
            yield name, rig.request(mode, script=script, extensions=on)


def _takes_part(extension: Extension) -> bool:
    if extension.kind is Kind.A1111:
        return False  # its parts are asked one by one
    return any(map(extension.has_hook, (*JOB_HOOKS, *ENGINE_HOOKS)))


def _runs_in_engine(extension: Found) -> bool:
    """Told from its code, which is not loaded yet: an old script, or the name of such a hook."""
    if extension.kind is Kind.A1111 or extension.engine_file not in (None, extension.file):
        return True
    file = extension.file or extension.folder / "__init__.py"
    text = file.read_text("utf-8", "replace") if file.is_file() else ""
    names = (*ENGINE_HOOKS, "register_samplers", "register_schedules", "register_upscalers")
    return any(f"def {name}(" in text for name in names)


def _build(rig: Rig) -> None:
    from webui.api.build import build_api
    from webui.gate.server import protect
    from webui.ui.build import mount_page

    protect(mount_page(build_api(rig.studio, None), rig.studio))


def _raise_new(extension: Extension, before: int) -> None:
    """What was booked of the extension since there were so many failures."""
    for failure in extension.failures[before:]:
        fault = JobFailed(f"{failure.hook}: {failure.message}")
        fault.add_note(failure.traceback)
        raise fault


def _line(fault: BaseException) -> str:
    text = " ".join(str(fault).split()) or type(fault).__name__
    plain = isinstance(fault, JobFailed)
    return text[:300] if plain else f"{type(fault).__name__}: {text}"[:300]


class _LateEngine:
    """An engine that is chosen once the extension is known: the real one takes its time."""

    def __init__(self, wanted: str) -> None:
        self.id = "doctor"
        self._wanted: Final = wanted
        self._engine: Engine | None = None

    def choose(self, *, needs_real: bool) -> None:
        """Take the real engine, or the one that paints patterns."""
        is_real = self._wanted == "real" or (self._wanted == "auto" and needs_real)
        factory = "webui.engine.local:create" if is_real else "webui.engine.fake:create"
        options: dict[str, Any] = {"use_cpu": True, "threads": 1} if is_real else {}
        self._engine = EngineProcess(self.id, factory, options)

    def __getattr__(self, name: str) -> Any:
        if self._engine is None:
            self.choose(needs_real=False)
        return getattr(self._engine, name)


def main(arguments: list[str]) -> None:
    """Examine, whatever the extension prints."""
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    folder, place = map(Path, arguments)
    exam = Exam(_teller(said))
    exam.examine(folder, place, os.environ.get("GESSO_DOCTOR_ENGINE", "auto"))
    said.flush()
    os._exit(0)  # whatever threads the extension left behind


def _teller(said: IO[str]) -> Callable[[dict[str, Any]], None]:
    def tell(line: dict[str, Any]) -> None:
        said.write(json.dumps(line) + "\n")
        said.flush()

    return tell


if __name__ == "__main__":
    main(sys.argv[1:])
