"""From the fields of A1111's API to our requests. Pure: pictures are put in through a door."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final

from webui.api.sdapi import names
from webui.api.sdapi.errors import Refused
from webui.api.sdapi.fields import GenerationFields, ImageFields, TextFields
from webui.api.sdapi.options import apply_options, said_options, unknown_options
from webui.api.sdapi.pictures import read_base64
from webui.core.codec import check
from webui.core.request import (
    CELL,
    MAX_SEED,
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
from webui.prompting import network_tags
from webui.resolver.resolver import settle
from webui.studio import Studio

LARGEST_BATCH: Final = 8
MOST_SOURCES: Final = 64
RESIZE_MODES: Final = tuple(ResizeMode)
FILLS: Final = tuple(MaskContent)
"""Both in A1111's order."""
SWITCH_AT: Final = 0.8
LEAST_IMAGE_GUIDANCE: Final = 1.0
MOST_IMAGE_GUIDANCE: Final = 10.0

Keep = Callable[[bytes], InputId]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a request of a program comes to: one of ours for each source picture. `ignored` names
    what it said that means nothing here."""

    requests: tuple[GenerationRequest, ...]
    ignored: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Translator:
    """Reads the fields with the names that this studio knows. `options` are the caller's own;
    `keep` puts a picture in. Its methods raise InvalidRequest and Refused."""

    studio: Studio
    options: Mapping[str, Any]
    keep: Keep

    def of_text(self, fields: TextFields) -> Order:
        """txt2img."""
        request = replace(self._common(_first_phase(fields)), hires=self._hires(fields))
        return self._order(fields, [request])

    def of_image(self, fields: ImageFields) -> Order:
        """img2img and inpaint. Several source pictures make one request each, whose seeds go on
        where those of the one before it end."""
        if not fields.init_images:
            raise Refused(HTTPStatus.NOT_FOUND, "Init image not found. Send init_images.")
        if len(fields.init_images) > MOST_SOURCES:
            raise Refused(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"{len(fields.init_images)} init_images are too many. Send at most {MOST_SOURCES}.",
            )
        pictures = [self.keep(read_base64(text)) for text in fields.init_images]
        common = replace(self._common(fields), mask=self._mask(fields))
        if len(pictures) > 1:
            common = replace(common, batch_size=1)
        return self._order(
            fields, [replace(common, source=_source(fields, picture)) for picture in pictures]
        )

    def _order(self, fields: GenerationFields, requests: list[GenerationRequest]) -> Order:
        options = {**self.options, **said_options(fields.override_settings)}
        applied = [apply_options(self.studio, request, options) for request in requests]
        checked = [check(request) for request in applied]
        ignored = [f"override_settings.{key}" for key in unknown_options(fields.override_settings)]
        ignored += [name for name, is_given in _without_meaning(fields) if is_given]
        ignored += [f"styles: {name}" for name in self._unknown_styles(fields)]
        return Order(requests=tuple(_in_turn(checked)), ignored=tuple(ignored))

    def _common(self, fields: GenerationFields) -> GenerationRequest:
        size, count = _batches(fields.batch_size, fields.n_iter)
        unknown = self._unknown_styles(fields)
        return GenerationRequest(
            prompt=_words(fields.prompt, fields),
            negative_prompt=_words(fields.negative_prompt, fields),
            styles=tuple(name for name in fields.styles if name not in unknown),
            width=_side(fields.width),
            height=_side(fields.height),
            seed=_seed("seed", fields.seed),
            batch_size=size,
            batch_count=count,
            sampling=self._sampling(fields),
            noise=_noise(fields),
            guidance=Guidance(skip_below=fields.s_min_uncond or 0.0),
            tiling=Tiling.BOTH if fields.tiling else Tiling.NONE,
            refiner=self._refiner(fields),
        )

    def _sampling(self, fields: GenerationFields) -> Sampling:
        name = fields.sampler_name or fields.sampler_index
        sampler, schedule = names.find_sampler(self.studio, name, fields.scheduler)
        return Sampling(
            sampler=sampler,
            schedule=schedule,
            steps=fields.steps,
            guidance_scale=fields.cfg_scale,
            distilled_guidance=fields.distilled_cfg_scale,
            clip_skip=fields.clip_skip or None,
            parameters=SamplerParameters(
                eta=fields.eta,
                churn=fields.s_churn or 0.0,
                churn_from=fields.s_tmin or 0.0,
                churn_to=fields.s_tmax if _is_level(fields.s_tmax) else None,
                noise_factor=1.0 if fields.s_noise is None else fields.s_noise,
            ),
        )

    def _refiner(self, fields: GenerationFields) -> Refiner | None:
        name = fields.refiner_checkpoint
        if name is None or not names.is_said(name):
            return None
        id = names.checkpoint_id(self.studio, "refiner_checkpoint", name)
        return Refiner(checkpoint=id, switch_at=fields.refiner_switch_at or SWITCH_AT)

    def _hires(self, fields: TextFields) -> Hires | None:
        if not fields.enable_hr:
            return None
        sampler, schedule = self._hires_sampler(fields)
        width, height = fields.hr_resize_x, fields.hr_resize_y
        if fields.firstphase_width or fields.firstphase_height:
            width, height = fields.width, fields.height
        checkpoint = fields.hr_checkpoint_name
        return Hires(
            upscaler=_upscaler(fields.hr_upscaler, Hires.upscaler),
            scale=fields.hr_scale or Hires.scale,
            width=_side(width) or None,
            height=_side(height) or None,
            steps=fields.hr_second_pass_steps or None,
            denoising_strength=fields.denoising_strength,
            sampler=sampler,
            schedule=schedule,
            guidance_scale=fields.hr_cfg or None,
            prompt=_words(fields.hr_prompt, fields) or None,
            negative_prompt=_words(fields.hr_negative_prompt, fields) or None,
            checkpoint=names.checkpoint_id(self.studio, "hr_checkpoint_name", checkpoint)
            if checkpoint and names.is_said(checkpoint)
            else None,
        )

    def _hires_sampler(self, fields: TextFields) -> tuple[str | None, str | None]:
        sampler, schedule = fields.hr_sampler_name, fields.hr_scheduler
        if sampler and names.is_said(sampler):
            return names.find_sampler(self.studio, sampler, schedule)
        if schedule and names.is_said(schedule):
            return None, names.find_schedule(self.studio, schedule)
        return None, None

    def _mask(self, fields: ImageFields) -> Mask | None:
        if not fields.mask:
            return None
        blur = fields.mask_blur
        return Mask(
            image=self.keep(read_base64(fields.mask)),
            blur=max(fields.mask_blur_x, fields.mask_blur_y) if blur is None else blur,
            area=MaskArea.MASKED if fields.inpaint_full_res else MaskArea.WHOLE,
            padding=fields.inpaint_full_res_padding,
            inverted=bool(fields.inpainting_mask_invert),
            content=_choice("inpainting_fill", FILLS, fields.inpainting_fill),
        )

    def _unknown_styles(self, fields: GenerationFields) -> list[str]:
        """A1111 passes over names that no style has."""
        known = {style.name for style in self.studio.styles.styles()} if fields.styles else set()
        return [name for name in fields.styles if name not in known]


def _source(fields: ImageFields, picture: InputId) -> Source:
    noise = fields.initial_noise_multiplier
    return Source(
        image=picture,
        denoising_strength=fields.denoising_strength,
        resize_mode=_choice("resize_mode", RESIZE_MODES, fields.resize_mode),
        noise_multiplier=1.0 if noise is None else noise,
        image_guidance=_image_guidance(fields.image_cfg_scale),
    )


def _image_guidance(scale: float | None) -> float:
    """Programs send it to models for which it means nothing, too, and whatever it is."""
    if scale is None:
        return Source.image_guidance
    return min(MOST_IMAGE_GUIDANCE, max(LEAST_IMAGE_GUIDANCE, scale))


def _noise(fields: GenerationFields) -> Noise:
    strength = fields.subseed_strength
    return Noise(
        variation_seed=_seed("subseed", fields.subseed) if strength else None,
        variation_strength=strength,
        resize_from_width=_side(max(0, fields.seed_resize_from_w)) or None,
        resize_from_height=_side(max(0, fields.seed_resize_from_h)) or None,
    )


def _first_phase(fields: TextFields) -> TextFields:
    """The old way to say a hires fix: the size is that of the result, the first phase's is told."""
    if not fields.enable_hr or not (fields.firstphase_width and fields.firstphase_height):
        return fields
    return replace(fields, width=fields.firstphase_width, height=fields.firstphase_height)


def _in_turn(requests: list[GenerationRequest]) -> list[GenerationRequest]:
    """Each with the seeds after those of the one before it."""
    if len(requests) == 1:
        return requests
    turned, seed = [], settle(requests[0]).seed or 0
    for request in requests:
        turned.append(replace(request, seed=seed % (MAX_SEED + 1)))
        seed += request.picture_count
    return turned


def _words(text: str, fields: GenerationFields) -> str:
    """A prompt; without its networks where the program switches them off."""
    return network_tags(text)[1] if fields.disable_extra_networks else text


def _batches(size: int, count: int) -> tuple[int, int]:
    """Pictures at once and how often. More at once than we take become more often: the pictures
    are the same, each has its own seed."""
    if size <= LARGEST_BATCH or count < 1:
        return size, count
    at_once = next(n for n in range(LARGEST_BATCH, 0, -1) if size % n == 0)
    return at_once, count * size // at_once


def _side(pixels: int) -> int:
    """Whole cells, the rest is left out: A1111 paints latents, which have no half cells."""
    return pixels // CELL * CELL


def _seed(field: str, seed: int) -> int | None:
    """None for -1, which draws one."""
    if seed > MAX_SEED:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"The {field} {seed} is too large. The largest is {MAX_SEED}; -1 draws one.",
        )
    return None if seed < 0 else seed


def _is_level(value: float | None) -> bool:
    """Whether a largest noise level is one: 0 and infinity stand for all of them."""
    return value is not None and 0 < value < math.inf


def _upscaler(name: str | None, otherwise: str) -> str:
    """A1111's "None" resamples with Lanczos; a blank takes the default."""
    if not name:
        return otherwise
    return names.find_upscaler(name) or "lanczos"


def _choice(field: str, choices: tuple[Any, ...], index: int) -> Any:
    if 0 <= index < len(choices):
        return choices[index]
    raise Refused(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"{field} {index} is not known. Choose one of 0 to {len(choices) - 1}.",
    )


def _without_meaning(fields: GenerationFields) -> list[tuple[str, bool]]:
    """Fields that ask for what we don't have, and whether they do."""
    found = [
        ("restore_faces", bool(fields.restore_faces)),
        ("firstpass_image", fields.firstpass_image is not None),
        ("comments", bool(fields.comments)),
    ]
    if isinstance(fields, ImageFields):
        found += [
            ("mask_round", not fields.mask_round),
            ("latent_mask", fields.latent_mask is not None),
            (
                "image_cfg_scale: counts from 1 to 10",
                fields.image_cfg_scale not in (None, _image_guidance(fields.image_cfg_scale)),
            ),
            (
                "mask_blur_x or mask_blur_y: the larger counts for both",
                fields.mask_blur is None and fields.mask_blur_x != fields.mask_blur_y,
            ),
        ]
    return found
