"""Tiny random models of the families that read prompts with a language model."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from tests.families.dit_models import SHIFTED, Tiny, picture_vae, seeded
from webui.families.flux2 import PLAN as FLUX2
from webui.families.language_model import GEMMA2, KINDS, QWEN3, QWEN25
from webui.families.language_tokenizer import load_language_tokenizer
from webui.families.lumina2 import PLAN as LUMINA2
from webui.families.qwen import CLEAN_MARK
from webui.families.qwen import PLAN as QWEN
from webui.families.sana import PLAN as SANA
from webui.families.zimage import PLAN as ZIMAGE

QWEN_WORDS: Final = 151_680
"""All that the tokenizer knows."""
TEXT_WIDTH: Final = 32
SEEING_WIDTH: Final = 128
"""Of a text encoder with eyes, whose head is as wide."""
TALK: Final = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
"""What Qwen 3's own template makes of one question."""
ZIMAGE_NETWORK: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "dim": 64,
        "n_layers": 2,
        "n_refiner_layers": 1,
        "n_heads": 2,
        "n_kv_heads": 2,
        "cap_feat_dim": TEXT_WIDTH,
        "axes_dims": [8, 12, 12],
        "axes_lens": [1536, 512, 512],
    }
)
QWEN_NETWORK: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "num_layers": 2,
        "attention_head_dim": 32,
        "num_attention_heads": 2,
        "joint_attention_dim": TEXT_WIDTH,
        "axes_dims_rope": [4, 14, 14],
    }
)
LUMINA2_NETWORK: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "hidden_size": 72,
        "num_layers": 2,
        "num_refiner_layers": 1,
        "num_attention_heads": 3,
        "num_kv_heads": 1,
        "cap_feat_dim": TEXT_WIDTH,
        "axes_dim_rope": [8, 8, 8],
        "axes_lens": [1024, 512, 512],
    }
)
FLUX2_NETWORK: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "num_layers": 1,
        "num_single_layers": 2,
        "attention_head_dim": 32,
        "num_attention_heads": 2,
        "joint_attention_dim": 3 * TEXT_WIDTH,
        "axes_dims_rope": (8, 8, 8, 8),
        "guidance_embeds": False,
    }
)
SANA_NETWORK: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "num_attention_heads": 2,
        "num_layers": 2,
        "num_cross_attention_heads": 2,
        "cross_attention_head_dim": 32,
        "cross_attention_dim": 64,
        "caption_channels": TEXT_WIDTH,
    }
)


def make_zimage() -> Tiny:
    """A Z-Image Turbo."""
    from diffusers import ZImagePipeline
    from diffusers.models.transformers.transformer_z_image import ZImageTransformer2DModel

    network = seeded(partial(ZImageTransformer2DModel, **ZIMAGE_NETWORK))
    vae, encoder = picture_vae(ZIMAGE), language_model(QWEN3)

    def pipeline(scheduler: Any) -> Any:
        return ZImagePipeline(scheduler, vae, encoder, qwen_tokenizer(), network)

    return Tiny(
        family="zimage",
        plan=ZIMAGE,
        network=network,
        vae=vae,
        encoders={"text_encoder": encoder},
        pipeline=pipeline,
    )


def make_qwen() -> Tiny:
    """A Qwen-Image."""
    from diffusers import QwenImagePipeline
    from diffusers.models.autoencoders.autoencoder_kl_qwenimage import AutoencoderKLQwenImage
    from diffusers.models.transformers.transformer_qwenimage import QwenImageTransformer2DModel

    network = seeded(partial(QwenImageTransformer2DModel, **QWEN_NETWORK))
    vae = seeded(partial(AutoencoderKLQwenImage, base_dim=8))
    encoder = language_model(QWEN25)

    def pipeline(scheduler: Any) -> Any:
        return QwenImagePipeline(scheduler, vae, encoder, qwen_tokenizer(), network)

    return Tiny(
        family="qwen",
        plan=QWEN,
        network=network,
        vae=vae,
        encoders={"text_encoder": encoder},
        pipeline=pipeline,
        schedule={**SHIFTED, "max_shift": 0.9, "max_image_seq_len": 8192},
    )


def make_qwen_edit(*, is_plus: bool = False) -> Tiny:
    """A Qwen-Image-Edit. Its folder says no more of its text encoder than that of a Qwen-Image."""
    from diffusers import QwenImagePipeline
    from diffusers.models.transformers.transformer_qwenimage import QwenImageTransformer2DModel

    plain = make_qwen()
    settings = {**QWEN_NETWORK, "joint_attention_dim": SEEING_WIDTH, "zero_cond_t": is_plus}
    network = seeded(partial(QwenImageTransformer2DModel, **settings))
    encoder = seeing_model()

    def pipeline(scheduler: Any) -> Any:
        return QwenImagePipeline(scheduler, plain.vae, encoder, qwen_tokenizer(), network)

    return replace(
        plain,
        network=network,
        encoders={"text_encoder": encoder},
        pipeline=pipeline,
        clean_mark=CLEAN_MARK if is_plus else "",
    )


def make_lumina2() -> Tiny:
    """A Lumina 2."""
    from diffusers import Lumina2Pipeline
    from diffusers.models.transformers.transformer_lumina2 import Lumina2Transformer2DModel

    network = seeded(partial(Lumina2Transformer2DModel, **LUMINA2_NETWORK))
    vae, encoder = picture_vae(LUMINA2), language_model(GEMMA2, len(gemma_pieces()))

    def pipeline(scheduler: Any) -> Any:
        return Lumina2Pipeline(network, scheduler, vae, encoder, gemma_tokenizer())

    return Tiny(
        family="lumina2",
        plan=LUMINA2,
        network=network,
        vae=vae,
        encoders={"text_encoder": encoder},
        pipeline=pipeline,
        schedule={"shift": 6.0},
        carried={"spiece_model": gemma_bytes()},
    )


def make_flux2() -> Tiny:
    """A Flux.2 Klein; its text encoder is as deep as the layers that it listens to."""
    from diffusers import Flux2KleinPipeline
    from diffusers.models.transformers.transformer_flux2 import Flux2Transformer2DModel

    network = seeded(partial(Flux2Transformer2DModel, **FLUX2_NETWORK))
    vae, encoder = picture_vae(FLUX2), language_model(QWEN3, num_hidden_layers=28)
    count = len(vae.bn.running_mean)
    vae.bn.running_mean.copy_(linspace(-0.5, 0.5, count))
    vae.bn.running_var.copy_(linspace(0.5, 2.0, count))

    def pipeline(scheduler: Any) -> Any:
        given = (scheduler, vae, encoder, qwen_tokenizer(), network)
        return Flux2KleinPipeline(*given, is_distilled=True)

    return Tiny(
        family="flux2",
        plan=FLUX2,
        network=network,
        vae=vae,
        encoders={"text_encoder": encoder},
        pipeline=pipeline,
        schedule=SHIFTED,
    )


def make_sana(**changes: Any) -> Tiny:
    """A Sana; `changes` are of its network's settings."""
    from diffusers import SanaPipeline
    from diffusers.models.autoencoders.autoencoder_dc import AutoencoderDC
    from diffusers.models.transformers.sana_transformer import SanaTransformer2DModel

    network = seeded(partial(SanaTransformer2DModel, **{**SANA_NETWORK, **changes}))
    blocks = {f"{half}_block_out_channels": (32,) * 6 for half in ("encoder", "decoder")}
    layers = {f"{half}_layers_per_block": (1,) * 6 for half in ("encoder", "decoder")}
    scales = {f"{half}_qkv_multiscales": ((),) * 6 for half in ("encoder", "decoder")}
    settings = {**blocks, **layers, **scales, "scaling_factor": 0.41407}
    vae = seeded(partial(AutoencoderDC, **settings))
    encoder = language_model(GEMMA2, len(gemma_pieces()))

    def pipeline(scheduler: Any) -> Any:
        return SanaPipeline(gemma_tokenizer(), encoder, vae, network, scheduler)

    return Tiny(
        family="sana",
        plan=SANA,
        network=network,
        vae=vae,
        encoders={"text_encoder": encoder},
        pipeline=pipeline,
        carried={"spiece_model": gemma_bytes()},
    )


def linspace(start: float, stop: float, count: int) -> Any:
    """Numbers at even distances."""
    import torch

    return torch.linspace(start, stop, count)


def gemma_pieces() -> list[tuple[str, float, int]]:
    """A vocabulary as Gemma's is built, with a few words: text, likelihood and kind of each."""
    marks = [("<pad>", 0.0, 3), ("<eos>", 0.0, 3), ("<bos>", 0.0, 3), ("<unk>", 0.0, 2)]
    bytes_ = [(f"<0x{byte:02X}>", 0.0, 6) for byte in range(256)]
    words = ["at", "ca", "cat", "\u2581a", "\u2581cat", "re", "red", "\u2581red", "ed"]
    letters = ["\u2581", *"abcdefghijklmnopqrstuvwxyz,."]
    likely = [(text, -float(place), 1) for place, text in enumerate([*words, *letters])]
    return [*marks, *bytes_, *likely]


def gemma_bytes() -> Any:
    """The vocabulary as SentencePiece writes it, as a tensor."""
    import torch

    content = bytearray()
    for text, score, kind in gemma_pieces():
        said = text.encode()
        piece = b"\x0a" + bytes([len(said)]) + said
        piece += b"\x15" + struct.pack("<f", score) + b"\x18" + bytes([kind])
        content += b"\x0a" + bytes([len(piece)]) + piece
    return torch.frombuffer(content, dtype=torch.uint8)


def gemma_tokenizer() -> Any:
    """The library's own tokenizer of this vocabulary, its pairs written out."""
    from transformers import GemmaTokenizer

    pairs = ["a t", "c a", "ca t", "c at", "\u2581 a", "\u2581 cat", "r e", "re d", "\u2581 red"]
    tokenizer = GemmaTokenizer(
        vocab={text: place for place, (text, _, _) in enumerate(gemma_pieces())},
        merges=[tuple(pair.split()) for pair in [*pairs, "r ed", "e d"]],
        add_bos_token=True,
    )
    tokenizer.padding_side = "right"
    return tokenizer


def language_model(part: str, words: int = QWEN_WORDS, **given: Any) -> Any:
    """A language model of three layers and two heads."""
    import transformers

    kind = KINDS[part]
    config = getattr(transformers, f"{kind.model}Config")(
        vocab_size=words,
        hidden_size=TEXT_WIDTH,
        intermediate_size=48,
        num_hidden_layers=given.pop("num_hidden_layers", 3),
        num_attention_heads=2,
        num_key_value_heads=1,
        rope_parameters={"rope_type": "default", "rope_theta": kind.theta},
        use_cache=False,
        pad_token_id=None,
        head_dim=kind.head,
        **given,
    )
    return seeded(partial(getattr(transformers, f"{kind.model}Model"), config))


def seeing_model() -> Any:
    """A Qwen 2.5 VL of two layers and one head, which sees with two more."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLModel

    words = {
        "vocab_size": QWEN_WORDS,
        "hidden_size": SEEING_WIDTH,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 1e6,
            "mrope_section": [16, 24, 24],
        },
        "rms_norm_eps": 1e-6,
        "use_cache": False,
    }
    eyes = {
        "depth": 2,
        "hidden_size": 80,
        "intermediate_size": 48,
        "num_heads": 1,
        "out_hidden_size": SEEING_WIDTH,
    }
    config = Qwen2_5_VLConfig(text_config=words, vision_config=eyes)
    return seeded(partial(Qwen2_5_VLModel, config))


def qwen_tokenizer() -> Any:
    """Qwen's, with the template that the library asks it for."""
    from copy import copy

    tokenizer = copy(load_language_tokenizer("", QWEN3, None))
    tokenizer.chat_template = TALK
    return tokenizer
