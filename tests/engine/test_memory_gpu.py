"""A GPU whose memory is taken away in the middle: a picture or a clear refusal, every time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import pytest
import torch

from tests.engine.work import STARTER, work
from webui.core.errors import OutOfMemory
from webui.core.events import ImageReady
from webui.engine.device import choose_device
from webui.engine.options import Options
from webui.engine.painter import Painter
from webui.families import load_families
from webui.samplers import load_samplers
from webui.schedules import load_schedules

pytestmark = [pytest.mark.torch, pytest.mark.gpu]

MEBIBYTE = 2**20
TIMES = 100
STAGES = ("text", "steps", "decode")
SPARE_MIB = (0, 8, 64, 256)


@pytest.fixture
def painter() -> Iterator[Painter]:
    device = choose_device(Options())
    made = Painter(device, load_families(), load_samplers(), load_schedules())
    yield made
    made.manager.release()


def cap(spare_mib: int | None) -> None:
    """Leave so much beside what is taken now; None: all of it."""
    total = torch.cuda.get_device_properties(0).total_memory
    taken = torch.cuda.memory_allocated()
    share = 1.0 if spare_mib is None else (taken + spare_mib * MEBIBYTE) / total
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, share))


@contextmanager
def shrinking(painter: Painter, stage: str, spare_mib: int) -> Iterator[None]:
    """While it lasts, the memory shrinks when a stage begins."""
    with torch.inference_mode():
        parts = painter.manager.get(STARTER).components
    networks: dict[str, Any] = {
        "text": parts.text_encoders["text_encoder"],
        "steps": parts.diffusion_model,
        "decode": parts.vae.decoder,
    }
    handle = networks[stage].register_forward_pre_hook(lambda *_: cap(spare_mib))
    try:
        yield
    finally:
        handle.remove()
        cap(None)


def test_the_engine_outlives_a_hundred_shortages(painter: Painter) -> None:
    kinds = cycle((stage, spare) for spare in SPARE_MIB for stage in STAGES)
    made = refused = 0
    with torch.inference_mode():
        for number, (stage, spare) in zip(range(TIMES), kinds, strict=False):
            asked = work(steps=2, width=512, height=512, seed=number, prompt=f"an apple {number}")
            with shrinking(painter, stage, spare):
                try:
                    events = list(painter.paint(asked))
                    assert sum(isinstance(event, ImageReady) for event in events) == 1
                    made += 1
                except OutOfMemory:
                    refused += 1
        assert made + refused == TIMES
        assert made > 0
        events = list(painter.paint(work(steps=2)))
    assert any(isinstance(event, ImageReady) for event in events)
