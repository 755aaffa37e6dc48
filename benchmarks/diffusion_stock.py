"""Stock diffusers in benchmarks/diffusion.py: its pipelines as their documentation has them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import count, pairwise
from typing import Any

import torch
from diffusers import (
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
)
from diffusion_measures import (
    NEGATIVE,
    PROMPT,
    SCALES,
    Row,
    Told,
    cap,
    free,
    on_gpu,
    seconds,
    sync,
    with_peak,
)
from safetensors.torch import load_file

numbers = count()


def rows(told: Told) -> Iterator[Row]:
    """Of one kind."""
    if told.kind == "caps":
        if told.is_gpu:
            yield Row(name="cap-5.5", run=partial(_capped, told, 5.5, "model offload"))
            yield Row(name="cap-3.5", run=partial(_capped, told, 3.5, "group offload, leaves"))
        return
    yield from _whole(told)
    if told.is_gpu or told.is_tiny:
        yield Row(name=f"{told.kind}-unet", run=partial(_unet, told))
    if told.kind == "sdxl" and told.is_gpu:
        yield Row(name="sdxl-switch", run=partial(_load, told))


def _whole(told: Told) -> Iterator[Row]:
    pipeline = _pipeline(told, told.kind)
    for size in (1, 4) if told.is_gpu or told.is_tiny else (1,):
        yield Row(name=f"{told.kind}-b{size}", run=partial(_pictures, told, pipeline, size))
    if not told.is_gpu:
        pipeline.unet.to(memory_format=torch.channels_last)
        name = f"{told.kind}-b1-channels-last"
        yield Row(name=name, run=partial(_pictures, told, pipeline, 1))


def _pipeline(told: Told, kind: str) -> Any:
    parts = told.load(kind)
    shared = {
        "vae": parts.vae,
        "text_encoder": parts.text_encoders["text_encoder"],
        "tokenizer": parts.tokenizers["text_encoder"],
        "unet": parts.diffusion_model,
        "scheduler": EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            timestep_spacing="leading",
            steps_offset=1,
        ),
    }
    if kind == "sd15":
        made: Any = StableDiffusionPipeline(
            **shared, safety_checker=None, feature_extractor=None, requires_safety_checker=False
        )
    else:
        made = StableDiffusionXLPipeline(
            **shared,
            text_encoder_2=parts.text_encoders["text_encoder_2"],
            tokenizer_2=parts.tokenizers["text_encoder_2"],
            add_watermarker=False,
        )
    made.set_progress_bar_config(disable=True)
    return made


def _pictures(told: Told, pipeline: Any, size: int) -> Mapping[str, Any]:
    marks: list[float] = []

    def mark(pipe: Any, index: int, step: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        marks.append(time.perf_counter())
        return tensors

    def run() -> None:
        marks.clear()
        _call(told, pipeline, size, told.steps, mark)

    figures = with_peak(lambda: seconds(run, told.repeats))
    return {**figures, "per_image_s": figures["s"] / size, "step_ms": _step(marks)}


def _call(told: Told, pipeline: Any, size: int, steps: int, mark: Any = None) -> Any:
    side = told.pixels(told.kind if told.kind in SCALES else "sdxl")
    return pipeline(
        f"{PROMPT} {next(numbers)}",
        negative_prompt=NEGATIVE,
        num_inference_steps=steps,
        guidance_scale=SCALES.get(told.kind, SCALES["sdxl"]),
        width=side,
        height=side,
        num_images_per_prompt=size,
        callback_on_step_end=mark,
    ).images


def _unet(told: Told) -> Mapping[str, Any]:
    unet = told.load(told.kind).diffusion_model
    found = {}
    for size in (1, 2, 8):
        given = told.unet_arguments(told.kind, unet, size)
        found[f"eager_ms_n{size}"] = on_gpu(partial(unet, **given, return_dict=False))
    return found


def _load(told: Told) -> Mapping[str, Any]:
    """The quickest way without own code: the library's reader, straight to the GPU."""
    file = told.checkpoint("sdxl")

    def run() -> None:
        load_file(file, device="cuda")

    return {"load_s": seconds(run, 2)["s"]}


def _capped(told: Told, gibibytes: float, way: str) -> Mapping[str, Any]:
    """A picture's time from few steps."""
    pipeline = _pipeline(told, "sdxl")
    pipeline.to("cpu")
    pipeline.vae.register_to_config(force_upcast=False)
    pipeline.vae.enable_tiling()
    pipeline.vae.tile_sample_min_size, pipeline.vae.tile_latent_min_size = 512, 64
    free()
    cap(gibibytes)
    try:
        if way == "model offload":
            pipeline.enable_model_cpu_offload()
        else:
            pipeline.enable_group_offload(
                onload_device=torch.device("cuda"),
                offload_device=torch.device("cpu"),
                offload_type="leaf_level",
                use_stream=True,
                record_stream=True,
                non_blocking=True,
            )
        return {"way": way, **_few_steps(told, pipeline)}
    finally:
        cap(None)


def _few_steps(told: Told, pipeline: Any) -> Mapping[str, Any]:
    marks: list[float] = []

    def mark(pipe: Any, index: int, step: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        sync()
        marks.append(time.perf_counter())
        return tensors

    few = min(8, told.steps)
    _call(told, pipeline, 1, 1)

    def run() -> dict[str, float]:
        sync()
        started = time.perf_counter()
        _call(told, pipeline, 1, few, mark)
        sync()
        return {"whole": time.perf_counter() - started}

    figures = with_peak(run)
    step = _step(marks) / 1e3
    rest = figures.pop("whole") - few * step
    return {**figures, "step_ms": step * 1e3, "s": rest + told.steps * step}


def _step(marks: list[float]) -> float:
    """Milliseconds from one to the next, in the middle of all."""
    apart = sorted(b - a for a, b in pairwise(marks))
    return apart[len(apart) // 2] * 1e3 if apart else 0.0
