"""Requests of any shape, drawn from the types in core: a new field takes part by itself."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, Final

from annotated_types import Ge, Le, MaxLen, MultipleOf
from hypothesis import strategies as st

from webui.core.model import ModelKind
from webui.core.recipe import FileRef, ModelRef, Recipe
from webui.core.request import GenerationRequest, InputId

NAMES = {
    "sampler": ("euler_a", "dpmpp_2m", "ddim"),
    "schedule": ("automatic", "karras"),
    "upscaler": ("latent", "lanczos"),
    "second_upscaler": ("lanczos",),
    "checkpoint": ("sd/model.safetensors", "other.safetensors"),
    "vae": ("vae/a.safetensors",),
}
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40).map(str.strip)


def values_of(hint: Any, name: str) -> st.SearchStrategy[Any]:
    """Values of a field with this annotation; names are taken from NAMES."""
    if name in NAMES:
        return st.sampled_from(NAMES[name])
    if typing.get_origin(hint) is Annotated:
        return _limited(hint, name)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    if hint is bool:
        return st.booleans()
    if dataclasses.is_dataclass(hint):
        return parts(typing.cast("type", hint))
    raise TypeError(f"{name}: {hint}")


def _limited(hint: Any, name: str) -> st.SearchStrategy[Any]:
    kind, *limits = typing.get_args(hint)
    by_type = {type(limit): limit for limit in limits}
    if MaxLen in by_type:
        return words
    low, high = by_type[Ge].ge, by_type[Le].le
    if MultipleOf in by_type:
        unit = by_type[MultipleOf].multiple_of
        return st.integers(low // unit, high // unit).map(lambda n: n * unit)
    return st.integers(low, high) if kind is int else st.floats(low, high)


def parts(kind: type) -> st.SearchStrategy[Any]:
    """Dataclasses of this kind. Widths and heights that may be blank are blank together."""
    hints = typing.get_type_hints(kind, include_extras=True)
    given = {}
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        if field.name == "image":
            given[field.name] = st.just(InputId("a" * 64))
        elif typing.get_origin(hint) in (typing.Union, types.UnionType):
            inner = next(part for part in typing.get_args(hint) if part is not type(None))
            given[field.name] = st.none() | values_of(inner, field.name)
        elif typing.get_origin(hint) not in (tuple, Mapping):
            given[field.name] = values_of(hint, field.name)
    return st.builds(kind, **given).map(_paired)


def _paired(part: Any) -> Any:
    for width in ("width", "resize_from_width"):
        height = width.replace("width", "height")
        if getattr(part, width, 0) is None or getattr(part, height, 0) is None:
            part = dataclasses.replace(part, **{width: None, height: None})
    return part


FILES: Final = (
    FileRef(
        kind=ModelKind.CHECKPOINT,
        ref="other.safetensors",
        id="other.safetensors",
        name="other",
        hash="f" * 64,
        short_hash="f" * 10,
    ),
    FileRef(
        kind=ModelKind.VAE,
        ref="vae/a.safetensors",
        id="vae/a.safetensors",
        name="a",
        hash="e" * 64,
        short_hash="e" * 10,
    ),
)


def recipe_of(request: GenerationRequest) -> Recipe:
    """A recipe that says what the request does, as a studio would resolve it."""
    model = ModelRef(
        id="sd/model.safetensors", name="model", family="sd15", hash="0123456789abcdef" * 4
    )
    sampling = request.sampling
    return Recipe(
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        model=model,
        width=request.width or 512,
        height=request.height or 512,
        seed=request.seed or 0,
        sampler=sampling.sampler or "euler_a",
        schedule=sampling.schedule or "karras",
        steps=sampling.steps or 20,
        guidance_scale=sampling.guidance_scale or 7.0,
        clip_skip=sampling.clip_skip or 1,
        distilled_guidance=sampling.distilled_guidance,
        parameters=sampling.parameters,
        emphasis=request.emphasis,
        vae=request.vae,
        noise=request.noise,
        guidance=request.guidance,
        tiling=request.tiling,
        hires=request.hires,
        refiner=request.refiner,
        source=request.source,
        mask=request.mask,
        outpaint=request.outpaint,
        extras=request.extras,
        files=FILES,
        version="0.1.0",
    )
