"""What A1111 calls each field of a request, in the order in which it writes them.

One row serves both directions. Where A1111 has no word, Forge's or a well-known extension's is
used, else a plain one of ours. Pictures have no words: a text can't carry them.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from webui.core.model import ModelKind
from webui.core.request import (
    Emphasis,
    GenerationRequest,
    InputId,
    Mask,
    MaskArea,
    MaskContent,
    NoiseSource,
    ResizeMode,
    Tiling,
)

Settings = Mapping[str, str]
HIRES_STRENGTH: Final = "Hires denoising strength"
DDIM_LIKE: Final = ("ddim", "ddim_cfgpp", "plms")
"""Samplers whose eta A1111 keeps apart."""


WHOLE: Final = (MaskArea.WHOLE, Mask(image=InputId("")).padding)
"""An area whose padding says nothing."""


class Named(StrEnum):
    """Things that have an id in a request and a name in a text."""

    SAMPLER = "sampler"
    SCHEDULE = "schedule"
    UPSCALER = "upscaler"
    VAE = ModelKind.VAE.value
    CHECKPOINT = ModelKind.CHECKPOINT.value


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value)


def _always(_: object) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class InfotextField:
    """One key. `paths` are fields of the request, such as "sampling.steps": one, or two for a
    width and a height."""

    key: str
    paths: tuple[str, ...]
    write: Callable[[Any], str] = _plain
    read: Callable[[str], object] = str
    """From the text to what the codec can turn into the field's type. Raises ValueError."""
    named: Named | None = None
    """The value is an id that has a name."""
    at_default: bool = False
    """Written even when it has its default, as long as the part it belongs to is there."""
    is_written: Callable[[GenerationRequest], bool] = _always
    is_read: Callable[[Settings], bool] = _always
    """Chooses between rows of one key."""
    aliases: tuple[str, ...] = ()
    """Other programs' keys for it."""

    def value(self, request: GenerationRequest) -> object:
        """What the request has here: the value, a pair of them, or None for nothing to write."""
        if not self.is_written(request):
            return None
        values = [value_at(request, path) for path in self.paths]
        if None in values:
            return None
        if not self.at_default and all(
            value == _default(path) for value, path in zip(values, self.paths, strict=True)
        ):
            return None
        return values[0] if len(values) == 1 else tuple(values)


def _row(key: str, path: str, **more: Any) -> InfotextField:
    return InfotextField(key=key, paths=(path,), **more)


def _size(key: str, width: str, height: str, **more: Any) -> InfotextField:
    return InfotextField(key=key, paths=(width, height), write=_cross, read=_uncross, **more)


def _cross(sides: tuple[int, int]) -> str:
    return f"{sides[0]}x{sides[1]}"


def _uncross(text: str) -> tuple[str, str]:
    width, cross, height = text.partition("x")
    if not cross:
        raise ValueError(text)
    return width, height


def _sides_or_blanks(text: str) -> tuple[str | None, str | None]:
    """A1111 writes 0 for the side that follows the other one."""
    width, height = _uncross(text)
    return (None if width == "0" else width), (None if height == "0" else height)


def _words(**words: str) -> dict[str, Any]:
    """Row arguments for a choice; the keyword is its value, the argument A1111's word for it."""
    back = {word.lower(): value for value, word in words.items()}

    def read(text: str) -> str:
        if text.lower() not in back:
            raise ValueError(text)
        return back[text.lower()]

    return {"write": lambda value: words[str(value)], "read": read}


def _several(text: str) -> list[str]:
    return [name for each in text.split(";") if (name := each.strip())]


def _flag(**words: str) -> dict[str, Any]:
    """Row arguments for a truth whose two sides have words."""
    return {
        "write": lambda value: words["yes" if value else "no"],
        "read": lambda text: {words["yes"]: True, words["no"]: False}.get(text, text),
    }


def _part(key: str, path: str, **more: Any) -> InfotextField:
    """A row that says that an optional part is there at all."""

    def read(text: str) -> object:
        if text != "True":
            raise ValueError(text)
        return {}

    return _row(key, path, write=lambda _: "True", read=read, at_default=True, **more)


def _means_hires(settings: Settings) -> bool:
    """Whether "Denoising strength" is that of the second pass: there is no source then."""
    keys = ("Hires upscale", "Hires resize", "Hires upscaler")
    return HIRES_STRENGTH not in settings and any(key in settings for key in keys)


def _is_ddim(request: GenerationRequest) -> bool:
    return request.sampling.sampler in DDIM_LIKE


_SAMPLING: Final = (
    _row("Steps", "sampling.steps", at_default=True),
    _row("Sampler", "sampling.sampler", named=Named.SAMPLER, at_default=True),
    _row("Schedule type", "sampling.schedule", named=Named.SCHEDULE, at_default=True),
    _row("CFG scale", "sampling.guidance_scale", at_default=True),
    _row("Distilled CFG Scale", "sampling.distilled_guidance"),
    _row("Seed", "seed", at_default=True),
    _size("Size", "width", "height", at_default=True),
)
_CORE: Final = (
    _row("VAE", "vae", named=Named.VAE),
    _row("Text encoders", "text_encoders", write="; ".join, read=_several),
    _row("Variation seed", "noise.variation_seed"),
    _row("Variation seed strength", "noise.variation_strength"),
    _size("Seed resize from", "noise.resize_from_width", "noise.resize_from_height"),
    _row(
        "Denoising strength",
        "source.denoising_strength",
        at_default=True,
        is_read=lambda settings: not _means_hires(settings),
    ),
    _row(
        "Denoising strength",
        "hires.denoising_strength",
        at_default=True,
        is_written=lambda request: request.source is None,
        is_read=_means_hires,
    ),
    _row("Conditional mask weight", "mask.conditioning_strength"),
    _row(
        "Clip skip",
        "sampling.clip_skip",
        at_default=True,
        is_written=lambda request: request.sampling.clip_skip != 1,
    ),
    _row("ENSD", "noise.seed_delta"),
    _row(
        "RNG",
        "noise.source",
        at_default=True,
        **_words(**{NoiseSource.CPU: "CPU", NoiseSource.GPU: "GPU", NoiseSource.NV: "NV"}),
    ),
    _row(
        "Tiling",
        "tiling",
        **_words(
            **{
                Tiling.NONE: "False",
                Tiling.BOTH: "True",
                Tiling.HORIZONTAL: "Horizontal",
                Tiling.VERTICAL: "Vertical",
            }
        ),
    ),
)
_SOURCE: Final = (
    _row(
        "Resize mode",
        "source.resize_mode",
        **_words(
            **{
                ResizeMode.STRETCH: "Just resize",
                ResizeMode.CROP: "Crop and resize",
                ResizeMode.FILL: "Resize and fill",
                ResizeMode.LATENT: "Just resize (latent upscale)",
            }
        ),
    ),
    _row("Noise multiplier", "source.noise_multiplier"),
    _row("Extra noise", "source.extra_noise"),
    _row("Image CFG scale", "source.image_guidance"),
    _row("Exact steps", "source.exact_steps"),
    _row("Color correction", "source.color_correction"),
    _row("Mask mode", "mask.inverted", **_flag(no="Inpaint masked", yes="Inpaint not masked")),
    _row("Mask blur", "mask.blur", at_default=True),
    _row(
        "Inpaint area",
        "mask.area",
        **_words(**{MaskArea.WHOLE: "Whole picture", MaskArea.MASKED: "Only masked"}),
    ),
    _row(
        "Masked area padding",
        "mask.padding",
        at_default=True,
        is_written=lambda r: r.mask is not None and (r.mask.area, r.mask.padding) != WHOLE,
    ),
    _row(
        "Masked content",
        "mask.content",
        **_words(
            **{
                MaskContent.FILL: "fill",
                MaskContent.ORIGINAL: "original",
                MaskContent.NOISE: "latent noise",
                MaskContent.NOTHING: "latent nothing",
            }
        ),
    ),
    _part("Soft inpainting enabled", "mask.soft"),
    _row("Soft inpainting schedule bias", "mask.soft.schedule_bias", at_default=True),
    _row(
        "Soft inpainting preservation strength", "mask.soft.preservation_strength", at_default=True
    ),
    _row(
        "Soft inpainting transition contrast boost",
        "mask.soft.transition_contrast",
        at_default=True,
    ),
    _row("Soft inpainting mask influence", "mask.soft.mask_influence", at_default=True),
    _row("Soft inpainting difference threshold", "mask.soft.difference_threshold", at_default=True),
    _row("Soft inpainting difference contrast", "mask.soft.difference_contrast", at_default=True),
    _part("Outpaint", "outpaint"),
    *(
        _row(f"Outpaint {side}", f"outpaint.{side}")
        for side in ("left", "right", "top", "bottom", "overlap")
    ),
)
_HIRES: Final = (
    _row(
        "Hires upscale",
        "hires.scale",
        at_default=True,
        is_written=lambda r: r.hires is not None and (not r.hires.width or r.hires.scale != 2),
    ),
    dataclasses.replace(
        _size("Hires resize", "hires.width", "hires.height"), read=_sides_or_blanks
    ),
    _row("Hires steps", "hires.steps"),
    _row("Hires upscaler", "hires.upscaler", named=Named.UPSCALER, at_default=True),
    _row("Hires checkpoint", "hires.checkpoint", named=Named.CHECKPOINT),
    _row("Hires sampler", "hires.sampler", named=Named.SAMPLER),
    _row("Hires schedule type", "hires.schedule", named=Named.SCHEDULE),
    _row("Hires prompt", "hires.prompt"),
    _row("Hires negative prompt", "hires.negative_prompt"),
    _row("Hires CFG Scale", "hires.guidance_scale"),
    _row(
        HIRES_STRENGTH,
        "hires.denoising_strength",
        at_default=True,
        is_written=lambda request: request.source is not None,
    ),
    _row("Refiner", "refiner.checkpoint", named=Named.CHECKPOINT),
    _row("Refiner switch at", "refiner.switch_at", at_default=True),
)
_PARAMETERS: Final = (
    _row(
        "Emphasis",
        "emphasis",
        **_words(
            **{
                Emphasis.ORIGINAL: "Original",
                Emphasis.NO_NORM: "No norm",
                Emphasis.IGNORE: "Ignore",
                Emphasis.NONE: "None",
            }
        ),
    ),
    _row("Schedule min sigma", "sampling.parameters.smallest_sigma"),
    _row("Schedule max sigma", "sampling.parameters.largest_sigma"),
    _row("Schedule rho", "sampling.parameters.rho"),
    _row(
        "Beta schedule alpha",
        "sampling.parameters.beta_alpha",
        aliases=("Beta scheduler alpha",),
    ),
    _row("Beta schedule beta", "sampling.parameters.beta_beta", aliases=("Beta scheduler beta",)),
    _row("Shift", "sampling.parameters.shift"),
    _row("Eta", "sampling.parameters.eta", is_written=lambda request: not _is_ddim(request)),
    _row("Eta DDIM", "sampling.parameters.eta", is_written=_is_ddim),
    _row("Sigma churn", "sampling.parameters.churn"),
    _row("Sigma tmin", "sampling.parameters.churn_from"),
    _row("Sigma tmax", "sampling.parameters.churn_to"),
    _row("Sigma noise", "sampling.parameters.noise_factor"),
    _row("Sampler order", "sampling.parameters.order", aliases=("UniPC order",)),
    _row("Discard penultimate sigma", "sampling.parameters.discard_penultimate"),
    _row("SGM noise multiplier", "sampling.parameters.sgm_noise"),
)
_GUIDANCE: Final = (
    _row("NGMS", "guidance.skip_below"),
    _row("NGMS all steps", "guidance.skip_below_always"),
    _row("Skip Early CFG", "guidance.skip_first"),
    _row("CFG Rescale", "guidance.rescale", aliases=("CFG Rescale phi", "cfg_rescale_phi")),
    _row("PAG scale", "guidance.perturbed_attention", aliases=("pag_scale",)),
    _row("SAG scale", "guidance.self_attention", aliases=("sag_scale",)),
    _row("SAG blur sigma", "guidance.self_attention_blur", aliases=("sag_blur_sigma",)),
    _row("Mimic scale", "guidance.mimic_scale", aliases=("dynthres_mimic_scale",)),
    _row(
        "Mimic percentile",
        "guidance.mimic_percentile",
        aliases=("dynthres_threshold_percentile",),
    ),
    _part("FreeU", "guidance.freeu", aliases=("freeu_enabled",)),
    *(
        _row(f"FreeU {name}", f"guidance.freeu.{name}", aliases=(f"freeu_{name}",))
        for name in ("b1", "b2", "s1", "s2", "start", "end")
    ),
    _part("Step cache", "step_cache"),
    *(
        _row(f"Step cache {name}", f"step_cache.{name}")
        for name in ("threshold", "every", "start", "end")
    ),
)
_EXTRAS: Final = (
    _row(
        "Postprocess upscale by",
        "extras.scale",
        at_default=True,
        is_written=lambda r: r.extras is not None and (not r.extras.width or r.extras.scale != 2),
    ),
    _size("Postprocess upscale to", "extras.width", "extras.height"),
    _row("Postprocess crop", "extras.crop"),
    _row("Postprocess upscaler", "extras.upscaler", named=Named.UPSCALER, at_default=True),
    _row("Postprocess upscaler 2", "extras.second_upscaler", named=Named.UPSCALER),
    _row("Postprocess upscaler 2 visibility", "extras.second_visibility"),
)

BEFORE_MODEL: Final = _SAMPLING
AFTER_MODEL: Final = (*_CORE, *_HIRES, *_SOURCE, *_PARAMETERS, *_GUIDANCE)
OF_EXTRAS: Final = _EXTRAS


def fields_by_key() -> Mapping[str, tuple[InfotextField, ...]]:
    """All rows that a key may mean, its aliases in other programs included."""
    rows: dict[str, tuple[InfotextField, ...]] = {}
    for field in (*BEFORE_MODEL, *AFTER_MODEL, *OF_EXTRAS):
        for key in (field.key, *field.aliases):
            rows[key] = (*rows.get(key, ()), field)
    return MappingProxyType(rows)


def value_at(request: object, path: str) -> Any:
    """The value at a path; None where a part on the way is absent."""
    for name in path.split("."):
        request = getattr(request, name) if request is not None else None
    return request


@cache
def _default(path: str) -> object:
    """The default of the field at a path; MISSING for one that must be given."""
    kind: Any = GenerationRequest
    *parents, name = path.split(".")
    for parent in parents:
        hint = typing.get_type_hints(kind)[parent]
        kind = next(part for part in _parts(hint) if dataclasses.is_dataclass(part))
    (found,) = (field for field in dataclasses.fields(kind) if field.name == name)
    return found.default


def _parts(hint: object) -> Iterator[object]:
    yield hint
    yield from typing.get_args(hint)
