"""Files and folders from all over the web that differ in one respect from the usual: each is used,
or the message says what it is."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.catalog.test_parts import clip
from tests.model_files import Shapes, Tensor, raw_safetensors, safetensors, tensors, torch_zip
from webui.catalog.catalog import Catalog
from webui.core.model import ModelKind

EMBEDDING: Final = {"emb_params": [2, 768]}
SNAPSHOT: Final = "0123456789abcdef0123456789abcdef01234567"


def why(catalog: Catalog) -> str:
    """The reason why the one file there can't be used."""
    catalog.refresh()
    assert [model.id for kind in ModelKind for model in catalog.models(kind)] == ["starter"]
    (problem,) = catalog.problems()
    return problem.why


STRANGERS: Final[Mapping[str, tuple[str, Shapes]]] = {
    "svdquant": ("Look for an fp8, GGUF or 16-bit version", {
        "transformer_blocks.0.qkv_proj.qweight": [9216, 1536],
        "transformer_blocks.0.qkv_proj.wscales": [48, 9216],
        "transformer_blocks.0.qkv_proj.lora_down": [3072, 32],
    }),
    "quanto": ("packed by quanto", {
        "transformer_blocks.0.attn.to_q.weight._data": [8, 8],
        "transformer_blocks.0.attn.to_q.weight._scale": [8, 1],
    }),
    "control lora of BFL": ("FLUX.1-Canny-dev or FLUX.1-Depth-dev", {
        "img_in.lora_A.weight": [128, 128], "img_in.lora_B.weight": [3072, 128],
        "double_blocks.0.img_attn.norm.query_norm.scale": [128],
    }),
    "control lora of diffusers": ("a control LoRA for Flux", {
        "transformer.x_embedder.lora_A.weight": [128, 128],
        "transformer.x_embedder.lora_B.weight": [3072, 128],
    }),
    "redux": ("Flux Redux", {"redux_up.weight": [12288, 1152], "redux_down.weight": [4096, 12288]}),
    "pulid": ("PuLID", {"pulid_ca.0.norm1.weight": [8], "pulid_encoder.proj.weight": [8, 8]}),
    "z-image control": ("a ControlNet", {
        "control_all_x_embedder.2-1.weight": [3840, 132],
        "control_layers.0.attention.to_q.weight": [8, 8],
    }),
    "colour adapter": ("a T2I-Adapter", {
        "body.0.in_conv.weight": [8, 8, 1, 1], "body.0.body.0.block1.weight": [8, 8, 3, 3],
    }),
    "style adapter": ("a T2I-Adapter", {"style_embedding": [1, 8, 1024], "proj": [8, 8]}),
    "hidream": ("it is HiDream", {
        "caption_projection.0.linear.weight": [8, 8],
        "double_stream_blocks.0.block.adaLN_modulation.1.weight": [8, 8],
    }),
    "hunyuan": ("it is Hunyuan-DiT", {"mlp_t5.0.weight": [8, 8]}),
    "omnigen": ("it is OmniGen 2", {"ref_image_refiner.0.norm1.linear.weight": [8, 8]}),
    "kandinsky": ("it is Kandinsky 5", {
        "visual_transformer_blocks.0.cross_attention.key_norm.weight": [64],
    }),
    "anima": ("it is Cosmos or Anima", {
        "net.blocks.0.adaln_modulation_cross_attn.1.weight": [8, 8],
    }),
    "radiance": ("Look for Chroma1-HD", {
        "distilled_guidance_layer.in_proj.weight": [8, 8], "img_in_patch.weight": [8, 3, 16, 16],
        "double_blocks.0.img_attn.qkv.weight": [8, 8], "nerf_blocks.0.param_generator.weight": [8],
    }),
    "restorer": ("RestoreFormer", {
        "quantize.embedding.weight": [1024, 256], "encoder.conv_in.weight": [64, 3, 3, 3],
        "decoder.conv_in.weight": [512, 256, 3, 3], "decoder.conv_out.weight": [3, 64, 3, 3],
    }),
    "vae of films": ("a film model's VAE", {
        "decoder.conv_in.conv.weight": [512, 16, 3, 3, 3],
        "decoder.conv_out.conv.weight": [3, 128, 3, 3, 3],
    }),
    "long clip of its authors": ("with the names of transformers", {
        "token_embedding.weight": [49408, 768], "positional_embedding_res": [248, 768],
        "transformer.resblocks.0.attn.in_proj_weight": [2304, 768],
    }),
    "first trainer": ("cloneofsimo", {"unet:0:up": [320, 4], "unet:0:down": [4, 320]}),
    "second oft": ("oft_R", {"lora_unet_mid_block_attentions_0_proj_in.oft_R.weight": [80, 6]}),
    "taesd's other half": ("taesd_decoder.safetensors", {
        "0.weight": [64, 3, 3, 3], "1.conv.0.weight": [64, 64, 3, 3],
    }),
    "mistral": ("a language model that no model here reads with", {
        "model.embed_tokens.weight": [131072, 5120],
        "model.layers.0.self_attn.q_proj.weight": [4096, 5120],
    }),
    "byt5": ("Most take T5-XXL", {
        "encoder.block.0.layer.0.layer_norm.weight": [1472], "shared.weight": [384, 1472],
        "encoder.block.0.layer.0.SelfAttention.q.weight": [384, 1472],
    }),
    "mmproj": ("mmproj", {"v.blk.0.attn_q.weight": [8, 8], "mm.0.weight": [8, 8]}),
}  # fmt: skip


@pytest.mark.parametrize("name", STRANGERS)
def test_what_cannot_be_used_is_called_by_what_it_is(
    catalog: Catalog, folder: Path, name: str
) -> None:
    says, shapes = STRANGERS[name]
    safetensors(folder / "anywhere" / "x.safetensors", shapes)
    assert says in why(catalog)


UPSCALERS: Final[Mapping[str, Shapes]] = {
    "span": {"conv_1.sk.weight": [48, 3, 3, 3], "block_1.c1_r.sk.weight": [8, 8, 1, 1]},
    "scunet": {"m_head.0.weight": [64, 3, 3, 3], "m_tail.0.weight": [3, 64, 3, 3]},
    "plksr": {"feats.0.weight": [64, 3, 3, 3], "feats.1.lk.conv.weight": [16, 16, 17, 17]},
    "safmn": {"to_feat.weight": [36, 3, 3, 3], "feats.0.safm.aggr.weight": [36, 36, 1, 1]},
    "mosr": {"gblocks.0.weight": [64, 3, 3, 3], "gblocks.1.fc1.weight": [128, 64]},
    "omnisr": {"residual_layer.0.residual_layer.0.layer.0.fn.0.weight": [256, 64, 1, 1]},
    "realcugan": {"unet1.conv1.conv.0.weight": [32, 3, 3, 3], "unet1.conv1_down.weight": [64, 64]},
}


def test_upscalers_are_known_wherever_they_lie(catalog: Catalog, folder: Path) -> None:
    for name, shapes in UPSCALERS.items():
        torch_zip(folder / "anywhere" / f"{name}.pth", {"params": tensors(shapes)})
    catalog.refresh()
    assert {model.name for model in catalog.models(ModelKind.UPSCALER)} == UPSCALERS.keys()


def hypernetwork(path: Path) -> None:
    """As A1111 writes it: tensors by how wide they are, then in a pair."""
    pair = (tensors({"linear.0.weight": [8, 8]}), tensors({"linear.0.weight": [8, 8]}))
    torch_zip(path, {768: pair, "layer_structure": [1.0, 1.0], "activation_func": "linear"})


def first_hypernetwork(path: Path) -> None:
    """The first ones say nothing of themselves."""
    pair = (tensors({"linear1.weight": [8, 8]}), tensors({"linear1.weight": [8, 8]}))
    torch_zip(path, dict.fromkeys((768, 1280, 640, 320), pair))


def database(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + bytes(4096))


def archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model.safetensors", b"weights")


def half_loaded(path: Path) -> None:
    safetensors(path, EMBEDDING)
    path.with_name(f"{path.name}.aria2").write_bytes(b"\0\1")


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (hypernetwork, "a hypernetwork"),
        (first_hypernetwork, "a hypernetwork"),
        (database, "Draw Things"),
        (archive, "Unpack it"),
        (half_loaded, "its download is not finished"),
    ],
)
def test_other_forms_are_called_by_what_they_are(
    catalog: Catalog, folder: Path, write: Callable[[Path], None], says: str
) -> None:
    folder.mkdir()
    write(folder / "x.ckpt")
    assert says in why(catalog)


def test_a_download_that_was_finished_is_used(catalog: Catalog, folder: Path) -> None:
    half_loaded(folder / "x.safetensors")
    assert "not finished" in why(catalog)
    (folder / "x.safetensors.aria2").unlink()
    catalog.refresh()
    assert [model.name for model in catalog.models(ModelKind.EMBEDDING)] == ["x"]


@pytest.mark.parametrize("metadata", [None, [], "text", {"a": {"b": [1]}, "modelspec.title": 5}])
def test_odd_metadata_is_no_hindrance(catalog: Catalog, folder: Path, metadata: object) -> None:
    """Padded with spaces, too, as the library does."""
    entry = {"dtype": "F16", "shape": [1, 768], "data_offsets": [0, 1536]}
    header = json.dumps({"__metadata__": metadata, "emb_params": entry}).encode() + b" " * 5
    raw_safetensors(folder / "x.safetensors", header, b"", 1536)
    catalog.refresh()
    (found,) = catalog.models(ModelKind.EMBEDDING)
    assert isinstance(catalog.metadata(found), dict)


NAMES: Final = ("100% [x] (1) %20 #?&+", "\u6a21\u578b\U0001f4a1" * 20, "a" * 240, "back\\slash")


@pytest.mark.parametrize(
    "name", [*NAMES, "dot. ", "e\u0301", "x.safetensors", "'quoted' \"twice\""]
)
def test_a_file_may_be_called_anything(catalog: Catalog, folder: Path, name: str) -> None:
    safetensors(folder / "sub folder" / f"{name}.safetensors", EMBEDDING)
    catalog.refresh()
    (found,) = catalog.models(ModelKind.EMBEDDING)
    assert found.name == name
    for ref in (found.id, found.name, f"sub folder/{name}"):
        assert catalog.find(ref, ModelKind.EMBEDDING) == found


@pytest.mark.parametrize(("name", "typed"), [("cafe\u0301", "Caf\u00e9"), (" ink ", "ink")])
def test_a_file_is_found_by_its_name_as_it_is_typed(
    catalog: Catalog, folder: Path, name: str, typed: str
) -> None:
    """macOS writes é as two signs; spaces at the ends are seen by nobody."""
    safetensors(folder / f"{name}.safetensors", EMBEDDING)
    catalog.refresh()
    assert catalog.find(typed, ModelKind.EMBEDDING).name == name


@pytest.mark.parametrize("stem", ["model", "pytorch_model", "model.fp16", "adapter_model"])
def test_the_cache_of_hugging_face_gives_models_their_names(
    catalog: Catalog, folder: Path, stem: str
) -> None:
    place = folder / "hub" / "models--maker--my-clip" / "snapshots" / SNAPSHOT
    safetensors(place / f"{stem}.safetensors", clip(768))
    safetensors(folder / "text_encoders" / "other" / f"{stem}.safetensors", clip(768))
    catalog.refresh()
    names = [model.name for model in catalog.models(ModelKind.TEXT_ENCODER)]
    assert sorted(names) == ["my-clip", "other"]


def test_a_folder_in_the_cache_is_named_too(catalog: Catalog, folder: Path) -> None:
    """Its files are links to others, which are named by their hashes."""
    shipped = catalog.get("starter").path if catalog.refresh() is None else folder
    hub = folder / "models--maker--dream"
    place = hub / "snapshots" / SNAPSHOT
    (hub / "blobs").mkdir(parents=True)
    for number, file in enumerate(sorted(shipped.rglob("*.json"))):
        blob = hub / "blobs" / f"{number:064x}"
        blob.write_bytes(file.read_bytes())
        link = place / file.relative_to(shipped)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    catalog.refresh()
    assert catalog.find("dream").folder == "models--maker--dream/snapshots"


@pytest.mark.parametrize(
    ("index", "says"),
    [
        ({"_class_name": "OnnxStableDiffusionPipeline"}, "made for ONNX"),
        ({"_class_name": "OVStableDiffusionXLPipeline"}, "made for OpenVINO"),
        ({"_class_name": "StableDiffusionPipeline", "unet": ["x", "OVModelUnet"]}, "OpenVINO"),
        ({"_class_name": "FlaxStableDiffusionPipeline"}, "made for Flax"),
        ({"_class_name": "KolorsPipeline"}, "“KolorsPipeline”"),
    ],
)
def test_a_folder_of_another_program_is_called_so(
    catalog: Catalog, folder: Path, index: Mapping[str, object], says: str
) -> None:
    place = folder / "x"
    place.mkdir(parents=True)
    (place / "model_index.json").write_text(json.dumps(index), "utf-8")
    assert says in why(catalog)


LORAS: Final[Mapping[str, Shapes]] = {
    "xlabs": {
        "double_blocks.0.processor.qkv_lora1.down.weight": [16, 3072],
        "double_blocks.0.processor.qkv_lora1.up.weight": [9216, 16],
    },
    "OneTrainer": {
        "lora_transformer_single_transformer_blocks_0_attn_to_q.lora_down.weight": [8, 3072],
        "lora_transformer_single_transformer_blocks_0_attn_to_q.lora_up.weight": [3072, 8],
    },
}


def test_loras_of_each_trainer_are_for_flux(catalog: Catalog, folder: Path) -> None:
    for name, shapes in LORAS.items():
        safetensors(folder / f"{name}.safetensors", shapes)
    catalog.refresh()
    found = {model.name: model.family for model in catalog.models(ModelKind.LORA)}
    assert found == dict.fromkeys(LORAS, "flux")


def test_a_checkpoint_of_zip64_is_read(catalog: Catalog, folder: Path) -> None:
    """As torch writes files of more than 4 GB."""
    file = torch_zip(folder / "a.bin", {"<cat>": Tensor([768])})
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(folder / "b.bin", "w") as new:
        for entry in old.infolist():
            with new.open(entry.filename, "w", force_zip64=True) as part:
                part.write(old.read(entry))
    catalog.refresh()
    assert {model.name for model in catalog.models(ModelKind.EMBEDDING)} == {"a", "b"}
