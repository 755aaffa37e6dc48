"""A picture of the starter model: our engine against diffusers' stock pipeline.

    python benchmarks/starter.py [--threads 2] [--rounds 7] [--side 256] [--steps 20]

Same weights, precision, threads, prompt, sampler and schedule, warm, taking turns so that other
work on the machine hits all alike. Prints JSON: seconds per picture and the ratio of each pair of
turns (below 1: ours is faster). "stock_channels_last" is the stock pipeline with the memory
layout that we choose; nobody gets it without asking. CPU only.

"loop" is our denoising alone, from the first step's beginning to the last one's end, through the
engine's thread; "bare" is as many calls of the same network with tensors of the same shapes and
nothing between them. Their ratio is what sampler, guidance, progress and threads cost. Both are
seconds of processor time, which other work on the machine hardly touches.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from webui.core.engine import Work
from webui.core.events import ImageReady, Progress
from webui.core.model import ModelInfo, ModelKind
from webui.core.recipe import ModelRef, Recipe
from webui.engine.environment import prepare_environment
from webui.engine.local import LocalEngine, create

STARTER = Path(__file__).resolve().parent.parent / "models" / "starter"
PROMPT = "a red apple, 3d style"
GUIDANCE_SCALE = 4.0


def main() -> None:
    """Take turns, print figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("threads", 2), ("rounds", 7), ("side", 256), ("steps", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    prepare_environment(os.environ)
    engine = create({"use_cpu": True, "threads": options.threads})
    device = engine.prepare()
    ways: dict[str, Callable[[], object]] = {"ours": partial(ours, engine, work(options))}
    seconds_of = {"loop": partial(loop, engine, work(options)), "bare": bare(options)}
    ways["stock"] = partial(stock, pipeline(is_channels_last=False), options)
    ways["stock_channels_last"] = partial(stock, pipeline(is_channels_last=True), options)
    seconds = take_turns(ways, options.rounds)
    seconds |= take_turns_of_their_own_clocks(seconds_of, options.rounds)
    engine.close()
    print(json.dumps({"device": device, **vars(options), **figures(seconds)}, indent=2))


def take_turns(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way in each round, after one that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(-1, rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if round_ >= 0:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def take_turns_of_their_own_clocks(
    ways: Mapping[str, Callable[[], float]], rounds: int
) -> dict[str, list[float]]:
    """As `take_turns`, for ways that say themselves how long the part took that counts."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(-1, rounds):
        for name, way in ways.items():
            taken = way()
            if round_ >= 0:
                seconds[name].append(taken)
    return seconds


def figures(seconds: Mapping[str, list[float]]) -> dict[str, Any]:
    """Median and best of each way, and of the ratios within the rounds."""
    report: dict[str, Any] = {}
    for name, values in seconds.items():
        report[name] = {
            "median_s": round(statistics.median(values), 3),
            "best_s": round(min(values), 3),
        }
    for ours, theirs in (("ours", "stock"), ("ours", "stock_channels_last"), ("loop", "bare")):
        pairs = zip(seconds[ours], seconds[theirs], strict=True)
        report[f"{ours}/{theirs}"] = {
            "median": round(statistics.median(one / other for one, other in pairs), 3),
            "best_of_each": round(min(seconds[ours]) / min(seconds[theirs]), 3),
        }
    return report


def ours(engine: LocalEngine, batch: Work) -> object:
    """One picture from our engine, previews switched on as on the page."""
    return [event for event in engine.generate(batch) if isinstance(event, ImageReady)]


def loop(engine: LocalEngine, batch: Work) -> float:
    """Processor seconds of the denoising of one picture, without previews."""
    started = ended = 0.0
    for event in engine.generate(replace(batch, preview_every_s=0)):
        if isinstance(event, Progress):
            ended = time.process_time()
            started = started or ended
    return ended - started


def bare(options: argparse.Namespace) -> Callable[[], float]:
    """Processor seconds of as many calls of the same network, with and without guidance in one."""
    import torch

    from webui.engine.device import choose_device
    from webui.engine.options import Options
    from webui.engine.pipeline_manager import PipelineManager
    from webui.families import load_families

    placement = choose_device(Options(use_cpu=True, threads=options.threads)).placement
    model = work(options).model
    with torch.inference_mode():
        unet = PipelineManager(load_families(), placement).get(model).components.diffusion_model
        latents = torch.randn(2, 4, options.side // 8, options.side // 8).to(unet.dtype)
        texts = torch.randn(2, 77, int(unet.config.cross_attention_dim)).to(unet.dtype)

    def call() -> float:
        with torch.inference_mode():
            started = time.process_time()
            for step in range(options.steps):
                unet(latents, torch.tensor(999.0 - step), texts, return_dict=False)
            return time.process_time() - started

    return call


def work(options: argparse.Namespace) -> Work:
    """The batch that our engine is given."""
    recipe = Recipe(
        prompt=PROMPT,
        negative_prompt="",
        model=ModelRef(id="starter", name="starter", family="sd15", hash=""),
        width=options.side,
        height=options.side,
        seed=1,
        sampler="dpmpp_2m",
        schedule="karras",
        steps=options.steps,
        guidance_scale=GUIDANCE_SCALE,
        clip_skip=1,
        version="0",
    )
    model = ModelInfo(
        id="starter",
        name="starter",
        kind=ModelKind.CHECKPOINT,
        family="sd15",
        path=STARTER,
        size_bytes=0,
        is_starter=True,
    )
    return Work(recipes=(recipe,), model=model, inputs={}, preview_every_s=0.5)


def pipeline(is_channels_last: bool) -> Any:
    """diffusers' own pipeline in the engine's precision."""
    import torch
    from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline

    from webui.engine.device import choose_device
    from webui.engine.options import Options

    dtype = choose_device(Options(use_cpu=True)).placement.dtype
    made = StableDiffusionPipeline.from_pretrained(STARTER, dtype=dtype, local_files_only=True)
    made = made.to(dtype=dtype)
    made.scheduler = DPMSolverMultistepScheduler.from_config(
        made.scheduler.config, use_karras_sigmas=True
    )
    made.set_progress_bar_config(disable=True)
    if is_channels_last:
        made.unet.to(memory_format=torch.channels_last)
        made.vae.to(memory_format=torch.channels_last)
    return made


def stock(made: Any, options: argparse.Namespace) -> object:
    """One picture from diffusers' pipeline."""
    import torch

    return made(
        PROMPT,
        num_inference_steps=options.steps,
        guidance_scale=GUIDANCE_SCALE,
        width=options.side,
        height=options.side,
        generator=torch.Generator().manual_seed(1),
    ).images


if __name__ == "__main__":
    main()
