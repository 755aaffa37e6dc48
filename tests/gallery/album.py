"""Jobs, pictures and galleries for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from webui.core.job import LOCAL, Job, JobId, JobState, PersonId
from webui.core.recipe import ModelRef, Recipe
from webui.core.request import Extras, GenerationRequest, InputId, Mask, Mode, Source
from webui.gallery.gallery import Gallery
from webui.settings import Settings

SOURCE = Source(image=InputId("a" * 64), denoising_strength=0.6)
MASK = Mask(image=InputId("b" * 64))


def make_job(
    id: str = "job-1",
    prompt: str = "a red apple",
    mode: Mode = Mode.TXT2IMG,
    owner: PersonId = LOCAL,
    batch_size: int = 1,
    batch_count: int = 1,
    **recipe: Any,
) -> Job:
    """A job as the queue has it when its first picture is saved."""
    values = {
        "prompt": prompt,
        "negative_prompt": "",
        "model": ModelRef(id="starter", name="starter", family="sd15", hash="0123456789" * 6),
        "width": 64,
        "height": 64,
        "seed": 5,
        "sampler": "dpmpp_2m",
        "schedule": "karras",
        "steps": 20,
        "guidance_scale": 7.0,
        "clip_skip": 1,
        "source": None if mode is Mode.TXT2IMG else SOURCE,
        "mask": MASK if mode is Mode.INPAINT else None,
        "extras": Extras(image=SOURCE.image) if mode is Mode.EXTRAS else None,
        "version": "0.1.0",
    }
    return Job(
        id=JobId(id),
        owner=owner,
        state=JobState.SAVING,
        request=GenerationRequest(
            prompt=prompt, batch_size=batch_size, batch_count=batch_count, mask=values["mask"]
        ),
        recipe=Recipe(**{**values, **recipe}),
        created_at=1_700_000_000.0,
    )


def draw(seed: int = 0, side: int = 64) -> Image.Image:
    """A picture that differs from all others."""
    values = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return Image.fromarray(values)


def read(path: Path) -> Image.Image:
    """The picture in a file; an error if it is not whole."""
    with Image.open(path) as image:
        image.load()
        return image


def open_gallery(
    root: Path,
    settings: Callable[[], Settings] | None = None,
    free: Callable[[Path], int] = lambda folder: 10**12,
    clock: Callable[[], float] = lambda: 1_700_000_100.0,
) -> Gallery:
    """A gallery below `root`, recovered as the studio does it when it starts."""
    gallery = Gallery(root / "outputs", root / "data", settings or Settings, free=free, clock=clock)
    gallery.recover()
    return gallery
