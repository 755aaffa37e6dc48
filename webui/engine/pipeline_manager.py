"""The models in memory: one at a time, one set of weights for all modes."""

from __future__ import annotations

import gc
import logging
import threading
import time
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import torch

from webui.core.errors import ModelUnreadable
from webui.core.model import ModelInfo
from webui.engine.conditioning import PromptEncoder
from webui.engine.preview import Previewer
from webui.families import Families
from webui.families.components import Components, Placement
from webui.schedules.noise_levels import NoiseLevels

log = logging.getLogger(__name__)

Stamp = tuple[tuple[str, int, int], ...]


@dataclass(kw_only=True)
class Pipeline:
    """A loaded model and what is derived from it once. txt2img, img2img and inpaint share it."""

    components: Components
    encoder: PromptEncoder
    levels: NoiseLevels

    @cached_property
    def previewer(self) -> Previewer:
        """Made when the first preview is wanted."""
        return Previewer(self.components.vae)


class PipelineManager:
    """Loads models on demand and keeps the last. Usable from any thread."""

    def __init__(self, families: Families, placement: Placement) -> None:
        self._families: Final = families
        self._placement: Final = placement
        self._lock: Final = threading.Lock()
        self._stamp: Stamp | None = None
        self._pipeline: Pipeline | None = None

    def is_loaded(self, model: ModelInfo) -> bool:
        """Whether `get` would answer at once. False when the file was replaced since."""
        return self._pipeline is not None and self._stamp == _stamp(model)

    def get(self, model: ModelInfo) -> Pipeline:
        """The model, loaded if it is not the one in memory, which then makes room first.

        Raises ModelUnreadable.
        """
        with self._lock:
            if self._pipeline is None or not self.is_loaded(model):
                self._free()
                self._pipeline = self._load(model)
                self._stamp = _stamp(model)
            return self._pipeline

    def release(self) -> None:
        """Free the model in memory."""
        with self._lock:
            self._free()

    def _load(self, model: ModelInfo) -> Pipeline:
        family = self._families.get(model.family)
        if family is None:
            raise ModelUnreadable(
                model.name, f"its family “{model.family}” is unknown here. Refresh the models."
            )
        started = time.monotonic()
        components = family.load(model.path, self._placement)
        log.info("Loaded %s in %.1f s.", model.name, time.monotonic() - started)
        return Pipeline(
            components=components,
            encoder=PromptEncoder(components),
            levels=NoiseLevels(components.betas),
        )

    def _free(self) -> None:
        self._pipeline = self._stamp = None
        free_memory()


def free_memory() -> None:
    """Give back what nothing uses any more, to the device too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()


def _stamp(model: ModelInfo) -> Stamp:
    """Changes when a weight file is replaced. Raises ModelUnreadable when there is none."""
    path = model.path
    files = [path] if path.is_file() else sorted(path.rglob("*.safetensors"))
    if not files:
        raise ModelUnreadable(model.name, "it is no longer there. Refresh the list of models.")
    stats = [(file, file.stat()) for file in files]
    return tuple((str(file), stat.st_mtime_ns, stat.st_size) for file, stat in stats)
