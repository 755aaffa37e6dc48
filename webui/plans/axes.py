"""All axes of the X/Y/Z plot, one row each. Labels are A1111's where it has the axis.

Not here, because our requests have no such thing: face restoration, image CFG scale, token
merging, FP8 weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from types import MappingProxyType
from typing import Final

from webui.core.errors import InvalidRequest
from webui.core.registry import Registry
from webui.core.request import (
    Emphasis,
    FreeU,
    GenerationRequest,
    MaskContent,
    NoiseSource,
    Refiner,
    ResizeMode,
    Tiling,
)
from webui.plans.axis import (
    Axis,
    Choices,
    flag,
    name,
    number,
    one_of,
    plain,
    prompts_of,
    put_at,
    whole,
    with_prompts,
)
from webui.plans.values import numbers, words

MOST_ORDERED: Final = 6
FREEU: Final[Mapping[str, FreeU | None]] = MappingProxyType(
    {
        "off": None,
        "sd15": FreeU(b1=1.5, b2=1.6, s1=0.9, s2=0.2),
        "sd21": FreeU(b1=1.4, b2=1.6, s1=0.9, s2=0.2),
        "sdxl": FreeU(b1=1.3, b2=1.4, s1=0.9, s2=0.2),
    }
)
"""The authors' own values for each family (Si et al. 2023, their repository)."""


def _replaced(request: GenerationRequest, value: str, values: Sequence[str]) -> GenerationRequest:
    """Search and replace: the first value is what is looked for."""
    if not any(values[0] in text for text in prompts_of(request)):
        raise InvalidRequest(
            "values",
            f"“{values[0]}” is in none of the prompts. The first value must be words of the "
            "prompt; the others replace them.",
        )
    return with_prompts(request, lambda text: text.replace(values[0], value))


def _orders(text: str) -> list[tuple[str, ...]]:
    parts = words(text)
    if len(parts) > MOST_ORDERED:
        raise InvalidRequest(
            "values",
            f"{len(parts)} parts have too many orders. The most is {MOST_ORDERED} parts.",
        )
    return list(permutations(parts))


def _ordered(
    request: GenerationRequest, order: tuple[str, ...], _: Sequence[tuple[str, ...]]
) -> GenerationRequest:
    """The places where the parts stand in the prompt stay; the parts change places."""
    places = sorted((request.prompt.find(part), part) for part in order)
    if places and places[0][0] < 0:
        raise InvalidRequest(
            "values", f"“{places[0][1]}” is not in the prompt. Write parts that are in it."
        )
    written, end = "", 0
    for (start, there), part in zip(places, order, strict=True):
        if start < end:
            raise InvalidRequest("values", f"“{there}” overlaps another part. Write them apart.")
        written += request.prompt[end:start] + part
        end = start + len(there)
    return replace(request, prompt=written + request.prompt[end:])


def _sized(request: GenerationRequest, size: str, _: Sequence[str]) -> GenerationRequest:
    width, x, height = size.lower().replace("×", "x").partition("x")
    if not (x and width.strip().isdecimal() and height.strip().isdecimal()):
        raise InvalidRequest("values", f"“{size}” is no size. Write 512x768.")
    return replace(request, width=int(width), height=int(height))


def _strength(request: GenerationRequest, value: float, _: Sequence[float]) -> GenerationRequest:
    """Of the source, or else of the second pass."""
    if request.source is None and request.hires is not None:
        return put_at(request, "hires.denoising_strength", value)
    return put_at(request, "source.denoising_strength", value)


def _styled(request: GenerationRequest, value: str, _: Sequence[str]) -> GenerationRequest:
    more = () if value.lower() == "none" else tuple(words(value))
    return replace(request, styles=(*request.styles, *more))


def _refined(request: GenerationRequest, value: str, _: Sequence[str]) -> GenerationRequest:
    if value.lower() == "none":
        return replace(request, refiner=None)
    refiner = request.refiner or Refiner(checkpoint=value)
    return replace(request, refiner=replace(refiner, checkpoint=value))


def _freed(request: GenerationRequest, value: str, _: Sequence[str]) -> GenerationRequest:
    if value.lower() not in FREEU:
        raise InvalidRequest("values", f"“{value}” is not one of {', '.join(FREEU)}.")
    return put_at(request, "guidance.freeu", FREEU[value.lower()])


NOTHING: Final = Axis(
    id="nothing", label="Nothing", read=words, put=lambda request, value, values: request
)

SPECIAL: Final = (
    NOTHING,
    Axis(
        id="prompt_sr",
        label="Prompt S/R",
        read=words,
        put=_replaced,
        example="words of the prompt, then what replaces them",
    ),
    Axis(
        id="prompt_order",
        label="Prompt order",
        read=_orders,
        put=_ordered,
        show=", ".join,
        example="words of the prompt that change places",
    ),
    Axis(id="size", label="Size", read=words, put=_sized, example="512x512, 512x768"),
    Axis(
        id="styles",
        label="Styles",
        read=words,
        put=_styled,
        example='None, "first, second"',
        choices=Choices.STYLES,
    ),
    Axis(
        id="freeu",
        label="FreeU",
        read=words,
        put=_freed,
        example=", ".join(FREEU),
        names=tuple(FREEU),
    ),
    Axis(
        id="refiner_checkpoint",
        label="Refiner checkpoint",
        read=words,
        put=_refined,
        example="None, or names with commas between them",
        cost=80,
        choices=Choices.CHECKPOINTS,
    ),
)
SEEDS: Final = (
    whole("seed", "Seed", "seed", "-1, -1, 1234", is_random=True),
    whole("variation_seed", "Var. seed", "noise.variation_seed", "1-4", is_random=True),
    number("variation_strength", "Var. strength", "noise.variation_strength", "0-1 (+0.25)"),
    whole("seed_delta", "ENSD", "noise.seed_delta", "0, 31337"),
    one_of("noise_source", "RNG source", "noise.source", NoiseSource),
)
SAMPLING: Final = (
    whole("steps", "Steps", "sampling.steps", "10-30 (+10)"),
    number("guidance_scale", "CFG Scale", "sampling.guidance_scale", "4-10 [3]"),
    name("sampler", "Sampler", "sampling.sampler", Choices.SAMPLERS),
    name("schedule", "Schedule type", "sampling.schedule", Choices.SCHEDULES),
    whole("clip_skip", "Clip skip", "sampling.clip_skip", "1-2"),
    number("eta", "Eta", "sampling.parameters.eta", "0-1 (+0.5)"),
    number("churn", "Sigma Churn", "sampling.parameters.churn", "0, 5, 20"),
    number("churn_from", "Sigma min (churn)", "sampling.parameters.churn_from", "0, 0.1"),
    number("churn_to", "Sigma max (churn)", "sampling.parameters.churn_to", "5, 14"),
    number("noise_factor", "Sigma noise", "sampling.parameters.noise_factor", "1, 1.01"),
    whole("order", "UniPC Order", "sampling.parameters.order", "1-3"),
    number("smallest_sigma", "Schedule min sigma", "sampling.parameters.smallest_sigma", "0.03"),
    number("largest_sigma", "Schedule max sigma", "sampling.parameters.largest_sigma", "10, 14.6"),
    number("rho", "Schedule rho", "sampling.parameters.rho", "5-9 (+2)"),
    number("beta_alpha", "Beta schedule alpha", "sampling.parameters.beta_alpha", "0.5-1 [3]"),
    number("beta_beta", "Beta schedule beta", "sampling.parameters.beta_beta", "0.5-1 [3]"),
    flag(
        "discard_penultimate",
        "Always discard next-to-last sigma",
        "sampling.parameters.discard_penultimate",
    ),
    flag("sgm_noise", "SGM noise multiplier", "sampling.parameters.sgm_noise"),
)
GUIDANCE: Final = (
    number("skip_below", "Negative Guidance minimum sigma", "guidance.skip_below", "0-4 (+1)"),
    number("skip_first", "Skip Early CFG", "guidance.skip_first", "0-0.5 [3]"),
    number("rescale", "CFG rescale", "guidance.rescale", "0-1 [3]"),
    number("perturbed_attention", "PAG scale", "guidance.perturbed_attention", "0-4 (+1)"),
    number("self_attention", "SAG scale", "guidance.self_attention", "0-1 [3]"),
    number("self_attention_blur", "SAG blur", "guidance.self_attention_blur", "1-3 (+1)"),
    number("mimic_scale", "Mimic scale", "guidance.mimic_scale", "0, 7"),
    number("mimic_percentile", "Mimic percentile", "guidance.mimic_percentile", "0.9-1 [3]"),
    whole("step_cache_every", "Step cache every", "step_cache.every", "1-5 (+2)"),
    number("step_cache_threshold", "Step cache threshold", "step_cache.threshold", "0-0.2 [3]"),
    one_of("tiling", "Tiling", "tiling", Tiling),
    one_of("emphasis", "Emphasis", "emphasis", Emphasis),
)
HIRES: Final = (
    whole("hires_steps", "Hires steps", "hires.steps", "10-20 (+5)"),
    name("hires_sampler", "Hires sampler", "hires.sampler", Choices.SAMPLERS),
    name("hires_schedule", "Hires schedule type", "hires.schedule", Choices.SCHEDULES),
    name("hires_upscaler", "Hires upscaler", "hires.upscaler", Choices.UPSCALERS),
    number("hires_scale", "Hires upscale", "hires.scale", "1.5-2 (+0.5)"),
    number(
        "hires_denoising_strength", "Hires denoising", "hires.denoising_strength", "0.3-0.7 [3]"
    ),
    number("hires_guidance_scale", "Hires CFG Scale", "hires.guidance_scale", "4-10 [3]"),
    name("hires_checkpoint", "Hires checkpoint", "hires.checkpoint", Choices.CHECKPOINTS, cost=90),
)
SOURCE: Final = (
    Axis(
        id="denoising_strength",
        label="Denoising",
        read=numbers,
        put=_strength,
        show=plain,
        example="0.3-0.7 [3]",
    ),
    number(
        "noise_multiplier", "Initial noise multiplier", "source.noise_multiplier", "0.8-1.2 [3]"
    ),
    number("extra_noise", "Extra noise", "source.extra_noise", "0-0.2 [3]"),
    number("image_guidance", "Image CFG Scale", "source.image_guidance", "1-2 [3]"),
    one_of("resize_mode", "Resize mode", "source.resize_mode", ResizeMode),
    number("mask_weight", "Cond. Image Mask Weight", "mask.conditioning_strength", "0-1 [3]"),
    whole("mask_blur", "Mask blur", "mask.blur", "0-8 (+4)"),
    one_of("mask_content", "Masked content", "mask.content", MaskContent),
)
MODELS: Final = (
    name("checkpoint", "Checkpoint name", "checkpoint", Choices.CHECKPOINTS, cost=100),
    name("vae", "VAE", "vae", Choices.VAES, cost=50, blanks=("automatic", "none")),
    number("refiner_switch", "Refiner switch at", "refiner.switch_at", "0.6-0.9 [3]"),
)


def load_axes(more: Iterable[Axis] = ()) -> Registry[Axis]:
    """All axes, in the order in which the page offers them; those of extensions last."""
    axes = Registry((*SPECIAL, *SEEDS, *SAMPLING, *GUIDANCE, *HIRES, *SOURCE, *MODELS))
    axes.join(more)
    return axes
