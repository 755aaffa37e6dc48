"""Which kind of model a file is taken for, and that looking runs nothing of it."""

from __future__ import annotations

import hashlib
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.catalog.test_catalog import SD15_KEYS
from tests.model_files import Raw, Tensor, safetensors, tensors, torch_legacy, torch_zip
from webui.catalog.catalog import Catalog
from webui.core.errors import NotFound
from webui.core.model import ModelKind
from webui.families import load_families

Shapes = dict[str, list[int]]

UNET_LAYER: Final = "down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
VAE: Final[Shapes] = {
    "decoder.conv_in.weight": [512, 4, 3, 3],
    "decoder.conv_out.weight": [3, 128, 3, 3],
    "encoder.conv_in.weight": [128, 3, 3, 3],
}
FILES: Final[dict[str, tuple[ModelKind, str, Shapes]]] = {
    "kohya lora": (ModelKind.LORA, "sd15", {
        f"lora_unet_{UNET_LAYER}.lora_down.weight": [8, 768],
        f"lora_unet_{UNET_LAYER}.lora_up.weight": [320, 8],
        f"lora_unet_{UNET_LAYER}.alpha": [],
    }),
    "peft lora": (ModelKind.LORA, "sdxl", {
        "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight": [8, 2048],
        "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.lora_B.weight": [1280, 8],
    }),
    "early diffusers lora": (ModelKind.LORA, "", {
        "unet.mid_block.attentions.0.attn1.processor.to_q_lora.down.weight": [4, 1280],
        "unet.mid_block.attentions.0.attn1.processor.to_q_lora.up.weight": [1280, 4],
    }),
    "flux lora": (ModelKind.LORA, "flux", {
        "lora_unet_single_blocks_0_linear1.lora_down.weight": [8, 3072],
        "lora_unet_single_blocks_0_linear1.lora_up.weight": [21504, 8],
    }),
    "flux.2 lora": (ModelKind.LORA, "flux2", {
        "diffusion_model.single_blocks.0.linear1.lora_A.weight": [8, 3072],
        "diffusion_model.single_blocks.0.linear1.lora_B.weight": [27648, 8],
    }),
    "flux.2 lora of diffusers": (ModelKind.LORA, "flux2", {
        "transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj.lora_A.weight": [8, 3072],
        "transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj.lora_B.weight": [27648, 8],
    }),
    "qwen-image lora": (ModelKind.LORA, "qwen", {
        "transformer_blocks.0.img_mlp.net.2.lora_down.weight": [8, 12288],
        "transformer_blocks.0.img_mlp.net.2.lora_up.weight": [3072, 8],
    }),
    "z-image lora": (ModelKind.LORA, "zimage", {
        "diffusion_model.layers.0.attention.to_q.lora_A.weight": [8, 3840],
        "diffusion_model.layers.0.attention.to_q.lora_B.weight": [3840, 8],
    }),
    "z-image lora of kohya": (ModelKind.LORA, "zimage", {
        "lora_unet_layers_0_attention_qkv.lora_down.weight": [8, 3840],
        "lora_unet_layers_0_attention_qkv.lora_up.weight": [11520, 8],
    }),
    "lumina 2 lora": (ModelKind.LORA, "lumina2", {
        "diffusion_model.layers.0.attention.qkv.lora_A.weight": [8, 2304],
        "diffusion_model.layers.0.attention.qkv.lora_B.weight": [3840, 8],
    }),
    "loha": (ModelKind.LORA, "sd2", {
        f"lora_unet_{UNET_LAYER}.hada_w1_a": [320, 8],
        f"lora_unet_{UNET_LAYER}.hada_w1_b": [8, 1024],
    }),
    "lokr": (ModelKind.LORA, "", {"lora_unet_x.lokr_w1": [4, 4], "lora_unet_x.lokr_w2": [8, 8]}),
    "ia3": (ModelKind.LORA, "", {"lora_unet_x.weight": [8], "lora_unet_x.on_input": []}),
    "full": (ModelKind.LORA, "", {"lora_unet_x.diff": [8, 8, 3, 3]}),
    "norm": (ModelKind.LORA, "", {"lora_unet_x.w_norm": [8], "lora_unet_x.b_norm": [8]}),
    "oft": (ModelKind.LORA, "", {"lora_unet_x.oft_blocks": [4, 8, 8], "lora_unet_x.alpha": []}),
    "glora": (ModelKind.LORA, "", {f"lora_unet_x.{n}.weight": [4, 4] for n in ("a1", "b1")}),
    "a1111 embedding": (ModelKind.EMBEDDING, "sd15", {"emb_params": [6, 768]}),
    "diffusers embedding": (ModelKind.EMBEDDING, "sd15", {"<cat>": [768]}),
    "sdxl embedding": (ModelKind.EMBEDDING, "sdxl", {"clip_l": [2, 768], "clip_g": [2, 1280]}),
    "vae": (ModelKind.VAE, "", VAE),
    "vae with prefix": (
        ModelKind.VAE, "", {f"first_stage_model.{key}": shape for key, shape in VAE.items()},
    ),
    "esrgan": (ModelKind.UPSCALER, "", {
        "model.0.weight": [64, 3, 3, 3],
        "model.1.sub.0.RDB1.conv1.0.weight": [32, 64, 3, 3],
    }),
    "swinir": (ModelKind.UPSCALER, "", {"conv_first.weight": [180, 3, 3, 3]}),
    "compact": (ModelKind.UPSCALER, "", {"body.0.weight": [64, 3, 3, 3], "body.1.weight": [64]}),
    "taesd": (ModelKind.PREVIEW, "", {
        "1.weight": [64, 4, 3, 3], "3.conv.0.weight": [64, 64, 3, 3],
    }),
    "tiny autoencoder": (ModelKind.PREVIEW, "", {
        "decoder.layers.0.weight": [64, 4, 3, 3], "encoder.layers.0.weight": [64, 3, 3, 3],
    }),
}  # fmt: skip


write = safetensors


@pytest.mark.parametrize("name", FILES)
def test_kinds_are_told_by_names_and_shapes_not_by_the_files_name(
    catalog: Catalog, folder: Path, name: str
) -> None:
    kind, family, shapes = FILES[name]
    write(folder / "anything" / "sd lora vae esrgan.safetensors", shapes)
    catalog.refresh()
    (found,) = [model for kind in ModelKind for model in catalog.models(kind) if model.folder]
    assert (found.kind, found.family, found.folder) == (kind, family, "anything")
    assert not catalog.problems()


EMBEDDING: Final = {"string_to_param": {"*": Tensor([2, 768])}, "name": "a"}
PICKLES: Final[dict[str, tuple[ModelKind, str, object]]] = {
    "embeddings/a.pt": (ModelKind.EMBEDDING, "sd15", EMBEDDING),
    "embeddings/b.bin": (ModelKind.EMBEDDING, "sd15", {"<cat>": Tensor([768])}),
    "ESRGAN/a.pth": (ModelKind.UPSCALER, "", tensors(FILES["esrgan"][2])),
    "anywhere/b.pth": (ModelKind.UPSCALER, "", {"params_ema": tensors(FILES["swinir"][2])}),
    "RealESRGAN/c.pth": (ModelKind.UPSCALER, "", tensors({"something.new": [3, 3, 3, 3]})),
    "VAE-approx/d.pth": (ModelKind.PREVIEW, "", tensors(FILES["taesd"][2])),
    "VAE/e.vae.pt": (ModelKind.VAE, "", {"state_dict": tensors(VAE), "epoch": 3}),
    "Lora/f.pt": (ModelKind.LORA, "sd15", tensors(FILES["kohya lora"][2])),
    "g.ckpt": (ModelKind.CHECKPOINT, "sd15", {"state_dict": tensors(SD15_KEYS), "global_step": 1}),
    "h.safetensors": (ModelKind.CHECKPOINT, "sd15", {"state_dict": tensors(SD15_KEYS)}),
}


@pytest.mark.parametrize("write_torch", [torch_zip, torch_legacy])
@pytest.mark.parametrize("place", PICKLES)
def test_pickles_are_told_as_other_files_are(
    catalog: Catalog, folder: Path, place: str, write_torch: Callable[[Path, object], Path]
) -> None:
    kind, family, value = PICKLES[place]
    write_torch(folder / place, value)
    catalog.refresh()
    found = [model for model in catalog.models(kind) if not model.is_starter]
    assert [(model.id, model.family) for model in found] == [(place, family)]
    assert not catalog.problems()


def test_pickles_that_are_no_models_are_passed_over(catalog: Catalog, folder: Path) -> None:
    torch_zip(folder / "optimizer.pt", {"state": {"0": {"exp_avg": Tensor([4])}}})
    catalog.refresh()
    assert not catalog.problems()


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self._canary),)


def test_looking_into_a_pickle_runs_nothing_of_it(
    catalog: Catalog, folder: Path, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    trap = pickle.dumps(Trap(canary), 2)
    value = {**EMBEDDING, "trap": Raw(trap[2:-1])}
    torch_zip(folder / "embeddings" / "new.pt", value)
    torch_legacy(folder / "embeddings" / "old.pt", value)
    catalog.refresh()
    assert not catalog.models(ModelKind.EMBEDDING)
    assert ["made to harm" in problem.why for problem in catalog.problems()] == [True, True]
    assert not canary.exists()
    pickle.loads(trap)  # the trap itself works
    assert canary.exists()


def test_a_lora_is_found_by_its_alias_its_short_hash_and_what_it_claims(
    catalog: Catalog, folder: Path
) -> None:
    shapes = FILES["kohya lora"][2]
    first = write(folder / "Lora" / "a.safetensors", shapes, b"1", ss_output_name="Ink")
    claim = "5" * 64
    write(folder / "Lora" / "deep" / "b.safetensors", shapes, b"2", sshs_model_hash=claim)
    catalog.refresh()
    a = catalog.find("Ink", ModelKind.LORA)
    assert (a.id, a.alias) == ("Lora/a.safetensors", "Ink")
    body = first.read_bytes()[8 + struct.unpack("<Q", first.read_bytes()[:8])[0] :]
    assert body.strip(b"\0") == b"1"
    assert catalog.short_hash(a) == hashlib.sha256(body).hexdigest()[:12]
    for ref in ("ink", "A", "Lora/a", "Lora/a.safetensors", catalog.short_hash(a)):
        assert catalog.find(ref, ModelKind.LORA) == a, ref
    assert catalog.find(claim[:12], ModelKind.LORA).name == "b"
    with pytest.raises(NotFound, match="There is no lora “c”"):
        catalog.find("c", ModelKind.LORA)
    with pytest.raises(NotFound):
        catalog.find("a")


def test_a_recipe_gets_both_hashes_of_a_file(catalog: Catalog, folder: Path) -> None:
    file = write(folder / "VAE" / "soft.safetensors", VAE, b"weights")
    catalog.refresh()
    ref = catalog.file_ref(ModelKind.VAE, "soft")
    assert (ref.ref, ref.id, ref.name) == ("soft", "VAE/soft.safetensors", "soft")
    assert ref.hash == hashlib.sha256(file.read_bytes()).hexdigest()
    assert ref.short_hash == ref.hash[:10]


def test_what_a1111_calls_a_checkpoint_finds_it(catalog: Catalog, folder: Path) -> None:
    shapes = {
        "model.diffusion_model.input_blocks.0.0.weight": [320, 4, 3, 3],
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": [320, 768],
    }
    shapes |= {"model.diffusion_model.out.2.weight": [1000, 1000]}
    file = write(folder / "sub" / "My Model.safetensors", shapes, bytes(0x100000) + b"x" * 0x10000)
    catalog.refresh()
    digits = hashlib.sha256(file.read_bytes()).hexdigest()
    with file.open("rb") as data:
        data.seek(0x100000)
        old = hashlib.sha256(data.read(0x10000)).hexdigest()[:8]
    for ref in ("sub/My Model.safetensors [0123456789]", "My Model", "my model", old):
        assert catalog.find(ref).path == file, ref
    catalog.hashed(catalog.find("My Model"))
    assert catalog.find(digits[:10]).path == file


def test_files_of_libraries_are_named_by_their_folder(catalog: Catalog, folder: Path) -> None:
    shapes = FILES["peft lora"][2]
    write(folder / "Lora" / "my style" / "pytorch_lora_weights.safetensors", shapes)
    catalog.refresh()
    assert catalog.find("my style", ModelKind.LORA).name == "my style"


def test_what_is_known_outlives_a_restart_and_follows_changes(folder: Path, tmp_path: Path) -> None:
    file = write(folder / "a.safetensors", FILES["kohya lora"][2])
    for shapes, kind in ((None, ModelKind.LORA), (VAE, ModelKind.VAE), (None, ModelKind.VAE)):
        if shapes:
            write(file, shapes)
        catalog = Catalog(folder, tmp_path / "models.sqlite", load_families())
        catalog.refresh()
        assert [model.name for model in catalog.models(kind)] == ["a"]
        catalog.close()
    file.unlink()
    catalog = Catalog(folder, tmp_path / "models.sqlite", load_families())
    catalog.refresh()
    assert not catalog.models(ModelKind.VAE)
    catalog.close()


def test_a_damaged_database_is_begun_anew(folder: Path, tmp_path: Path) -> None:
    write(folder / "a.safetensors", VAE)
    (tmp_path / "models.sqlite").write_bytes(b"no database at all" * 100)
    catalog = Catalog(folder, tmp_path / "models.sqlite", load_families())
    catalog.refresh()
    assert [model.name for model in catalog.models(ModelKind.VAE)] == ["a"]
    catalog.close()


def test_metadata_is_read_when_asked_for(catalog: Catalog, folder: Path) -> None:
    write(folder / "a.safetensors", FILES["kohya lora"][2], ss_tag_frequency="{}")
    catalog.refresh()
    assert catalog.metadata(catalog.find("a", ModelKind.LORA)) == {"ss_tag_frequency": "{}"}
