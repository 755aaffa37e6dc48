"""A studio of its own for one extension: the doctor and authors' tests try it out here."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from PIL import Image

from webui.core.engine import Engine
from webui.core.job import Job
from webui.core.request import (
    Extras,
    GenerationRequest,
    InputId,
    Mask,
    Mode,
    Sampling,
    Source,
)
from webui.extend.extension import Extension
from webui.extend.finding import look_at, look_at_file
from webui.extend.legacy import LegacyPart
from webui.extend.packages import VARIABLE, use_packages
from webui.settings import SettingsStore
from webui.studio import Studio

SIDE: Final = 64
STEPS: Final = 2
POLL_S: Final = 0.02
LEFT_BEHIND: Final = shutil.ignore_patterns(".git", "__pycache__", ".pytest_cache", ".venv")
MODELS: Final = Path(__file__).resolve().parent.parent.parent / "models"


ENABLING: Final = re.compile(r"\b(enabled?|activ\w*|use|on)\b")


class JobFailed(Exception):
    """A job of the rig did not end well; the text says why."""


class Rig:
    """The studio, with a copy of the extension: what that writes beside itself is thrown away."""

    def __init__(self, extension: Path, place: Path, engine: Engine) -> None:
        folder = place / "extensions"
        folder.mkdir(parents=True, exist_ok=True)
        copy = _copied(extension, folder)
        self.found: Final = look_at(copy) if copy.is_dir() else look_at_file(copy)
        if self.found.error:
            raise JobFailed(self.found.error)
        settings = {
            "data_dir": str(place),
            "models_dir": str(MODELS),
            "keep_free_mb": 0,
            "show_previews": False,
            "ext_only": self.found.id,
        }
        packages = os.environ.get(VARIABLE)
        self.studio: Final = Studio(SettingsStore(settings), [engine])
        if packages is not None:  # those of whoever asks for the trial, not of its empty studio
            os.environ[VARIABLE] = packages
            use_packages()

    @property
    def extension(self) -> Extension:
        """The one that is tried."""
        return self.studio.extensions.get(self.found.id)

    def switch_on(self) -> None:
        """Load it. Raises JobFailed with its traceback."""
        extension = self.studio.extensions.enable(self.found.id)
        if not extension.is_on:
            fault = JobFailed(extension.error or f"It is {extension.state.value}.")
            fault.add_note(extension.traceback)
            raise fault

    def start(self) -> None:
        """Run the queue."""
        self.studio.start()

    def close(self) -> None:
        """End all."""
        self.studio.close()

    def request(self, mode: Mode, **fields: Any) -> GenerationRequest:
        """A small request of this kind."""
        parts: dict[str, Any] = {}
        if mode is Mode.EXTRAS:
            parts["extras"] = Extras(image=self._picture("RGB"), scale=1.0)
        elif mode is not Mode.TXT2IMG:
            parts["source"] = Source(image=self._picture("RGB"), denoising_strength=0.6)
        if mode is Mode.INPAINT:
            parts["mask"] = Mask(image=self._picture("L"))
        common = {"prompt": "a red house", "width": SIDE, "height": SIDE, "seed": 1}
        sampling = Sampling(steps=STEPS)
        return GenerationRequest(**{**common, "sampling": sampling, **parts, **fields})

    def run(self, request: GenerationRequest, patience_s: float = 60.0) -> Job:
        """The job when it is done. Raises JobFailed, and what `submit` raises."""
        job = self.studio.submit(request)
        end = time.monotonic() + patience_s
        while not (job := self.studio.jobs.get(job.id)).state.is_over:
            if time.monotonic() > end:
                raise JobFailed(f"The job was not over after {patience_s:g} seconds.")
            time.sleep(POLL_S)
        if job.reason:
            raise JobFailed(job.reason)
        return job

    def pictures(self, job: Job) -> list[Image.Image]:
        """What the job made, in its order."""
        found = []
        for picture in self.studio.gallery.of_job(job.id):
            with Image.open(picture.path) as image:
                found.append(image.convert("RGB"))
        return found

    def _picture(self, mode: str) -> InputId:
        ramp = Image.linear_gradient("L").resize((SIDE, SIDE))
        return self.studio.inputs.add_image(ramp.convert(mode))


def values_on(extension: Extension) -> Mapping[str, Any]:
    """Its inputs with every switch on, so that what they hide is tried as well."""
    on = {each.id: True for each in extension.inputs if each.kind == "toggle"}
    return {**{each.id: each.default for each in extension.inputs}, **on}


def switched_on(part: LegacyPart) -> Mapping[str, Any]:
    """The control of an old script that most likely switches it on: the first that says so, else
    its first box to tick. Further ones are for parts that may exclude each other."""
    boxes = [each for each in part.inputs if isinstance(each.default, bool)]
    telling = [each for each in boxes if ENABLING.search(f"{each.id} {each.label}".lower())]
    return {each.id: True for each in (telling or boxes)[:1]}


def _copied(source: Path, folder: Path) -> Path:
    target = folder / source.name
    if source.is_dir():
        shutil.copytree(source, target, ignore=LEFT_BEHIND, symlinks=True)
    else:
        shutil.copy(source, target)
    return target
