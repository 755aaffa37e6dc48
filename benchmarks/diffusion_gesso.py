"""Our side of benchmarks/diffusion.py: a Painter, as the engine has it, and its parts alone."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusion_measures import (
    GIBIBYTE,
    NEGATIVE,
    PROMPT,
    SCALES,
    Row,
    Told,
    cap,
    error_of,
    free,
    on_gpu,
    resident_kib,
    seconds,
    sync,
    with_peak,
)
from PIL import Image

from webui import __version__
from webui.core.engine import Work
from webui.core.events import ImageReady, Progress
from webui.core.model import ModelInfo, ModelKind
from webui.core.recipe import ModelRef, Recipe
from webui.engine.autoencoder import decode
from webui.engine.gated_layers import halve_gates
from webui.engine.graphs.choice import make_recorder
from webui.engine.graphs.compiler import Compiler
from webui.engine.graphs.compiling_runner import CompilingRunner
from webui.engine.graphs.graph_runner import GraphRunner
from webui.engine.graphs.recorder import RehearsingRecorder
from webui.engine.graphs.runner import EagerRunner
from webui.engine.group_norm import widen_norms
from webui.engine.painter import Painter
from webui.samplers import load_samplers
from webui.schedules import load_schedules

CAPS = (("cap-5.5", 5.5, "sdxl"), ("cap-3.5", 3.5, "sdxl"), ("cap-1.7", 1.7, "sdxl"))
SEED = 7
FIRST = Path(__file__).with_name("diffusion_first.py")
WARM = 4
"""Pictures until all that is recorded of a size and of the text encoders is."""
numbers = count()


def rows(told: Told) -> Iterator[Row]:
    """Of one kind."""
    if told.kind == "caps":
        for name, gibibytes, kind in (*CAPS, ("cap-sd15-3.5", 3.5, "sd15")):
            yield Row(name=name, run=partial(_capped, told, kind, gibibytes))
        return
    painter = _painter(told)
    for size in (1, 4) if told.is_gpu or told.is_tiny else (1,):
        name = f"{told.kind}-b{size}"
        yield Row(name=name, run=partial(_pictures, told, painter, told.kind, size))
    if told.kind == "sdxl":
        yield Row(name="sdxl-switch", run=partial(_switch, told, painter))
        yield Row(name="sdxl-first", run=partial(_first, told, painter))
    painter.manager.release()
    free()
    if told.is_gpu or told.is_tiny:
        yield Row(name=f"{told.kind}-unet", run=partial(_unet, told))
        yield Row(name=f"{told.kind}-vae", run=partial(_vae, told))
        if told.has_compiler:
            yield Row(name=f"{told.kind}-compiled", run=partial(_compiled, told))
            yield Row(name=f"{told.kind}-b1-compiled", run=partial(_compiled_pictures, told))


def _painter(told: Told) -> Painter:
    return Painter(told.device, told.families, load_samplers(), load_schedules())


def work_of(
    told: Told, kind: str, size: int, name: str = "a", prompt: str = "", **changes: Any
) -> Work:
    """A batch of pictures of random weights; `changes` are of its recipe."""
    file = told.checkpoint(kind, name)
    model = ModelInfo(
        id=file.stem,
        name=file.stem,
        kind=ModelKind.CHECKPOINT,
        family=kind,
        path=file,
        size_bytes=file.stat().st_size,
    )
    recipe = Recipe(
        prompt=prompt or f"{PROMPT} {next(numbers)}",
        negative_prompt=NEGATIVE,
        model=ModelRef(id=model.id, name=model.name, family=kind, hash=""),
        width=told.pixels(kind),
        height=told.pixels(kind),
        seed=SEED,
        sampler="euler",
        schedule="automatic",
        steps=told.steps,
        guidance_scale=SCALES[kind],
        clip_skip=1,
        version=__version__,
    )
    recipe = replace(recipe, **changes)
    pictures = tuple(recipe.at(index) for index in range(size))
    return Work(recipes=pictures, model=model, inputs={}, preview_every_s=0)


def paint(painter: Painter, work: Work) -> tuple[list[Image.Image], list[float], dict[str, str]]:
    """The pictures, when each step was told, and the last picture's facts."""
    pictures, marks, facts = [], [], {}
    for event in painter.paint(work):
        if isinstance(event, Progress):
            marks.append(time.perf_counter())
        elif isinstance(event, ImageReady):
            pictures.append(event.image)
            facts = dict(event.facts)
    return pictures, marks, facts


def _pictures(told: Told, painter: Painter, kind: str, size: int) -> Mapping[str, Any]:
    painter.manager.get(work_of(told, kind, size).model)
    sync()
    last: list[Any] = []

    def run() -> None:
        last[:] = paint(painter, work_of(told, kind, size))

    figures = with_peak(lambda: seconds(run, told.repeats, warm=WARM if told.is_gpu else 1))
    pictures, marks, facts = last
    assert len(pictures) == size
    return {
        **figures,
        "per_image_s": figures["s"] / size,
        "step_ms": step_ms(marks),
        "spread": float(np.asarray(pictures[0]).std()),
        "facts": {key: value for key, value in facts.items() if key not in ("torch", "diffusers")},
    }


def _capped(told: Told, kind: str, gibibytes: float) -> Mapping[str, Any]:
    """The same picture as without a cap, as far as the eye and the bits go."""
    free_painter = _watched(told)
    work = work_of(told, kind, 1, prompt=PROMPT)
    wanted = paint(free_painter, work)[0][0]
    latents = free_painter.latents.cpu()
    free_painter.manager.release()
    del free_painter
    free()
    cap(gibibytes)
    painter = _watched(told)
    last: list[Any] = []

    def run() -> None:
        last[:] = paint(painter, work)

    try:
        repeats = 1 if told.is_quick or told.is_tiny else 2
        figures = with_peak(lambda: seconds(run, repeats, warm=1))
    finally:
        painter.manager.release()
        cap(None)
    pictures, marks, facts = last
    apart = np.abs(np.asarray(pictures[0]).astype(int) - np.asarray(wanted))
    return {
        **figures,
        "step_ms": step_ms(marks),
        "is_same_latent": bool(torch.equal(painter.latents.cpu(), latents)),
        "is_same_picture": pictures[0].tobytes() == wanted.tobytes(),
        "largest_difference": int(apart.max()),
        "mean_difference": float(apart.mean()),
        "picture": hashlib.sha256(wanted.tobytes()).hexdigest()[:12],
        "facts": {key: value for key, value in facts.items() if key not in ("torch", "diffusers")},
    }


class _Watched(Painter):
    """Keeps what the network made, before the VAE."""

    latents: torch.Tensor

    def _check_numbers(self, work: Work, latents: torch.Tensor) -> None:
        self.latents = latents.clone()
        super()._check_numbers(work, latents)


def _watched(told: Told) -> _Watched:
    return _Watched(told.device, told.families, load_samplers(), load_schedules())


def _switch(told: Told, painter: Painter) -> Mapping[str, Any]:
    """To a checkpoint that is not in memory: until it is ready, until its first step."""
    ready, first_step, memory = [], [], []
    loads, foreseen = (_loads(told, painter, is_foreseen=each) for each in (False, True))
    for _ in range(1 if told.is_tiny else 3):  # what was recorded, for an artist, is already
        paint(painter, work_of(told, "sdxl", 1))
    for turn in range(max(2, 2 if told.is_tiny else told.switches)):
        work = work_of(told, "sdxl", 1, name="ba"[turn % 2])
        sync()
        started = time.perf_counter()
        painter.manager.get(work.model)
        sync()
        ready.append(time.perf_counter() - started)
        events = painter.paint(work)
        for event in events:
            if isinstance(event, Progress) and event.step:
                sync()
                first_step.append(time.perf_counter() - started)
                break
        events.close()
        device = torch.cuda.memory_allocated() if torch.cuda.is_available() else 0
        memory.append((resident_kib() / 2**20, device / GIBIBYTE))
    middle = len(ready) // 2
    return {
        "ready_s": sorted(ready)[middle],
        "first_step_s": sorted(first_step)[middle],
        "times": ready,
        "first_step_times": first_step,
        "loads_s": loads,
        "foreseen_loads_s": foreseen,
        "ram_gib": [each[0] for each in (memory[1], memory[-1])],
        "vram_gib": [each[1] for each in (memory[1], memory[-1])],
    }


def _loads(told: Told, painter: Painter, *, is_foreseen: bool) -> list[float]:
    """From a file to the device, with nothing of the model in memory, or with what it is built of
    alone; the first pins memory."""
    took = []
    for _ in range(1 if told.is_tiny else 3):
        painter.manager.release()
        model = work_of(told, "sdxl", 1).model
        if is_foreseen:
            painter.manager.foresee(model)
            for _ in painter.manager.reserve():
                pass
        free()
        sync()
        started = time.perf_counter()
        painter.manager.get(model)
        sync()
        took.append(time.perf_counter() - started)
    return took


def _first(told: Told, painter: Painter) -> Mapping[str, Any]:
    """By the engine as it is shipped, in processes of their own: the first SDXL model that it
    loads, out of the blue, told before, and told after another model's picture."""
    painter.manager.release()
    free()
    arguments = [str(told.checkpoint("sdxl")), str(told.folder / "first")]
    found: dict[str, list[Any]] = {"nothing": [], "told": [], "used": []}
    for _ in range(3):
        for before, rows in found.items():
            child = [sys.executable, str(FIRST), *arguments, before]
            told_by = subprocess.run(child, stdout=subprocess.PIPE, check=True, timeout=120)
            rows.append(json.loads(told_by.stdout.splitlines()[-1]))
    return found


def _unet(told: Told) -> Mapping[str, Any]:
    """One call on the GPU: eager, as a graph; contiguous and channels last."""
    found: dict[str, Any] = {}
    for layout in ("contiguous", "channels_last", "quickened"):
        unet = told.load(told.kind, is_channels_last=layout == "channels_last").diffusion_model
        if layout == "quickened" and told.is_gpu:
            widen_norms(unet)
            halve_gates(unet)
        for size in (1, 2, 8):
            given = told.unet_arguments(told.kind, unet, size)
            name = f"{layout}_ms_n{size}"
            found.update(graphed(told, unet, given, name))
        del unet, given
        free()
    return found


def graphed(told: Told, network: Any, given: dict[str, Any], name: str) -> dict[str, Any]:
    """A call, eager and as a graph."""
    recorder = make_recorder(told.device.placement.device) or RehearsingRecorder()
    eager, runner = EagerRunner(network), GraphRunner(network, recorder, eager_calls=0)
    before = eager(given, is_hooked=False)
    sync()
    started = time.perf_counter()
    after = runner(given, is_hooked=False)
    sync()
    took = time.perf_counter() - started
    found = {
        f"capture_s_{name}": took,
        f"is_same_{name}": bool(torch.equal(before, after)),
        f"held_gib_{name}": runner.kept_bytes / GIBIBYTE,
        f"eager_{name}": on_gpu(partial(eager, given, is_hooked=False), calls=3, groups=3),
        f"graph_{name}": on_gpu(partial(runner, given, is_hooked=False), calls=5, groups=3),
        f"recordings_{name}": runner.kept_recordings,
    }
    runner.forget()
    return found


def _vae(told: Told) -> Mapping[str, Any]:
    """Decoding one latent to a picture in memory: as the engine does it, at once, in strips."""
    found: dict[str, Any] = {}
    cells = told.pixels(told.kind) // 8
    draw = torch.Generator().manual_seed(3)
    latent = torch.randn(4, cells, cells, generator=draw).to(told.device.placement.device)
    for layout in ("contiguous", "channels_last", "quickened"):
        vae = told.load(told.kind, is_channels_last=layout == "channels_last").vae
        if layout == "quickened" and told.is_gpu:
            widen_norms(vae)
        free()
        for tile in (None, 4096, 64, 32, 16):
            name = f"{layout}_tile_{tile}"
            run = partial(decode, vae, latent, tile)
            figures = with_peak(partial(seconds, run, 1 if told.is_tiny else 3))
            found[f"ms_{name}"] = figures["s"] * 1e3
            found[f"peak_gib_{name}"] = figures.get("peak_gib", 0.0)
        found[f"precision_{layout}"] = str(vae.dtype)
        del vae, run
    return found


def _compiled(told: Told) -> Mapping[str, Any]:
    unet = told.load(told.kind).diffusion_model
    given = told.unet_arguments(told.kind, unet, 2)
    return compiled(told, unet, given, EagerRunner(unet)(given, is_hooked=False))


def compiled(
    told: Told, unet: Any, given: dict[str, Any], exact: torch.Tensor
) -> Mapping[str, Any]:
    """Repeated blocks compiled in the background, then recorded."""
    found: dict[str, Any] = {}
    eager = EagerRunner(unet)(given, is_hooked=False)
    recorder = make_recorder(told.device.placement.device) or RehearsingRecorder()
    inner = GraphRunner(unet, recorder, eager_calls=1)
    compiler = Compiler(told.folder / "compiled", "eager" if told.is_tiny else "inductor")
    runner = CompilingRunner(unet, inner, compiler, calls_before=0)
    started = time.perf_counter()
    runner(given, is_hooked=False)
    found["is_done"] = runner.jobs[0].is_over.wait(300)
    found["compile_s"] = time.perf_counter() - started
    for _ in range(3):
        answer = runner(given, is_hooked=False)
    return {
        **found,
        "notes": list(runner.notes),
        "error_eager": error_of(eager, exact),
        "error": error_of(answer, exact),
        "recordings": inner.kept_recordings,
        "graph_compiled_ms_n2": on_gpu(partial(runner, given, is_hooked=False), groups=3),
    }


def _compiled_pictures(told: Told) -> Mapping[str, Any]:
    """Whole pictures, when the background job is done; an earlier row may have left its work."""
    backend = told.folder / "compiled"
    painter = Painter(
        told.device, told.families, load_samplers(), load_schedules(), backend, compiles=True
    )
    work = work_of(told, told.kind, 1)
    while not (jobs := painter.manager.get(work.model).runner.jobs):
        paint(painter, work_of(told, told.kind, 1))
    started = time.perf_counter()
    is_done = jobs[0].is_over.wait(300)
    waited = time.perf_counter() - started
    return {"is_done": is_done, "waited_s": waited, **_pictures(told, painter, told.kind, 1)}


def step_ms(marks: list[float]) -> float:
    """Milliseconds from one to the next, in the middle of all."""
    apart = sorted(b - a for a, b in pairwise(marks))
    return apart[len(apart) // 2] * 1e3 if apart else 0.0
