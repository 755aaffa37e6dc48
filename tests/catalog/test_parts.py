"""Text encoders and VAEs by variant; and files that can't be used, called by what they are."""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path
from typing import Final

import pytest

from tests.model_files import safetensors
from webui.catalog.catalog import Catalog
from webui.core.model import ModelKind
from webui.families import load_families

Shapes = dict[str, list[int]]


def clip(width: int, prefix: str = "text_model.") -> Shapes:
    return {
        f"{prefix}embeddings.token_embedding.weight": [49408, width],
        f"{prefix}embeddings.position_embedding.weight": [77, width],
        f"{prefix}encoder.layers.0.self_attn.q_proj.weight": [width, width],
        f"{prefix}final_layer_norm.weight": [width],
    }


def open_clip(width: int) -> Shapes:
    return {
        "token_embedding.weight": [49408, width],
        "positional_embedding": [77, width],
        "transformer.resblocks.0.attn.in_proj_weight": [3 * width, width],
        "ln_final.weight": [width],
        "text_projection": [width, width],
        "visual.transformer.resblocks.0.attn.in_proj_weight": [3, 3],
    }


def t5(width: int, words: int = 32128, prefix: str = "") -> Shapes:
    return {
        f"{prefix}shared.weight": [words, width],
        f"{prefix}encoder.block.0.layer.0.SelfAttention.q.weight": [width, width],
        f"{prefix}encoder.block.0.layer.0.layer_norm.weight": [width],
        f"{prefix}encoder.block.0.layer.1.DenseReluDense.wi_0.weight": [4 * width, width],
    }


def language(words: int, width: int, extra: Shapes, prefix: str = "model.") -> Shapes:
    return {
        f"{prefix}embed_tokens.weight": [words, width],
        f"{prefix}layers.0.self_attn.q_proj.weight": [width, width],
        f"{prefix}layers.0.input_layernorm.weight": [width],
        **{f"{prefix}layers.0.{key}": shape for key, shape in extra.items()},
    }


def gguf_names(words: int, width: int, *extra: str) -> Shapes:
    return {
        "token_embd.weight": [words, width],
        "blk.0.attn_q.weight": [width, width],
        **{f"blk.0.{name}": [width] for name in extra},
    }


QUERY_NORM: Final[Shapes] = {"self_attn.q_norm.weight": [128]}
QUERY_BIAS: Final[Shapes] = {"self_attn.q_proj.bias": [3584]}
AFTER_NORMS: Final[Shapes] = {"post_feedforward_layernorm.weight": [2304]}
TEXT_ENCODERS: Final[dict[str, tuple[str, Shapes]]] = {
    "clip_l": ("clip_l", clip(768)),
    "clip_l as transformers 5 writes it": ("clip_l", clip(768, "")),
    "clip_l with ComfyUI's prefix": ("clip_l", clip(768, "clip_l.transformer.text_model.")),
    "clip_l with its vision half": (
        "clip_l", {**clip(768), "vision_model.encoder.layers.0.self_attn.q_proj.weight": [1, 1]},
    ),
    "clip_g": ("clip_g", clip(1280)),
    "clip_g of OpenCLIP": ("clip_g", open_clip(1280)),
    "clip_h": ("clip_h", clip(1024)),
    "clip_h of OpenCLIP": ("clip_h", open_clip(1024)),
    "t5xxl": ("t5xxl", t5(4096)),
    "t5xxl with a prefix": ("t5xxl", t5(4096, prefix="t5xxl.transformer.")),
    "t5xxl quantised flat": ("t5xxl", {
        **t5(4096), "encoder.block.0.layer.0.SelfAttention.q.weight": [8388608, 1],
    }),
    "t5xxl with GGUF's names": ("t5xxl", {
        "enc.blk.0.attn_norm.weight": [4096], "enc.blk.0.attn_q.weight": [4096, 4096],
        "token_embd.weight": [32128, 4096],
    }),
    "t5xl": ("t5xl", t5(2048)),
    "t5base": ("t5base", t5(768)),
    "umt5xxl": ("umt5xxl", t5(4096, 256384)),
    "gemma2": ("gemma2", language(256000, 2304, AFTER_NORMS)),
    "gemma2 with GGUF's names": ("gemma2", gguf_names(256000, 2304, "post_ffw_norm.weight")),
    "gemma3": ("gemma3", language(262208, 2560, AFTER_NORMS | QUERY_NORM)),
    "qwen25vl": ("qwen25vl", {
        **language(152064, 3584, QUERY_BIAS), "visual.blocks.0.attn.qkv.weight": [3840, 1280],
    }),
    "qwen25vl as transformers 5 writes it": (
        "qwen25vl", language(152064, 3584, QUERY_BIAS, "model.language_model."),
    ),
    "qwen25vl with GGUF's names": ("qwen25vl", gguf_names(152064, 3584, "attn_q.bias")),
    "qwen25vl of 3B": ("qwen25vl_3b", language(151936, 2048, QUERY_BIAS)),
    "qwen3": ("qwen3", language(151936, 2560, QUERY_NORM)),
    "qwen3 with GGUF's names": ("qwen3", gguf_names(151936, 2560, "attn_q_norm.weight")),
    "qwen3 that sees": ("qwen3vl", {
        **language(151936, 2560, QUERY_NORM, "model.language_model."),
        "model.visual.blocks.0.attn.qkv.weight": [3, 3],
    }),
    "qwen3 of 8B": ("qwen3_8b", language(151936, 4096, QUERY_NORM)),
}  # fmt: skip


def decoder(channels: int, first: int = 512, prefix: str = "") -> Shapes:
    return {
        f"{prefix}decoder.conv_in.weight": [first, channels, 3, 3],
        f"{prefix}decoder.conv_out.weight": [3, 128, 3, 3],
        f"{prefix}encoder.conv_in.weight": [128, 3, 3, 3],
    }


VAES: Final[dict[str, tuple[str, Shapes]]] = {
    "sd": ("sd", decoder(4)),
    "sd with a prefix": ("sd", decoder(4, prefix="first_stage_model.")),
    "flux16": ("flux16", decoder(16)),
    "flux2": ("flux2", {**decoder(32), "bn.running_mean": [128]}),
    "sana": ("dcae", decoder(32, 1024)),
    "qwen as its makers wrote it": ("qwen", {
        "decoder.conv1.weight": [384, 16, 3, 3, 3], "decoder.head.2.weight": [3, 96, 3, 3, 3],
    }),
    "qwen as diffusers writes it": ("qwen", {
        "decoder.conv_in.weight": [384, 16, 3, 3, 3], "decoder.conv_out.weight": [3, 96, 3, 3, 3],
    }),
    "of films": ("", {
        "decoder.conv_in.weight": [512, 128, 3, 3, 3], "decoder.conv_out.weight": [3, 128, 3, 3, 3],
    }),
}  # fmt: skip

STRANGERS: Final[dict[str, tuple[str, Shapes]]] = {
    "controlnet": ("a ControlNet for SD 1.5", {
        "control_model.input_hint_block.0.weight": [16, 3, 3, 3],
        "control_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": [320, 768],
    }),
    "controlnet of diffusers": ("a ControlNet for SDXL", {
        "controlnet_cond_embedding.conv_in.weight": [16, 3, 3, 3],
        "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight": [640, 2048],
    }),
    "controlnet for a transformer": ("a ControlNet for Flux", {
        "controlnet_blocks.0.weight": [3072, 3072],
        "single_transformer_blocks.0.norm.linear.weight": [9216, 3072],
    }),
    "ip-adapter": ("an IP-Adapter for SDXL", {
        "image_proj.proj.weight": [8192, 1280], "ip_adapter.1.to_k_ip.weight": [640, 2048],
    }),
    "ip-adapter with a lora in it": ("an IP-Adapter for SD 1.5", {
        "ip_adapter.0.to_q_lora.down.weight": [128, 320],
        "ip_adapter.1.to_k_ip.weight": [320, 768],
    }),
    "lllite": ("a ControlNet-LLLite", {
        "lllite_unet_input_blocks_4_1_attn1_to_q.conditioning1.0.weight": [16, 3, 4, 4],
    }),
    "t2i": ("a T2I-Adapter", {"body.0.resnets.0.block1.weight": [320, 320, 3, 3]}),
    "clip vision": ("an encoder of pictures", {
        "vision_model.encoder.layers.0.self_attn.q_proj.weight": [1280, 1280],
    }),
    "animatediff": ("a motion module", {
        "down_blocks.0.motion_modules.0.temporal_transformer.proj_in.weight": [320, 320],
    }),
    "film": ("Stable Video Diffusion", {
        "model.diffusion_model.input_blocks.1.1.time_stack.0.attn1.to_k.weight": [320, 320],
    }),
    "unknown family": ("does not know the family", {
        "model.diffusion_model.new_blocks.0.weight": [8, 8], **decoder(4, prefix="vae."),
        **clip(768, "text_encoders.clip_l.transformer.text_model."),
    }),
}  # fmt: skip


def write(path: Path, shapes: Shapes) -> None:
    safetensors(path, shapes)


def test_text_encoders_are_told_apart_by_layers_width_and_vocabulary(
    catalog: Catalog, folder: Path
) -> None:
    for name, (_, shapes) in TEXT_ENCODERS.items():
        write(folder / "wrong" / f"{name}.safetensors", shapes)
    catalog.refresh()
    found = {model.name: model.variant for model in catalog.models(ModelKind.TEXT_ENCODER)}
    assert found == {name: variant for name, (variant, _) in TEXT_ENCODERS.items()}
    assert not catalog.problems()


def test_vaes_are_told_apart_by_the_latents_they_read(catalog: Catalog, folder: Path) -> None:
    for name, (_, shapes) in VAES.items():
        write(folder / "Lora" / f"{name}.safetensors", shapes)
    catalog.refresh()
    found = {model.name: model.variant for model in catalog.models(ModelKind.VAE)}
    assert found == {name: variant for name, (variant, _) in VAES.items()}


@pytest.mark.parametrize("name", STRANGERS)
def test_what_cannot_be_used_is_called_by_what_it_is(
    catalog: Catalog, folder: Path, name: str
) -> None:
    noun, shapes = STRANGERS[name]
    write(folder / "Stable-diffusion" / "x.safetensors", shapes)
    catalog.refresh()
    assert [model.id for kind in ModelKind for model in catalog.models(kind)] == ["starter"]
    (problem,) = catalog.problems()
    assert noun in problem.why


def test_variants_outlive_a_restart(catalog: Catalog, folder: Path, tmp_path: Path) -> None:
    write(folder / "t5.safetensors", t5(4096))
    catalog.refresh()
    again = Catalog(folder, tmp_path / "models.sqlite", load_families())
    again.refresh()
    assert [model.variant for model in again.models(ModelKind.TEXT_ENCODER)] == ["t5xxl"]
    again.close()


def test_the_first_bytes_decide_how_a_file_is_read(catalog: Catalog, folder: Path) -> None:
    write(folder / "a.ckpt", t5(4096))
    write(folder / "b.sft", decoder(16))
    (folder / "c.safetensors").write_bytes(b"\x80\x02X\x0e\x00\x00\x00lora_unet_x.q_q.")
    catalog.refresh()
    assert [model.id for model in catalog.models(ModelKind.TEXT_ENCODER)] == ["a.ckpt"]
    assert [model.id for model in catalog.models(ModelKind.VAE)] == ["b.sft"]
    assert ["damaged" in problem.why for problem in catalog.problems()] == [True]


def write_gguf(path: Path, shapes: Shapes, architecture: str) -> None:
    """A GGUF file of zeros, half precision."""
    entry = word("general.architecture") + struct.pack("<I", 8) + word(architecture)
    rows, end = b"", 0
    for key, shape in shapes.items():
        sides = struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
        rows += word(key) + sides + struct.pack("<IQ", 1, end)
        end += -(-2 * prod(shape) // 32) * 32
    front = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), 1) + entry + rows
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(front)
        file.truncate(-(-len(front) // 32) * 32 + end)


def word(text: str) -> bytes:
    """A text as GGUF has it."""
    return struct.pack("<Q", len(text)) + text.encode()


def test_gguf_files_are_recognised_like_others(catalog: Catalog, folder: Path) -> None:
    names: Shapes = {"enc.blk.0.attn_norm.weight": [512], "token_embd.weight": [32128, 512]}
    write_gguf(folder / "unet" / "t5-small-f16.gguf", names, "t5encoder")
    write_gguf(folder / "vae.gguf", decoder(16), "vae")
    catalog.refresh()
    assert [model.variant for model in catalog.models(ModelKind.TEXT_ENCODER)] == ["t5small"]
    assert [model.variant for model in catalog.models(ModelKind.VAE)] == ["flux16"]
    assert not catalog.problems()
