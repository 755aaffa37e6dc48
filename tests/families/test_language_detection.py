"""Which files are of the families that read prompts with a language model. The headers are of full
width and a block or two deep."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.families.dit_layouts import original
from webui.core.model import Defaults, Detected, Header, ModelInfo, ModelKind, TensorHeader
from webui.families import load_families
from webui.families.flux2_layout import flux2_names
from webui.families.lumina2_layout import lumina2_names
from webui.families.pixart_layout import pixart_names
from webui.families.sana_layout import sana_config, sana_names
from webui.families.zimage_layout import zimage_names

pytestmark = pytest.mark.torch

Shapes = dict[str, tuple[int, ...]]
WHOLE = "model.diffusion_model."
ZIMAGE: Mapping[str, Any] = {"n_layers": 1, "n_refiner_layers": 1}
VAE = {"first_stage_model.decoder.conv_in.weight": (512, 16, 3, 3)}


def reader(checkpoint: str) -> Shapes:
    """What whole checkpoints have of a language model."""
    start = f"text_encoders.{checkpoint}.transformer.model."
    return {f"{start}layers.0.self_attn.q_proj.weight": (9, 9)}


def prefixed(shapes: Shapes) -> Shapes:
    """As whole checkpoints have it."""
    return {WHOLE + key: shape for key, shape in shapes.items()}


@cache
def network(kind: str, **settings: Any) -> Shapes:
    """By diffusers' names; `kind` is "module:class" below its models."""
    import torch

    module, name = kind.split(":")
    made = getattr(import_module(f"diffusers.models.transformers.{module}"), name)
    with torch.device("meta"):
        model = made(**settings)
    return {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}


def as_file(shapes: Shapes, names: Callable[..., Any], width: int, start: str = "") -> Shapes:
    """By the names of original files."""
    import torch

    tensors = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    named = names(shapes, width=width, start=start)
    return {key: tuple(tensor.shape) for key, tensor in original(tensors, named).items()}


zimage = partial(network, "transformer_z_image:ZImageTransformer2DModel", **ZIMAGE)
zimage_file = partial(as_file, names=zimage_names, width=3840)

QWEN: Mapping[str, Any] = {"num_layers": 1}
qwen = partial(network, "transformer_qwenimage:QwenImageTransformer2DModel", **QWEN)
QWEN_VAE = {"vae.decoder.conv1.weight": (384, 16, 3, 3, 3)}
NO_QWEN_PARTS = ("qwen25vl", "vae")
lumina2 = partial(
    network,
    "transformer_lumina2:Lumina2Transformer2DModel",
    num_layers=1,
    num_refiner_layers=1,
    cap_feat_dim=2304,
)
lumina2_file = partial(as_file, names=lumina2_names, width=2304)
NO_LUMINA2_PARTS = ("gemma2", "vae")
flux2 = partial(
    network,
    "transformer_flux2:Flux2Transformer2DModel",
    num_layers=1,
    num_single_layers=1,
    num_attention_heads=24,
    joint_attention_dim=7680,
    guidance_embeds=False,
)
flux2_large = partial(flux2, num_attention_heads=32, joint_attention_dim=12288)
flux2_dev = partial(flux2, num_attention_heads=48, joint_attention_dim=15360, guidance_embeds=True)
NO_FLUX2_PARTS = ("qwen3", "vae")
pixart = partial(
    network,
    "pixart_transformer_2d:PixArtTransformer2DModel",
    num_layers=1,
    caption_channels=4096,
    use_additional_conditions=False,
)
alpha = partial(pixart, use_additional_conditions=True)
NO_PIXART_PARTS = ("t5xxl", "vae")
sana = partial(network, "sana_transformer:SanaTransformer2DModel", num_layers=1)
SANA_SMALL: Mapping[str, Any] = {
    "num_attention_heads": 36,
    "num_cross_attention_heads": 16,
    "cross_attention_head_dim": 72,
    "cross_attention_dim": 1152,
}
sana_file = partial(as_file, names=sana_names, width=2240)
SPRINT = {"cfg_embedder.mlp.0.weight": (2240, 256)}
NO_SANA_PARTS = ("gemma2", "vae")
NO_ZIMAGE_PARTS = ("qwen3", "vae")
KNOWN: Mapping[str, tuple[Callable[[], Shapes], Mapping[str, str], str, str, tuple[str, ...]]] = {
    "z-image": (lambda: zimage_file(zimage()), {}, "zimage", "turbo", NO_ZIMAGE_PARTS),
    "z-image, diffusers": (zimage, {}, "zimage", "turbo", NO_ZIMAGE_PARTS),
    "z-image base": (
        lambda: zimage_file(zimage()),
        {"modelspec.title": "Z-Image"},
        "zimage",
        "base",
        NO_ZIMAGE_PARTS,
    ),
    "z-image, whole": (
        lambda: {**zimage_file(zimage(), start=WHOLE), **VAE, **reader("qwen3_4b")},
        {},
        "zimage",
        "turbo",
        (),
    ),
    "lumina 2": (lambda: lumina2_file(lumina2()), {}, "lumina2", "", NO_LUMINA2_PARTS),
    "lumina 2, diffusers": (lumina2, {}, "lumina2", "", NO_LUMINA2_PARTS),
    "lumina 2, whole": (
        lambda: {**lumina2_file(lumina2(), start=WHOLE), **VAE, **reader("gemma2_2b")},
        {},
        "lumina2",
        "",
        (),
    ),
    "flux 2 klein": (
        lambda: as_file(flux2(), flux2_names, 3072),
        {},
        "flux2",
        "klein-4b",
        NO_FLUX2_PARTS,
    ),
    "flux 2 klein base, diffusers": (
        flux2,
        {"modelspec.title": "FLUX.2-klein-base-4B"},
        "flux2",
        "klein-4b-base",
        NO_FLUX2_PARTS,
    ),
    "flux 2 klein 9b": (
        lambda: as_file(flux2_large(), flux2_names, 4096, WHOLE),
        {},
        "flux2",
        "klein-9b",
        ("qwen3_8b", "vae"),
    ),
    "flux 2 dev": (
        lambda: as_file(flux2_dev(), flux2_names, 6144),
        {},
        "flux2",
        "dev",
        NO_FLUX2_PARTS,
    ),
    "pixart sigma": (
        lambda: as_file(pixart(), pixart_names, 1152),
        {},
        "pixart",
        "sigma",
        NO_PIXART_PARTS,
    ),
    "pixart sigma, diffusers": (pixart, {}, "pixart", "sigma", NO_PIXART_PARTS),
    "pixart alpha": (
        lambda: as_file(alpha(), pixart_names, 1152, WHOLE),
        {},
        "pixart",
        "alpha",
        NO_PIXART_PARTS,
    ),
    "pixart alpha, diffusers": (alpha, {}, "pixart", "alpha", NO_PIXART_PARTS),
    "pixart alpha of 512": (
        lambda: {
            **as_file(pixart(), pixart_names, 1152),
            "y_embedder.y_embedding": (120, 4096),
        },
        {},
        "pixart",
        "alpha-512",
        NO_PIXART_PARTS,
    ),
    "sana": (lambda: sana_file(sana()), {}, "sana", "", NO_SANA_PARTS),
    "sana 1.5": (
        lambda: sana_file(sana(qk_norm="rms_norm_across_heads")),
        {},
        "sana",
        "",
        NO_SANA_PARTS,
    ),
    "sana of 0.6B, diffusers": (lambda: sana(**SANA_SMALL), {}, "sana", "", NO_SANA_PARTS),
    "sana sprint": (
        lambda: {**sana_file(sana()), **SPRINT},
        {},
        "sana",
        "sprint",
        NO_SANA_PARTS,
    ),
    "sana sprint, diffusers": (
        lambda: sana(guidance_embeds=True),
        {},
        "sana",
        "sprint",
        NO_SANA_PARTS,
    ),
    "qwen-image": (qwen, {}, "qwen", "", NO_QWEN_PARTS),
    "qwen-image edit": (
        qwen,
        {"modelspec.title": "Qwen-Image-Edit"},
        "qwen",
        "edit",
        NO_QWEN_PARTS,
    ),
    "qwen-image edit 2509": (
        qwen,
        {"modelspec.title": "Qwen-Image-Edit-2509"},
        "qwen",
        "edit-plus",
        NO_QWEN_PARTS,
    ),
    "qwen-image edit 2511": (
        qwen,
        {"general.name": "Qwen Image Edit 2511"},
        "qwen",
        "edit-2511",
        NO_QWEN_PARTS,
    ),
    "qwen-image edit 2511, which says nothing": (
        lambda: {**qwen(), "__index_timestep_zero__": (0,)},
        {},
        "qwen",
        "edit-2511",
        NO_QWEN_PARTS,
    ),
    "qwen-image layered": (
        lambda: qwen(use_additional_t_cond=True),
        {},
        "qwen",
        "layered",
        NO_QWEN_PARTS,
    ),
    "qwen-image, whole": (
        lambda: {**prefixed(qwen()), **QWEN_VAE, **reader("qwen25_7b")},
        {},
        "qwen",
        "",
        (),
    ),
}


def claims(shapes: Shapes, metadata: Mapping[str, str]) -> dict[str, Detected]:
    """What each family says that claims a file."""
    header: Header = {key: TensorHeader(dtype="BF16", shape=shape) for key, shape in shapes.items()}
    told = {each.id: each.detect(header, metadata) for each in load_families()}
    return {id: found for id, found in told.items() if found is not None}


@pytest.mark.parametrize("name", KNOWN)
def test_a_file_is_of_one_family_and_variant(name: str) -> None:
    make, metadata, family, variant, missing = KNOWN[name]
    assert claims(make(), metadata) == {family: Detected(variant=variant, missing=missing)}


def lora_of(shapes: Shapes) -> Shapes:
    """A network for it, by the original names."""
    return {
        f"{WHOLE}{key.removesuffix('.weight')}.lora_{half}.weight": (16, 16)
        for key in shapes
        for half in "AB"
    }


STRANGERS: Mapping[str, Callable[[], Shapes]] = {
    "lora of z-image": lambda: lora_of(zimage_file(zimage())),
    "lora of flux 2": lambda: lora_of(as_file(flux2(), flux2_names, 3072)),
    "lora of pixart": lambda: lora_of(as_file(pixart(), pixart_names, 1152)),
    "lora of lumina 2": lambda: lora_of(lumina2_file(lumina2())),
    "lora of qwen-image": lambda: lora_of(qwen()),
    "qwen-image's vae": lambda: QWEN_VAE,
    "qwen 3": lambda: {
        "model.embed_tokens.weight": (151936, 2560),
        "model.layers.0.self_attn.q_proj.weight": (4096, 2560),
        "model.layers.0.self_attn.q_norm.weight": (128,),
    },
}


@pytest.mark.parametrize("name", STRANGERS)
def test_what_looks_like_it_is_not_taken_for_it(name: str) -> None:
    assert claims(STRANGERS[name](), {}) == {}


@pytest.mark.parametrize(
    ("family", "variant", "steps", "guidance_scale", "size"),
    [
        ("zimage", "turbo", 8, 1.0, 1024),
        ("zimage", "base", 28, 5.0, 1024),
        ("qwen", "", 30, 2.5, 1328),
        ("lumina2", "", 30, 4.0, 1024),
        ("flux2", "klein-4b", 4, 1.0, 1024),
        ("sana", "", 20, 4.5, 1024),
        ("flux2", "klein-9b-base", 50, 4.0, 1024),
    ],
)
def test_each_variant_has_what_suits_it(
    family: str, variant: str, steps: int, guidance_scale: float, size: int
) -> None:
    info = partial(ModelInfo, id="a", name="a", kind=ModelKind.CHECKPOINT, size_bytes=1)
    found = load_families()[family].defaults(info(family=family, path=Path("a"), variant=variant))
    assert found == Defaults(
        width=size,
        height=size,
        steps=steps,
        guidance_scale=guidance_scale,
        sampler="euler",
        schedule="simple",
    )


@pytest.mark.parametrize(
    ("variant", "side"), [("sigma", 1024), ("alpha", 1024), ("alpha-512", 512)]
)
def test_pixart_has_the_sampler_that_suits_it(variant: str, side: int) -> None:
    info = partial(ModelInfo, id="a", name="a", kind=ModelKind.CHECKPOINT, size_bytes=1)
    found = load_families()["pixart"].defaults(
        info(family="pixart", path=Path("a"), variant=variant)
    )
    assert found == Defaults(
        width=side, height=side, steps=20, guidance_scale=4.5, sampler="dpmpp_2m"
    )


FOLDERS: Mapping[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "z-image turbo": ({"_class_name": "ZImagePipeline"}, {"shift": 3.0}, "zimage", "turbo"),
    "z-image": ({"_class_name": "ZImagePipeline"}, {"shift": 6.0}, "zimage", "base"),
    "qwen-image": ({"_class_name": "QwenImagePipeline"}, {}, "qwen", ""),
    "qwen-image edit": ({"_class_name": "QwenImageEditPipeline"}, {}, "qwen", "edit"),
    "qwen-image edit 2509": (
        {"_class_name": "QwenImageEditPlusPipeline"},
        {},
        "qwen",
        "edit-plus",
    ),
    "lumina 2": ({"_class_name": "Lumina2Pipeline"}, {}, "lumina2", ""),
    "flux 2 klein": (
        {"_class_name": "Flux2KleinPipeline", "is_distilled": True},
        {},
        "flux2",
        "klein-4b",
    ),
    "flux 2 klein base": ({"_class_name": "Flux2KleinPipeline"}, {}, "flux2", "klein-4b-base"),
    "flux 2 dev": ({"_class_name": "Flux2Pipeline"}, {}, "flux2", "dev"),
    "pixart sigma": ({"_class_name": "PixArtSigmaPipeline"}, {}, "pixart", "sigma"),
    "pixart alpha of 512": ({"_class_name": "PixArtAlphaPipeline"}, {}, "pixart", "alpha-512"),
    "sana": ({"_class_name": "SanaPipeline"}, {}, "sana", ""),
    "sana sprint": ({"_class_name": "SanaSprintPipeline"}, {}, "sana", "sprint"),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_is_of_one_family_and_variant(name: str, tmp_path: Path) -> None:
    index, schedule, family, variant = FOLDERS[name]
    (tmp_path / "scheduler").mkdir()
    (tmp_path / "scheduler" / "scheduler_config.json").write_text(json.dumps(schedule), "utf-8")
    told = {each.id: each.detect_folder(index, tmp_path) for each in load_families()}
    assert {id: found for id, found in told.items() if found} == {family: Detected(variant=variant)}


@pytest.mark.parametrize(
    ("family", "variant", "words"),
    [
        ("qwen", "layered", "layers"),
        ("flux2", "dev", "24 billion"),
        ("sana", "sprint", "Sprint"),
    ],
)
def test_what_cant_be_run_is_called_by_what_it_is(family: str, variant: str, words: str) -> None:
    found: Any = load_families()[family]
    with pytest.raises(ValueError, match=words):
        found.kind(variant)


@pytest.mark.parametrize(
    "settings",
    [{}, {"qk_norm": "rms_norm_across_heads"}, SANA_SMALL, {"sample_size": 128}],
    ids=["1.6B", "1.5", "0.6B", "4096"],
)
def test_sanas_size_is_told_by_its_shapes(settings: dict[str, Any]) -> None:
    """Those of 2048 and 4096 pixels by a table of places, which diffusers computes."""
    sides = settings.get("sample_size", 32)
    file = as_file(sana(**settings), sana_names, 1152 if settings is SANA_SMALL else 2240)
    file["pos_embed"] = (1, sides**2, 2240)
    found = sana_config(file.__getitem__, file)
    rebuilt = network("sana_transformer:SanaTransformer2DModel", **found)
    assert rebuilt == sana(**settings)
    assert found["interpolation_scale"] == (2.0 if sides == 128 else None)
