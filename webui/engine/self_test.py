"""A small picture at start-up, by the whole way that real ones go.

Libraries have broken single files, clip skip and imports in minor versions; this says so at once
instead of at the first request.
"""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path
from typing import Final

import diffusers
import torch
import transformers

from webui import __version__
from webui.core.engine import Work
from webui.core.errors import EngineError
from webui.core.events import ImageReady
from webui.core.model import ModelInfo, ModelKind
from webui.core.recipe import ModelRef, Recipe
from webui.engine.device import Device
from webui.engine.painter import Painter
from webui.engine.tiny_model import write_checkpoint, write_description
from webui.families import Families
from webui.families.sd15 import StableDiffusion15
from webui.samplers import load_samplers
from webui.schedules import load_schedules

log = logging.getLogger(__name__)

SIDE: Final = 64


def check_engine(device: Device) -> None:
    """Raises EngineError, with the versions in use, when no picture comes out."""
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as folder:
            size = _paint_one(device, Path(folder))
    except Exception as error:  # whatever a library throws, the person is told which ones
        raise EngineError(f"The self-test failed: {error!r} {_advice()}") from error
    if size != (SIDE, SIDE):
        raise EngineError(f"The self-test failed: its picture has the size {size}. {_advice()}")
    log.info("Self-test passed in %.2f s.", time.monotonic() - started)


def _paint_one(device: Device, folder: Path) -> tuple[int, int] | None:
    """The size of a picture from a single file, with clip skip, emphasis and guidance."""
    description = write_description(folder / "description")
    checkpoint = write_checkpoint(folder / "tiny.safetensors", description)
    families = Families([StableDiffusion15(config=description)])
    painter = Painter(device, families, load_samplers(), load_schedules())
    model = ModelInfo(
        id="tiny",
        name="tiny",
        kind=ModelKind.CHECKPOINT,
        family="sd15",
        path=checkpoint,
        size_bytes=checkpoint.stat().st_size,
    )
    recipe = Recipe(
        prompt="a (red:1.2) apple",
        negative_prompt="",
        model=ModelRef(id="tiny", name="tiny", family="sd15", hash=""),
        width=SIDE,
        height=SIDE,
        seed=0,
        sampler="dpmpp_2m",
        schedule="karras",
        steps=2,
        guidance_scale=4.0,
        clip_skip=2,
        version=__version__,
    )
    work = Work(recipes=(recipe,), model=model, inputs={})
    pictures = [event.image for event in painter.paint(work) if isinstance(event, ImageReady)]
    painter.manager.release()
    return pictures[0].size if len(pictures) == 1 else None


def _advice() -> str:
    versions = ", ".join(
        f"{lib.__name__} {lib.__version__}" for lib in (torch, diffusers, transformers)
    )
    return f"(with {versions}). Start with launch.py, which installs versions that work."
