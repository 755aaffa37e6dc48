"""A1111's options: which of them we know, and what each is here.

Some are settings of the server, which only its owner changes. Others say how pictures are made:
they are fields of our requests, and each caller has their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from webui.api.sdapi import names
from webui.api.sdapi.errors import Refused
from webui.api.sdapi.leniency import Whole
from webui.core.errors import InvalidRequest, NotFound, NotPermitted
from webui.core.model import ModelKind
from webui.core.request import Emphasis, GenerationRequest, NoiseSource
from webui.imaging.infotext_fields import value_at
from webui.plans.axis import put_at
from webui.settings import Settings
from webui.studio import Studio

CHECKPOINT: Final = "sd_model_checkpoint"
VAE: Final = "sd_vae"
MODULES: Final = "forge_additional_modules"
CLIP_SKIP: Final = "CLIP_stop_at_last_layers"
MOST_MODULES: Final = 20
LONGEST: Final = 500
DDIM_LIKE: Final = ("ddim", "ddim_cfgpp", "plms")


def _same(value: Any) -> Any:
    return value


def _not_zero(value: Any) -> Any:
    """A1111 writes 0 for the model's own."""
    return value or None


def _at_least_one(value: int) -> int:
    """A1111 skips nothing at 0 as at 1."""
    return max(1, value)


def _emphasis(value: str) -> Emphasis:
    return Emphasis(value.lower().replace(" ", "_"))


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option that is a field of a request. `default` is A1111's, and ours; its type is the
    option's."""

    key: str
    path: str
    default: Any
    read: Callable[[Any], Any] = _same
    """From A1111's value to ours. Raises ValueError."""
    samplers: tuple[str, ...] = ()
    """Counts with these samplers only."""
    not_samplers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ServerOption:
    """An option that is a setting of ours."""

    key: str
    setting: str
    read: Callable[[Any], Any] = _same
    write: Callable[[Any], Any] = _same


_FINE: Final = "sampling.parameters."
PICTURE_OPTIONS: Final = (
    Option(key=CLIP_SKIP, path="sampling.clip_skip", default=1, read=_at_least_one),
    Option(
        key="randn_source",
        path="noise.source",
        default="CPU",
        read=lambda value: NoiseSource(value.lower()),
    ),
    Option(key="emphasis", path="emphasis", default="Original", read=_emphasis),
    Option(key="eta_noise_seed_delta", path="noise.seed_delta", default=0),
    Option(key="eta_ancestral", path=_FINE + "eta", default=1.0, not_samplers=DDIM_LIKE),
    Option(key="eta_ddim", path=_FINE + "eta", default=0.0, samplers=DDIM_LIKE),
    Option(key="s_churn", path=_FINE + "churn", default=0.0),
    Option(key="s_tmin", path=_FINE + "churn_from", default=0.0),
    Option(key="s_tmax", path=_FINE + "churn_to", default=0.0, read=_not_zero),
    Option(key="s_noise", path=_FINE + "noise_factor", default=1.0),
    Option(key="sigma_min", path=_FINE + "smallest_sigma", default=0.0, read=_not_zero),
    Option(key="sigma_max", path=_FINE + "largest_sigma", default=0.0, read=_not_zero),
    Option(key="rho", path=_FINE + "rho", default=0.0, read=_not_zero),
    Option(key="beta_dist_alpha", path=_FINE + "beta_alpha", default=0.6),
    Option(key="beta_dist_beta", path=_FINE + "beta_beta", default=0.6),
    Option(
        key="always_discard_next_to_last_sigma",
        path=_FINE + "discard_penultimate",
        default=False,
        read=_not_zero,
    ),
    Option(key="sgm_noise_multiplier", path=_FINE + "sgm_noise", default=False),
    Option(key="uni_pc_order", path=_FINE + "order", default=3, samplers=("unipc",)),
    Option(key="s_min_uncond", path="guidance.skip_below", default=0.0),
    Option(key="s_min_uncond_all", path="guidance.skip_below_always", default=False),
    Option(key="skip_early_cond", path="guidance.skip_first", default=0.0),
    Option(key="initial_noise_multiplier", path="source.noise_multiplier", default=1.0),
    Option(key="img2img_extra_noise", path="source.extra_noise", default=0.0),
    Option(key="img2img_color_correction", path="source.color_correction", default=False),
    Option(key="img2img_fix_steps", path="source.exact_steps", default=False),
    Option(key="inpainting_mask_weight", path="mask.conditioning_strength", default=1.0),
)
SERVER_OPTIONS: Final = (
    ServerOption(
        key="samples_format",
        setting="picture_format",
        read=lambda value: {"jpg": "jpeg"}.get(value, value),
        write=lambda value: {"jpeg": "jpg"}.get(value, value),
    ),
    ServerOption(key="jpeg_quality", setting="picture_quality"),
    ServerOption(key="samples_filename_pattern", setting="filename_pattern"),
    ServerOption(key="directories_filename_pattern", setting="folder_pattern"),
    ServerOption(key="live_previews_enable", setting="show_previews"),
    ServerOption(
        key="live_preview_refresh_period",
        setting="preview_interval_s",
        read=lambda value: value / 1000,
        write=lambda value: round(value * 1000),
    ),
)
FIXED: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "send_seed": True,
        "enable_pnginfo": True,
        "save_to_dirs": True,
        "grid_save": True,
        "return_grid": True,
        "do_not_add_watermark": True,
        "add_model_name_to_info": True,
        "add_model_hash_to_info": True,
        "face_restoration": False,
        "face_restoration_model": None,
        "upscaler_for_img2img": None,
        "sd_hypernetwork": "None",
        "sd_lora": "None",
        "sd_unet": "Automatic",
        "live_previews_image_format": "png",
        "api_enable_requests": False,
    }
)
"""What programs may ask for and nobody can change here."""
_BY_KEY: Final = MappingProxyType({option.key: option for option in PICTURE_OPTIONS})
_OF_SERVER: Final = MappingProxyType({option.key: option for option in SERVER_OPTIONS})


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a set of options asks for: of the server, and of the caller's own pictures."""

    settings: Mapping[str, Any]
    own: Mapping[str, Any]
    unknown: Sequence[str]


def show_options(studio: Studio, own: Mapping[str, Any]) -> dict[str, Any]:
    """All options as one flat object, for a caller with options of their own."""
    settings, model = studio.settings.current, studio.current_model()
    shown: dict[str, Any] = {CHECKPOINT: names.title(studio, model)}
    if chosen := own.get(CHECKPOINT):
        model = studio.catalog.look_up(model.kind, chosen) or model
        shown[CHECKPOINT] = names.title(studio, model)
    shown["sd_checkpoint_hash"] = model.hash or ""
    shown |= {VAE: own.get(VAE, "Automatic"), MODULES: own.get(MODULES, [])}
    shown |= {option.key: own.get(option.key, option.default) for option in PICTURE_OPTIONS}
    for server in SERVER_OPTIONS:
        shown[server.key] = server.write(getattr(settings, server.setting))
    return shown | dict(FIXED)


def read_options(studio: Studio, given: Mapping[str, Any], own: Mapping[str, Any]) -> Change:
    """What changes when these options are set: programs send all of them back to change one.
    Null changes nothing. Raises InvalidRequest."""
    shown = show_options(studio, own)
    changed = {
        key: value for key, value in given.items() if value is not None and shown.get(key) != value
    }
    own_changes: dict[str, Any] = {}
    for key in changed.keys() & (_BY_KEY.keys() | {CHECKPOINT, VAE, MODULES}):
        own_changes[key] = _checked(studio, key, changed[key])
    settings = {
        _OF_SERVER[key].setting: _server_value(_OF_SERVER[key], changed[key])
        for key in changed.keys() & _OF_SERVER.keys()
    }
    unknown = sorted(changed.keys() - own_changes.keys() - _OF_SERVER.keys())
    return Change(settings=settings, own=own_changes, unknown=unknown)


def check_permitted(change: Change, *, is_owner: bool) -> None:
    """Raises NotPermitted for settings of the server that somebody else changes."""
    if change.settings and not is_owner:
        keys = [s.key for s in SERVER_OPTIONS if s.setting in change.settings]
        raise NotPermitted(
            f"{', '.join(keys)} would change for everybody. Ask the owner of this studio."
        )


def said_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of one request without those that say nothing: null, and a checkpoint without a
    name, which A1111 passes over."""
    return {
        key: value
        for key, value in options.items()
        if value is not None and (key != CHECKPOINT or names.is_said(str(value)))
    }


def apply_options(
    studio: Studio, request: GenerationRequest, options: Mapping[str, Any]
) -> GenerationRequest:
    """The request with options in the fields that it leaves at their defaults. Unknown ones do
    nothing. Raises InvalidRequest."""
    if CHECKPOINT in options:
        wanted = names.checkpoint_id(studio, CHECKPOINT, str(options[CHECKPOINT]))
        request = replace(request, checkpoint=wanted)
    vae = options.get(VAE) or _vae_of(studio, options.get(MODULES))
    if vae is not None:
        request = replace(request, vae=names.find_vae(studio, str(vae)))
    for key, value in options.items():
        if key in _BY_KEY and value is not None:
            option = _BY_KEY[key]
            request = _put(request, option, _typed(option, value))
    return request


def unknown_options(options: Mapping[str, Any]) -> list[str]:
    """The keys that mean nothing to how pictures are made."""
    return sorted(options.keys() - _BY_KEY.keys() - {CHECKPOINT, VAE, MODULES})


def _put(request: GenerationRequest, option: Option, value: Any) -> GenerationRequest:
    sampler = request.sampling.sampler
    if (option.samplers and sampler not in option.samplers) or sampler in option.not_samplers:
        return request
    parent, _, _ = option.path.rpartition(".")
    if parent and value_at(request, parent) is None:
        return request  # an option of a part that this request doesn't have
    if value_at(request, option.path) != value_at(_BLANK, option.path) and parent not in _PARTS:
        return request  # the request itself says it
    if value == option.default and option.key != CLIP_SKIP:
        return request  # ours as well; but a model may have its own clip skip
    return put_at(request, option.path, _read(option, value))


_BLANK: Final = GenerationRequest()
_PARTS: Final = ("source", "mask")
"""A blank request doesn't have them."""


def _checked(studio: Studio, key: str, value: Any) -> Any:
    """A caller's own option, of its type. Raises InvalidRequest."""
    if key == CHECKPOINT:
        return _checkpoint(studio, str(value))
    if key == VAE:
        names.find_vae(studio, str(value))
        return str(value)
    if key == MODULES:
        return (
            [str(item)[:LONGEST] for item in value[:MOST_MODULES]]
            if isinstance(value, list)
            else []
        )
    option = _BY_KEY[key]
    typed = _typed(option, value)
    _read(option, typed)
    return typed


def _checkpoint(studio: Studio, name: str) -> str:
    """A1111 answers 500 to one that it doesn't have, and programs rely on that."""
    try:
        return names.find_checkpoint(studio, name).id
    except NotFound as error:
        raise Refused(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            f"Model “{name}” not found. Choose one of /sdapi/v1/sd-models.",
        ) from error


def _typed(option: Option, value: Any) -> Any:
    try:
        kind = type(option.default)
        return TypeAdapter(Whole if kind is int else kind).validate_python(value)
    except ValidationError as error:
        raise _wrong(option.key, value) from error


def _read(option: Option, value: Any) -> Any:
    try:
        return option.read(value)
    except ValueError as error:
        raise _wrong(option.key, value) from error


def _server_value(option: ServerOption, value: Any) -> Any:
    try:
        kind = type(option.write(getattr(Settings(), option.setting)))
        return option.read(TypeAdapter(kind).validate_python(value))
    except ValidationError as error:
        raise _wrong(option.key, value) from error


def _wrong(key: str, value: object) -> InvalidRequest:
    return InvalidRequest(key, f"“{str(value)[:80]}” is no value for the option {key}.")


def _vae_of(studio: Studio, modules: Any) -> str | None:
    """The VAE among the files that Forge loads beside a checkpoint; text encoders are found
    without being named."""
    for item in modules if isinstance(modules, list) else ():
        name = str(item).replace("\\", "/").split("/")[-1]
        for vae in studio.catalog.models(ModelKind.VAE):
            if name in (vae.path.name, vae.name, vae.id):
                return vae.id
    return None
