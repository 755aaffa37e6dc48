"""The files that bring what a checkpoint lacks: text encoders and a VAE."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from webui.catalog.catalog import Catalog
from webui.core.errors import InvalidRequest, ModelUnreadable
from webui.core.model import ModelInfo, ModelKind
from webui.families.seeing_model import FIRST
from webui.modelfiles.front import read_front
from webui.modelfiles.shards import files_of

FIELD: Final = "text_encoders"
VAE: Final = "vae"
"""The id of the part that a model without VAE lacks."""

USUAL: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "clip_l": ("CLIP-L text encoder", "clip_l.safetensors"),
        "clip_g": ("CLIP-G text encoder", "clip_g.safetensors"),
        "clip_h": ("OpenCLIP-H text encoder", "clip_h.safetensors"),
        "t5xxl": (
            "T5-XXL text encoder",
            "t5xxl_fp16.safetensors, t5xxl_fp8_e4m3fn.safetensors or a GGUF of it",
        ),
        "gemma2": ("Gemma 2 2B text encoder", "gemma_2_2b_fp16.safetensors"),
        "qwen25vl": ("Qwen2.5-VL 7B text encoder", "qwen_2.5_vl_7b.safetensors"),
        "qwen3": ("Qwen3 4B text encoder", "qwen_3_4b.safetensors"),
        "qwen3_8b": ("Qwen3 8B text encoder", "qwen_3_8b.safetensors"),
    }
)
"""Of each text encoder: its name for people, and what its files are usually called."""
DISPENSABLE: Final[Mapping[str, frozenset[str]]] = MappingProxyType({"sd3": frozenset({"t5xxl"})})
"""Text encoders that models of a family read without where there is none, less well."""
SEEING: Final = frozenset(("qwen", variant) for variant in ("edit", "edit-plus", "edit-2511"))
"""Families and variants whose text encoder is shown pictures."""
XL_LATENTS: Final = ("pixart", "sigma")
"""A family and a variant of it that was trained with the VAE of Stable Diffusion XL."""
USUAL_VAES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sd": "vae-ft-mse-840000-ema-pruned.safetensors or sdxl_vae.safetensors",
        "flux16": "ae.safetensors",
        "flux2": "flux2-vae.safetensors",
        "qwen": "qwen_image_vae.safetensors",
        "dcae": "that of dc-ae-f32c32-sana in diffusers' layout",
    }
)


def find_encoder(catalog: Catalog, model: ModelInfo, part: str) -> ModelInfo | None:
    """The text encoder that a checkpoint lacks; of several the largest, which is the most exact.
    None where there is none and the checkpoint can do without.

    Raises InvalidRequest that says which file to put where.
    """
    fitting = [each for each in catalog.models(ModelKind.TEXT_ENCODER) if each.variant == part]
    seeing = [each for each in fitting if _will_do(each, model)]
    found = _largest(seeing, part)
    if found is not None or part in DISPENSABLE.get(model.family, ()):
        return found
    noun, usual = USUAL.get(part, (f"text encoder “{part}”", f"{part}.safetensors"))
    blind = f" that sees pictures, and “{fitting[0].name}” reads words alone" if fitting else ""
    raise InvalidRequest(
        "checkpoint",
        f"“{model.name}” has no {noun} in it{blind}. Put {usual} into "
        f"{catalog.folder.name}/text_encoders, then refresh the models.",
    )


def asked_encoders(
    catalog: Catalog, model: ModelInfo, names: Iterable[str]
) -> dict[str, ModelInfo]:
    """The text encoders of these names, ids or hashes, by the parts that they are. Raises
    InvalidRequest for one that is not here, or that the checkpoint has no use for."""
    asked: dict[str, ModelInfo] = {}
    for name in names:
        found = catalog.look_up(ModelKind.TEXT_ENCODER, name)
        if found is None:
            raise InvalidRequest(
                FIELD,
                f"There is no text encoder “{name}” on this server. Choose one that is in the "
                f"list, or put the file into {catalog.folder.name}/text_encoders.",
            )
        noun = USUAL.get(found.variant, (f"text encoder “{found.variant}”", ""))[0]
        if found.variant not in model.missing:
            raise InvalidRequest(
                FIELD,
                f"“{found.name}” is a {noun}, which “{model.name}” has no use for or brings "
                "itself. Leave it out.",
            )
        if not _will_do(found, model):
            raise InvalidRequest(
                FIELD,
                f"“{found.name}” reads words alone, and the text encoder of “{model.name}” must "
                "see pictures too. Leave it out, or name one in safetensors that does.",
            )
        if found.variant in asked:
            raise InvalidRequest(
                FIELD,
                f"“{asked[found.variant].name}” and “{found.name}” are both a {noun}. Name one.",
            )
        asked[found.variant] = found
    return asked


def find_vae(catalog: Catalog, model: ModelInfo, latents: str) -> ModelInfo:
    """A VAE for a checkpoint that has none, for latents of this kind.

    Latents of Stable Diffusion and of its XL look alike in a file, so there a name that says XL
    decides between several. Raises InvalidRequest that says which file to put where.
    """
    fitting = [vae for vae in catalog.models(ModelKind.VAE) if vae.variant == latents]
    is_xl = model.family.startswith("sdxl") or (model.family, model.variant) == XL_LATENTS
    alike = [vae for vae in fitting if ("xl" in vae.name.lower()) is is_xl]
    found = _largest(alike or fitting, latents)
    if found is not None:
        return found
    usual = USUAL_VAES.get(latents, "one that was made for it")
    raise InvalidRequest(
        "vae",
        f"“{model.name}” has no VAE in it, the part that makes pixels. Put {usual} into "
        f"{catalog.folder.name}/vae, then refresh the models.",
    )


def _will_do(encoder: ModelInfo, model: ModelInfo) -> bool:
    """Whether a text encoder sees pictures, where the model needs one that does."""
    if (model.family, model.variant) not in SEEING:
        return True
    try:
        fronts = [read_front(file) for file in files_of(encoder.path)]
    except (ModelUnreadable, OSError):  # GGUF as well
        return False
    return any(key.endswith(FIRST) for front in fronts for key in front.tensors)


def _largest(models: Iterable[ModelInfo], variant: str) -> ModelInfo | None:
    fitting = [model for model in models if model.variant == variant]
    return max(fitting, key=lambda model: (model.size_bytes, model.id), default=None)
