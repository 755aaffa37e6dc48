"""What a program gets for the pictures it asked for: A1111's shape, to the last key."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from PIL import Image

from webui import __version__
from webui.api.sdapi.errors import Refused
from webui.api.sdapi.fields import GenerationFields, Json
from webui.api.sdapi.pictures import as_png, write_base64
from webui.core.errors import GessoError
from webui.core.model import ModelKind
from webui.core.recipe import Recipe
from webui.core.request import GenerationRequest, Mode
from webui.core.result import Picture
from webui.imaging.infotext import read_infotext
from webui.imaging.upload import open_upload
from webui.plans.contact_sheet import Tile, draw_grid
from webui.plans.kind import Place, square
from webui.studio import Studio

NO_SEED: Final = -1
MOST_PIXELS: Final = 128_000_000
"""Of all pictures in one answer, which is put together in memory."""
INPAINT: Final = "inpaint"
LARGEST_EXACT: Final = 2**53
"""From here on floats are whole without being exact."""
CORE: Final = frozenset(
    {
        *("Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Size", "Model hash", "Model"),
        *("VAE hash", "VAE", "Variation seed", "Variation seed strength", "Seed resize from"),
        *("Denoising strength", "Clip skip", "Version"),
    }
)
"""Keys of an infotext that have fields of their own; the others are extra parameters."""


@dataclass(frozen=True, kw_only=True)
class File:
    """A picture as it goes out, and A1111's text of it."""

    data: bytes
    infotext: str


@dataclass(frozen=True, kw_only=True)
class Made:
    """What came of a request. `recipes` are those of `files`, which come after the `grids`; where
    nothing was finished, that of the first picture stands alone."""

    recipes: Sequence[Recipe]
    files: Sequence[File]
    created_at: float
    grids: Sequence[File] = ()


def check_answer(
    fields: GenerationFields, requests: Sequence[GenerationRequest], times: int = 1
) -> None:
    """Raises Refused when all pictures together are too many for one answer; each request is made
    so many times."""
    if not fields.send_images:
        return
    check_pixels(times * sum(request.picture_count * _pixels(request) for request in requests))


def check_pixels(pixels: int) -> None:
    """Raises Refused when so many pixels are too many for one answer."""
    if pixels > MOST_PIXELS:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"These are {pixels / 1e6:.0f} million pixels, too many for one answer. The most is "
            f"{MOST_PIXELS / 1e6:.0f}: ask for fewer or smaller pictures at a time, or save "
            "what is made with save_images and send_images false.",
        )


def _pixels(request: GenerationRequest) -> int:
    width, height, hires = request.width or 0, request.height or 0, request.hires
    if hires is not None and (hires.width or hires.height):
        return (hires.width or hires.height or 0) * (hires.height or hires.width or 0)
    return int(width * height * (hires.scale**2 if hires else 1))


def file_of(studio: Studio, picture: Picture) -> File:
    """A saved picture. Raises GessoError when its file is gone."""
    try:
        data = picture.path.read_bytes()
    except OSError as error:
        raise GessoError(
            f"The picture “{picture.path.name}” was made, but its file is gone."
        ) from error
    return File(data=data, infotext=studio.infotext(picture.recipe, picture.facts))


def unfinished_file(studio: Studio, recipe: Recipe, picture: Image.Image) -> File:
    """How far a picture had come when it was interrupted: A1111 sends that, too."""
    text = studio.infotext(recipe)
    return File(data=as_png(picture, text), infotext=text)


def grid_file(files: Sequence[File]) -> File:
    """All pictures in one, as A1111 puts them before the others."""
    grid, first = square(len(files)), open_upload(files[0].data)
    columns = len(grid.columns)
    tiles = [
        Tile(
            place=Place(column=number % columns, row=number // columns),
            open=partial(_opened, file.data),
        )
        for number, file in enumerate(files)
    ]
    sheet = draw_grid(grid, tiles, first.size)
    return File(data=as_png(sheet, files[0].infotext), infotext=files[0].infotext)


def _opened(data: bytes) -> Image.Image:
    return open_upload(data).convert("RGB")


def generation_answer(
    studio: Studio, fields: GenerationFields, echo: Json, made: Made, ignored: Sequence[str]
) -> bytes:
    """The JSON body of the answer."""
    info = _info(studio, fields, made)
    if ignored:
        info["ignored"] = list(ignored)
    files = (*made.grids, *made.files) if fields.send_images else ()
    return json.dumps(
        {
            "images": [write_base64(file.data) for file in files],
            "parameters": _plain(echo),
            "info": json.dumps(_plain(info), ensure_ascii=False),
        },
        ensure_ascii=False,
    ).encode()


def _plain(values: Json) -> dict[str, Any]:
    """The values, whole numbers without ".0": A1111 writes some so, and programs in typed languages
    read them into integers; where they expect fractions they take both."""
    return {
        name: int(value)
        if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_EXACT
        else value
        for name, value in values.items()
    }


def _info(studio: Studio, fields: GenerationFields, made: Made) -> dict[str, Any]:
    recipes, first = made.recipes, made.recipes[0]
    texts = [file.infotext for file in (*made.grids, *made.files)]
    vae = next((f for f in first.files if f.kind is ModelKind.VAE and f.ref == first.vae), None)
    sampler = studio.samplers.get(first.sampler)
    subseeds = [_subseed(recipe) for recipe in recipes]
    return {
        "prompt": first.prompt,
        "all_prompts": [recipe.prompt for recipe in recipes],
        "negative_prompt": first.negative_prompt,
        "all_negative_prompts": [recipe.negative_prompt for recipe in recipes],
        "seed": first.seed,
        "all_seeds": [recipe.seed for recipe in recipes],
        "subseed": subseeds[0],
        "all_subseeds": subseeds,
        "subseed_strength": first.noise.variation_strength,
        "width": first.width,
        "height": first.height,
        "sampler_name": sampler.label if sampler else first.sampler,
        "cfg_scale": first.guidance_scale,
        "steps": first.steps,
        "batch_size": fields.batch_size,
        "restore_faces": False,
        "face_restoration_model": None,
        "sd_model_name": first.model.name,
        "sd_model_hash": first.model.short_hash,
        "sd_vae_name": vae.name if vae else None,
        "sd_vae_hash": vae.short_hash if vae else None,
        "seed_resize_from_w": first.noise.resize_from_width or -1,
        "seed_resize_from_h": first.noise.resize_from_height or -1,
        "denoising_strength": _strength(first, fields),
        "extra_generation_params": _extra(studio, first),
        "index_of_first_image": len(made.grids),
        "infotexts": texts,
        "styles": list(fields.styles),
        "job_timestamp": timestamp(made.created_at),
        "clip_skip": first.clip_skip,
        "is_using_inpainting_conditioning": _is_inpainting(studio, first),
        "version": f"Gesso {__version__}",
    }


def timestamp(seconds: float) -> str:
    """A moment as A1111 writes it."""
    return time.strftime("%Y%m%d%H%M%S", time.localtime(seconds))


def _subseed(recipe: Recipe) -> int:
    seed = recipe.noise.variation_seed
    return NO_SEED if seed is None else seed


def _strength(recipe: Recipe, fields: GenerationFields) -> float:
    """What was asked for where it meant nothing: A1111 tells a number always."""
    if recipe.source is not None:
        return recipe.source.denoising_strength
    return recipe.hires.denoising_strength if recipe.hires else fields.denoising_strength


def _extra(studio: Studio, recipe: Recipe) -> Mapping[str, str]:
    settings = read_infotext(studio.infotext(recipe)).settings
    return {key: value for key, value in settings.items() if key not in CORE}


def _is_inpainting(studio: Studio, recipe: Recipe) -> bool:
    model = studio.catalog.look_up(ModelKind.CHECKPOINT, recipe.model.id)
    return recipe.mode is Mode.INPAINT and model is not None and model.variant == INPAINT
