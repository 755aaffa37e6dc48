"""The fields of A1111's requests for pictures, with the defaults of its API (not of its page)."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from typing import Annotated, Any, Final, Generic, TypeVar, cast

from annotated_types import MaxLen
from pydantic import TypeAdapter, ValidationError

from webui.api.sdapi.errors import NO_JSON, Refused
from webui.api.sdapi.leniency import Text, Whole
from webui.api.sdapi.told import told_by_text

Json = Mapping[str, Any]
F = TypeVar("F", bound="GenerationFields")

NOT_ECHOED: Final = ("init_images", "mask", "latent_mask", "firstpass_image")
"""Pictures: A1111 leaves them out of what it repeats of the request."""

HALF_SIGN: Final = re.compile(rb"\\u[dD][89a-fA-F]")
OBJECTS: Final = ("override_settings", "alwayson_scripts", "comments")
"""Programs in PHP send an empty object as an empty list."""
TaskId = Annotated[Text, MaxLen(200)]


@dataclass(frozen=True, kw_only=True)
class GenerationFields:
    """What txt2img and img2img have in common. None stands for what the server decides."""

    prompt: Text = ""
    negative_prompt: Text = ""
    styles: tuple[Text, ...] = ()
    seed: Whole = -1
    subseed: Whole = -1
    subseed_strength: float = 0.0
    seed_resize_from_h: Whole = -1
    seed_resize_from_w: Whole = -1
    sampler_name: Text | None = None
    scheduler: Text | None = None
    batch_size: Whole = 1
    n_iter: Whole = 1
    steps: Whole = 50
    cfg_scale: float = 7.0
    distilled_cfg_scale: float | None = None
    """Forge's."""
    width: Whole = 512
    height: Whole = 512
    restore_faces: bool | None = None
    tiling: bool | None = None
    do_not_save_samples: bool = False
    do_not_save_grid: bool = False
    eta: float | None = None
    denoising_strength: float = 0.75
    s_min_uncond: float | None = None
    s_churn: float | None = None
    s_tmax: float | None = None
    s_tmin: float | None = None
    s_noise: float | None = None
    clip_skip: Whole | None = None
    """SD.Next's; A1111 has a setting for it."""
    override_settings: Json = field(default_factory=dict)
    override_settings_restore_afterwards: bool = True
    refiner_checkpoint: Text | None = None
    refiner_switch_at: float | None = None
    disable_extra_networks: bool = False
    firstpass_image: Text | None = None
    comments: Json = field(default_factory=dict)
    sampler_index: Text = "Euler"
    script_name: Text | None = None
    script_args: tuple[Any, ...] = ()
    alwayson_scripts: Json = field(default_factory=dict)
    send_images: bool = True
    save_images: bool = False
    force_task_id: TaskId | None = None
    infotext: Text | None = None


@dataclass(frozen=True, kw_only=True)
class TextFields(GenerationFields):
    """The body of txt2img."""

    enable_hr: bool = False
    firstphase_width: Whole = 0
    firstphase_height: Whole = 0
    hr_scale: float = 2.0
    hr_upscaler: Text | None = None
    hr_second_pass_steps: Whole = 0
    hr_resize_x: Whole = 0
    hr_resize_y: Whole = 0
    hr_checkpoint_name: Text | None = None
    hr_sampler_name: Text | None = None
    hr_scheduler: Text | None = None
    hr_prompt: Text = ""
    hr_negative_prompt: Text = ""
    hr_cfg: float | None = None
    """Forge's."""


@dataclass(frozen=True, kw_only=True)
class ImageFields(GenerationFields):
    """The body of img2img. The defaults of the mask are not those of any page."""

    init_images: tuple[str, ...] = ()
    resize_mode: Whole = 0
    image_cfg_scale: float | None = None
    mask: Text | None = None
    mask_blur: Whole | None = None
    mask_blur_x: Whole = 4
    mask_blur_y: Whole = 4
    mask_round: bool = True
    inpainting_fill: Whole = 0
    inpaint_full_res: bool = True
    inpaint_full_res_padding: Whole = 0
    inpainting_mask_invert: Whole = 0
    initial_noise_multiplier: float | None = None
    latent_mask: Text | None = None
    include_init_images: bool = False


@dataclass(frozen=True, kw_only=True)
class Asked(Generic[F]):
    """A request that was read. `unknown` are fields that A1111 doesn't have either."""

    fields: F
    echo: Json
    """What is repeated of it in the answer: every field, without the pictures."""
    unknown: tuple[str, ...]


def read_request(kind: type[F], body: bytes) -> Asked[F]:
    """The fields of a JSON body. Null stands for the default, and a field that is not sent may be
    told by the body's infotext. Raises ValidationError, Refused."""
    sent = {name: value for name, value in read_object(body).items() if value is not None}
    sent |= {name: {} for name in OBJECTS if sent.get(name) == []}
    given = dict(sent)
    if text := sent.get("infotext"):
        fields, settings = told_by_text(str(text))
        given = {**fields, **sent}
        given["override_settings"] = {**settings, **(sent.get("override_settings") or {})}
    known = {known.name: known for known in dataclasses.fields(kind)}
    fields_given = {name: value for name, value in given.items() if name in known}
    read: F = _validated(kind, fields_given, sent)
    echo = {name: getattr(read, name) for name in known}
    if not getattr(read, "include_init_images", False):
        echo |= {name: None for name in NOT_ECHOED if name in known}
    return Asked(fields=read, echo=echo, unknown=tuple(sorted(set(sent) - set(known))))


def _validated(kind: type[F], given: Json, sent: Json) -> F:
    """The fields; what only an infotext tells and can't be used is left out. Raises
    ValidationError."""
    adapter = _adapter(cast("Hashable", kind))
    try:
        read: F = adapter.validate_python(given)
    except ValidationError as error:
        wrong = {fault["loc"][0] for fault in error.errors()} - set(sent)
        if not wrong:
            raise
        read = adapter.validate_python({k: v for k, v in given.items() if k not in wrong})
    return read


def read_object(body: bytes) -> dict[str, Any]:
    """A body that must be a JSON object. Raises Refused."""
    try:
        found = json.loads(body, parse_constant=_no_number)
        if HALF_SIGN.search(body):
            json.dumps(found, ensure_ascii=False).encode()  # half a sign can't be written again
    except (ValueError, RecursionError) as error:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, NO_JSON) from error
    if not isinstance(found, dict):
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, NO_JSON)
    return found


def _no_number(word: str) -> float:
    """NaN and the infinities, which JSON doesn't have but Python reads."""
    raise ValueError(word)


@cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast("type[Any]", kind))
