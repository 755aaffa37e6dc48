"""Which files are SD 3, Flux or Chroma, and which only look like it. The headers are of full width
and a few blocks deep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from tests.families.dit_layouts import original
from webui.core.model import Defaults, Detected, Header, ModelInfo, ModelKind, TensorHeader
from webui.families import load_families
from webui.families.flux_layout import flux_names
from webui.families.sd3_layout import sd3_names
from webui.families.weights import Piece

pytestmark = [
    pytest.mark.torch,
    # what the library's Chroma is made of warns of itself
    pytest.mark.filterwarnings("ignore:`FluxPosEmbed`:FutureWarning"),
]

Shapes = dict[str, tuple[int, ...]]
NameOf = Callable[..., Mapping[str, str | Piece]]
FLUX: Mapping[str, Any] = {"num_layers": 1, "num_single_layers": 1, "num_attention_heads": 24}
GUIDED: Mapping[str, Any] = {**FLUX, "guidance_embeds": True}
FILL: Mapping[str, Any] = {**GUIDED, "in_channels": 384, "out_channels": 64}
CANNY: Mapping[str, Any] = {**GUIDED, "in_channels": 128, "out_channels": 64}
SD3: Mapping[str, Any] = {"num_layers": 2, "pos_embed_max_size": 8}
LARGE: Mapping[str, Any] = {**SD3, "num_attention_heads": 38, "qk_norm": "rms_norm"}
MEDIUM_35: Mapping[str, Any] = {
    **SD3,
    "num_attention_heads": 24,
    "qk_norm": "rms_norm",
    "dual_attention_layers": (0,),
}
CLIP_L = {"text_encoders.clip_l.transformer.text_model.embeddings.token_embedding.weight": (9, 768)}
CLIP_G = {
    "text_encoders.clip_g.transformer.text_model.embeddings.token_embedding.weight": (9, 1280)
}
T5: Shapes = {
    "text_encoders.t5xxl.transformer.encoder.block.0.layer.0.SelfAttention.q.weight": (9, 9)
}
VAE: Shapes = {"first_stage_model.decoder.conv_in.weight": (512, 16, 3, 3)}
OTHER_VAE = {"vae.decoder.conv_in.weight": (512, 16, 3, 3)}
NO_FLUX_PARTS = ("clip_l", "t5xxl", "vae")
NO_SD3_PARTS = ("clip_l", "clip_g", "t5xxl", "vae")


def _library_shapes(kind: Any, settings: Mapping[str, Any]) -> Shapes:
    import torch

    with torch.device("meta"):
        model = kind(**settings)
    return {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}


def _file_shapes(shapes: Shapes, names: Mapping[str, str | Piece]) -> Shapes:
    import torch

    tensors = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    return {key: tuple(tensor.shape) for key, tensor in original(tensors, names).items()}


@cache
def flux(**settings: Any) -> Shapes:
    """A Flux by diffusers' names."""
    from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel

    return _library_shapes(FluxTransformer2DModel, settings)


@cache
def chroma() -> Shapes:
    """A Chroma by diffusers' names."""
    from diffusers.models.transformers.transformer_chroma import ChromaTransformer2DModel

    return _library_shapes(ChromaTransformer2DModel, FLUX)


@cache
def sd3(**settings: Any) -> Shapes:
    """An SD 3 by diffusers' names."""
    from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel

    told = dict(settings)
    width = 64 * told.get("num_attention_heads", 24)
    told = {"num_attention_heads": 24, **told, "caption_projection_dim": width}
    return _library_shapes(SD3Transformer2DModel, told)


def as_file(shapes: Shapes, start: str = "") -> Shapes:
    """The same by the names of original files."""
    is_sd3 = "pos_embed.proj.weight" in shapes
    names: NameOf = sd3_names if is_sd3 else flux_names
    width = shapes["pos_embed.proj.bias" if is_sd3 else "x_embedder.bias"][0]
    return _file_shapes(shapes, names(shapes, width=width, start=start))


def packed(shapes: Shapes) -> Shapes:
    """As bitsandbytes writes weights of 4 bits: two in a byte, in one column."""
    return {
        key: (shape[0] * shape[1] // 2, 1) if len(shape) == 2 and key.endswith("weight") else shape
        for key, shape in shapes.items()
    }


WHOLE = "model.diffusion_model."
KNOWN: Mapping[str, tuple[Callable[[], Shapes], Mapping[str, str], str, str, tuple[str, ...]]] = {
    "flux dev": (lambda: as_file(flux(**GUIDED)), {}, "flux", "dev", NO_FLUX_PARTS),
    "flux dev, prefixed": (
        lambda: as_file(flux(**GUIDED), WHOLE),
        {},
        "flux",
        "dev",
        NO_FLUX_PARTS,
    ),
    "flux dev, whole": (
        lambda: {**as_file(flux(**GUIDED), WHOLE), **CLIP_L, **T5, **OTHER_VAE},
        {},
        "flux",
        "dev",
        (),
    ),
    "flux dev, with its VAE": (
        lambda: {**as_file(flux(**GUIDED), WHOLE), **VAE},
        {},
        "flux",
        "dev",
        ("clip_l", "t5xxl"),
    ),
    "flux dev, diffusers": (lambda: flux(**GUIDED), {}, "flux", "dev", NO_FLUX_PARTS),
    "flux dev in 4 bits": (
        lambda: packed(as_file(flux(**GUIDED), WHOLE)),
        {},
        "flux",
        "dev",
        NO_FLUX_PARTS,
    ),
    "flux kontext": (
        lambda: as_file(flux(**GUIDED)),
        {"modelspec.architecture": "Flux.1-Kontext-dev"},
        "flux",
        "kontext",
        NO_FLUX_PARTS,
    ),
    "flux schnell": (lambda: as_file(flux(**FLUX)), {}, "flux", "schnell", NO_FLUX_PARTS),
    "flux schnell, diffusers": (lambda: flux(**FLUX), {}, "flux", "schnell", NO_FLUX_PARTS),
    "flux fill": (lambda: as_file(flux(**FILL)), {}, "flux", "fill", NO_FLUX_PARTS),
    "flux fill in 4 bits": (
        lambda: packed(as_file(flux(**FILL))),
        {},
        "flux",
        "fill",
        NO_FLUX_PARTS,
    ),
    "flux canny": (lambda: as_file(flux(**CANNY)), {}, "flux", "control", NO_FLUX_PARTS),
    "chroma": (lambda: as_file(chroma()), {}, "chroma", "", ("t5xxl", "vae")),
    "chroma, diffusers": (chroma, {}, "chroma", "", ("t5xxl", "vae")),
    "chroma, whole": (
        lambda: {**as_file(chroma(), WHOLE), **T5, **OTHER_VAE},
        {},
        "chroma",
        "",
        (),
    ),
    "sd 3 medium": (
        lambda: {**as_file(sd3(**SD3), WHOLE), **VAE},
        {},
        "sd3",
        "medium",
        ("clip_l", "clip_g", "t5xxl"),
    ),
    "sd 3 medium with clips": (
        lambda: {**as_file(sd3(**SD3), WHOLE), **VAE, **CLIP_L, **CLIP_G},
        {},
        "sd3",
        "medium",
        ("t5xxl",),
    ),
    "sd 3 medium, diffusers": (lambda: sd3(**SD3), {}, "sd3", "medium", NO_SD3_PARTS),
    "sd 3.5 medium": (lambda: as_file(sd3(**MEDIUM_35)), {}, "sd3", "3.5-medium", NO_SD3_PARTS),
    "sd 3.5 medium, diffusers": (
        lambda: sd3(**MEDIUM_35),
        {},
        "sd3",
        "3.5-medium",
        NO_SD3_PARTS,
    ),
    "sd 3.5 large": (lambda: as_file(sd3(**LARGE)), {}, "sd3", "3.5-large", NO_SD3_PARTS),
    "sd 3.5 large, diffusers": (lambda: sd3(**LARGE), {}, "sd3", "3.5-large", NO_SD3_PARTS),
    "sd 3.5 large turbo": (
        lambda: as_file(sd3(**LARGE)),
        {"modelspec.title": "Stable Diffusion 3.5 Large Turbo"},
        "sd3",
        "3.5-large-turbo",
        NO_SD3_PARTS,
    ),
}


def header(shapes: Shapes) -> Header:
    """As the catalog reads it."""
    return {key: TensorHeader(dtype="BF16", shape=shape) for key, shape in shapes.items()}


def claims(shapes: Shapes, metadata: Mapping[str, str]) -> dict[str, Detected]:
    """What each family says that claims a file."""
    told = {each.id: each.detect(header(shapes), metadata) for each in load_families()}
    return {id: found for id, found in told.items() if found is not None}


@pytest.mark.parametrize("name", KNOWN)
def test_a_file_is_of_one_family_and_variant(name: str) -> None:
    make, metadata, family, variant, missing = KNOWN[name]
    assert claims(make(), metadata) == {family: Detected(variant=variant, missing=missing)}


def lora_of(shapes: Shapes) -> Shapes:
    """A network for it, by BFL's names."""
    return {
        f"{key.removesuffix('.weight')}.lora_{half}.weight": (16, 16)
        for key in shapes
        for half in "AB"
    }


def without_end(shapes: Shapes) -> Shapes:
    """A ControlNet is a copy of the first layers."""
    return {key: shape for key, shape in shapes.items() if not key.startswith(LAST_LAYERS)}


LAST_LAYERS = ("final_layer.", "proj_out.", "norm_out.")
STRANGERS: Mapping[str, Callable[[], Shapes]] = {
    "lora of flux": lambda: lora_of(as_file(flux(**GUIDED))),
    "lora of sd 3": lambda: lora_of(as_file(sd3(**SD3))),
    "controlnet of flux": lambda: without_end(flux(**GUIDED)),
    "controlnet of flux, original": lambda: without_end(as_file(flux(**GUIDED))),
    "controlnet of sd 3": lambda: without_end(sd3(**SD3)),
    "flux 2": lambda: {
        "double_stream_modulation_img.lin.weight": (9, 9),
        "double_blocks.0.img_attn.qkv.weight": (9, 9),
        "single_blocks.0.linear1.weight": (9, 9),
        "img_in.weight": (6144, 128),
        "final_layer.linear.weight": (128, 6144),
    },
    "t5": lambda: T5,
    "vae": lambda: VAE,
}


@pytest.mark.parametrize("name", STRANGERS)
def test_what_looks_like_it_is_not_taken_for_it(name: str) -> None:
    found = claims(STRANGERS[name](), {})
    assert not found.keys() & {"sd3", "flux", "chroma"}


@pytest.mark.parametrize(
    ("family", "variant", "steps", "guidance_scale", "distilled"),
    [
        ("flux", "dev", 20, 1.0, 3.5),
        ("flux", "fill", 20, 1.0, 30.0),
        ("flux", "kontext", 20, 1.0, 2.5),
        ("flux", "schnell", 4, 1.0, None),
        ("chroma", "", 26, 4.0, None),
        ("sd3", "medium", 28, 5.0, None),
        ("sd3", "3.5-medium", 40, 4.5, None),
        ("sd3", "3.5-large", 28, 4.5, None),
        ("sd3", "3.5-large-turbo", 4, 1.0, None),
    ],
)
def test_each_variant_has_what_suits_it(
    family: str, variant: str, steps: int, guidance_scale: float, distilled: float | None
) -> None:
    info = partial(ModelInfo, id="a", name="a", kind=ModelKind.CHECKPOINT, size_bytes=1)
    found = load_families()[family].defaults(info(family=family, path=Path("a"), variant=variant))
    assert found == Defaults(
        width=1024,
        height=1024,
        steps=steps,
        guidance_scale=guidance_scale,
        sampler="euler",
        schedule="simple",
        distilled_guidance=distilled,
    )
