"""From A1111's object of a job to our requests."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final

from PIL import Image

from webui.core.request import (
    CELL,
    MAX_SEED,
    OWN_VAE,
    SMALLEST_SIDE,
    GenerationRequest,
    Guidance,
    Hires,
    InputId,
    Mask,
    MaskArea,
    MaskContent,
    Noise,
    Refiner,
    ResizeMode,
    SamplerParameters,
    Sampling,
    Source,
    Tiling,
)

NOTHING: Final = ("none", "automatic", "", "use same sampler", "use same scheduler")
MOST_STEPS: Final = 150
LARGEST_SCALE: Final = 30.0
MOST_AT_ONCE: Final = 8
RESIZE_MODES: Final = tuple(ResizeMode)
FILLS: Final = tuple(MaskContent)
"""Both in A1111's order."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a job's object came from: the request it was made of, and what it was translated back
    to before any script touched it. What no script changed stays as the request has it."""

    request: GenerationRequest
    before: GenerationRequest | None = None
    is_settled: bool = False
    """Scripts changed it already, when the picture was first made."""


@dataclass(frozen=True, kw_only=True)
class Single:
    """What makes the pictures of a batch differ."""

    prompt: str
    negative_prompt: str
    seed: int
    subseed: int
    hires_prompt: str = ""
    hires_negative_prompt: str = ""
    source: int = 0
    """Which of the job's source pictures it starts from."""


class Pictures:
    """Pictures that requests name, as PNGs by their ids."""

    def __init__(self) -> None:
        self.files: Final[dict[InputId, bytes]] = {}

    def keep(self, image: Image.Image) -> InputId:
        """Put a picture in."""
        buffer = io.BytesIO()
        bare = image.copy()
        bare.info = {}
        bare.save(buffer, "PNG", compress_level=1)
        data = buffer.getvalue()
        id = InputId(hashlib.sha256(data).hexdigest())
        self.files[id] = data
        return id


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What counts beside the job's object: the options, and names of checkpoints by their ids."""

    options: Mapping[str, Any]
    checkpoints: Mapping[str, str]


def translated(p: Any, around: Surroundings, pictures: Pictures) -> GenerationRequest:
    """All that a job's object says, as a request of one picture; without its seeds."""
    request = GenerationRequest(
        prompt=_text(p.prompt),
        negative_prompt=_text(p.negative_prompt),
        checkpoint=_checkpoint(around.options.get("sd_model_checkpoint"), around),
        width=_side(p.width),
        height=_side(p.height),
        sampling=_sampling(p, around.options),
        noise=_noise(p),
        guidance=Guidance(skip_below=float(p.s_min_uncond or 0.0)),
        tiling=Tiling.BOTH if p.tiling else Tiling.NONE,
        vae=_vae(around.options.get("sd_vae")),
        refiner=_refiner(p, around),
    )
    if getattr(p, "init_images", None):
        return replace(request, source=_source(p, pictures, 0), mask=_mask(p, pictures))
    return replace(request, hires=_hires(p, around) if getattr(p, "enable_hr", False) else None)


def merged(origin: Origin, after: GenerationRequest) -> GenerationRequest:
    """The request that the object came from, with what scripts changed."""
    if origin.is_settled:
        return origin.request
    if origin.before is None:
        return after
    changed: GenerationRequest = _changed(origin.request, origin.before, after)
    return changed


def requests_of(
    request: GenerationRequest, p: Any, batch: Sequence[Single], pictures: Pictures
) -> list[GenerationRequest]:
    """A request for each group of neighbours that differ only in seeds that follow each other."""
    groups: list[list[Single]] = []
    for single in batch:
        is_next = groups and _follows(groups[-1][-1], single, bool(p.subseed_strength))
        if is_next and len(groups[-1]) < MOST_AT_ONCE:
            groups[-1].append(single)
        else:
            groups.append([single])
    return [_of_group(request, p, group, pictures) for group in groups]


def _follows(before: Single, single: Single, has_variation: bool) -> bool:
    step = (0, 1) if has_variation else (1, single.subseed - before.subseed)
    expected = replace(before, seed=before.seed + step[0], subseed=before.subseed + step[1])
    return expected == single


def _of_group(
    request: GenerationRequest, p: Any, group: Sequence[Single], pictures: Pictures
) -> GenerationRequest:
    first = group[0]
    noise = request.noise
    if noise.variation_strength:
        noise = replace(noise, variation_seed=_seed(first.subseed))
    source = request.source
    if source is not None and first.source:
        source = _source(p, pictures, first.source)
    return replace(
        request,
        prompt=first.prompt,
        negative_prompt=first.negative_prompt,
        seed=_seed(first.seed),
        noise=noise,
        source=source,
        hires=_own_hires(request.hires, first),
        batch_size=len(group),
        batch_count=1,
        styles=(),
        script=None,
        is_settled=True,
        verifies=None,
    )


def _own_hires(hires: Hires | None, single: Single) -> Hires | None:
    if hires is None:
        return None
    prompt = single.hires_prompt if single.hires_prompt != single.prompt else ""
    negative = single.hires_negative_prompt
    negative = negative if negative != single.negative_prompt else ""
    return replace(hires, prompt=prompt or None, negative_prompt=negative or None)


def _changed(base: Any, before: Any, after: Any) -> Any:
    """`base` with the fields in which `after` differs from `before`."""
    if before == after:
        return base
    if not (is_dataclass(base) and type(base) is type(before) is type(after)):
        return after
    values: dict[str, Any] = {
        each.name: _changed(
            getattr(base, each.name), getattr(before, each.name), getattr(after, each.name)
        )
        for each in fields(base)
    }
    kind: Any = type(base)
    return kind(**values)


def _sampling(p: Any, options: Mapping[str, Any]) -> Sampling:
    clip_skip = int(options.get("CLIP_stop_at_last_layers") or 1)
    return Sampling(
        sampler=_named(getattr(p, "gesso_sampler", None) or p.sampler_name),
        schedule=_named(p.scheduler),
        steps=max(1, min(int(p.steps), MOST_STEPS)),
        guidance_scale=max(1.0, min(float(p.cfg_scale), LARGEST_SCALE)),
        clip_skip=clip_skip if clip_skip > 1 else None,
        parameters=SamplerParameters(
            eta=None if p.eta is None else float(p.eta),
            churn=float(p.s_churn or 0.0),
            churn_from=float(p.s_tmin or 0.0),
            churn_to=float(p.s_tmax) if p.s_tmax and 0 < p.s_tmax < float("inf") else None,
            noise_factor=1.0 if p.s_noise is None else float(p.s_noise),
        ),
    )


def _noise(p: Any) -> Noise:
    strength = max(0.0, min(float(p.subseed_strength or 0.0), 1.0))
    wide, high = _side(p.seed_resize_from_w or 0), _side(p.seed_resize_from_h or 0)
    is_resized = (p.seed_resize_from_w or 0) > 0 and (p.seed_resize_from_h or 0) > 0
    return Noise(
        variation_seed=0 if strength else None,
        variation_strength=strength,
        resize_from_width=wide if is_resized else None,
        resize_from_height=high if is_resized else None,
    )


def _hires(p: Any, around: Surroundings) -> Hires:
    wide, high = int(p.hr_resize_x or 0), int(p.hr_resize_y or 0)
    if p.firstphase_width or p.firstphase_height:
        wide, high = p.hr_upscale_to_x, p.hr_upscale_to_y
    return Hires(
        upscaler=_text(p.hr_upscaler) or Hires.upscaler,
        scale=max(1.0, float(p.hr_scale or 2.0)),
        width=_side(wide) if wide else None,
        height=_side(high) if high else None,
        steps=int(p.hr_second_pass_steps) or None,
        denoising_strength=float(
            Hires.denoising_strength if p.denoising_strength is None else p.denoising_strength
        ),
        sampler=_named(p.hr_sampler_name),
        schedule=_named(p.hr_scheduler),
        guidance_scale=float(p.hr_cfg) if p.hr_cfg else None,
        prompt=_text(p.hr_prompt) or None,
        negative_prompt=_text(p.hr_negative_prompt) or None,
        checkpoint=_checkpoint(p.hr_checkpoint_name, around),
    )


def _source(p: Any, pictures: Pictures, index: int) -> Source:
    noise = p.initial_noise_multiplier
    return Source(
        image=pictures.keep(_opened(p.init_images[index % len(p.init_images)])),
        denoising_strength=max(0.0, min(float(p.denoising_strength), 1.0)),
        resize_mode=RESIZE_MODES[int(p.resize_mode or 0) % len(RESIZE_MODES)],
        noise_multiplier=1.0 if noise is None else max(0.0, min(float(noise), 1.5)),
        image_guidance=float(p.image_cfg_scale or Source.image_guidance),
    )


def _mask(p: Any, pictures: Pictures) -> Mask | None:
    if p.image_mask is None:
        return None
    return Mask(
        image=pictures.keep(_opened(p.image_mask)),
        blur=max(0, min(int(max(p.mask_blur_x or 0, p.mask_blur_y or 0)), 64)),
        area=MaskArea.MASKED if p.inpaint_full_res else MaskArea.WHOLE,
        padding=max(0, min(int(p.inpaint_full_res_padding or 0), 256)),
        inverted=bool(p.inpainting_mask_invert),
        content=FILLS[int(p.inpainting_fill or 0) % len(FILLS)],
    )


def _opened(picture: Any) -> Image.Image:
    """A picture, be it pixels."""
    return picture if isinstance(picture, Image.Image) else Image.fromarray(picture)


def _refiner(p: Any, around: Surroundings) -> Refiner | None:
    id = _checkpoint(p.refiner_checkpoint, around)
    if id is None:
        return None
    return Refiner(checkpoint=id, switch_at=float(p.refiner_switch_at or Refiner.switch_at))


def _checkpoint(name: Any, around: Surroundings) -> str | None:
    """The id behind a title; the name without its hash if it is not known here."""
    if _named(name) is None:
        return None
    text = str(getattr(name, "title", name))
    return around.checkpoints.get(text) or text.rpartition(" [")[0] or text


def _vae(name: Any) -> str | None:
    if name is None or str(name).lower() in ("automatic", ""):
        return None
    return OWN_VAE if str(name).lower() == "none" else str(name)


def _named(name: Any) -> str | None:
    return None if name is None or str(name).lower() in NOTHING else str(name)


def _text(words: Any) -> str:
    """One prompt; of several the first stands for all."""
    if isinstance(words, list | tuple):
        words = words[0] if words else ""
    return "" if words is None else str(words)


def _side(pixels: Any) -> int:
    """Whole cells, at least the smallest side."""
    return max(SMALLEST_SIDE, int(pixels) // CELL * CELL)


def _seed(seed: int) -> int:
    return int(seed) % (MAX_SEED + 1)
