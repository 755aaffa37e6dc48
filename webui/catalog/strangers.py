"""Models that this version can't use, called by what they are, so that nobody thinks them damaged.

Rows come off this table as features arrive. Marks are names of published files: those that
ComfyUI tells models by (comfy/model_detection.py, comfy_extras/nodes_model_patch.py), and those of
the makers named beside them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from webui.catalog.widths import FAMILY_NAMES, FAMILY_OF_WIDTH
from webui.core.model import Header, TensorHeader
from webui.networks.keys import is_network

START: Final = "\n"
"""Before a mark that names begin with; others may stand anywhere in a name."""


class _Stranger(NamedTuple):
    noun: str
    marks: tuple[str, ...]
    """Any of these in the names of its tensors."""
    has_family: bool = False
    may_be_network: bool = False
    """Whether it may have layers of a LoRA beside its own."""
    instead: str = ""
    """What to look for."""


BITS: Final = "Look for an fp8, GGUF or 16-bit version of it."
STRANGERS: Final = (
    _Stranger(  # github.com/nunchaku-ai/nunchaku
        "a model packed for Nunchaku (SVDQuant)", (".wscales",), False, True, BITS
    ),
    _Stranger("a model packed by quanto", (".weight._data",), instead=BITS),
    _Stranger("a ControlNet-LLLite", ("\nlllite_",)),
    _Stranger("a Control-LoRA", ("\nlora_controlnet",)),
    _Stranger(
        "a ControlNet",
        (
            "\ncontrol_model.",
            "\ncontrolnet_cond_embedding.",
            "\ncontrolnet_blocks.",
            "\ncontrolnet_down_blocks.",
            "\ncontrolnet_x_embedder.",
            "\ncontrol_all_x_embedder.",
        ),
        has_family=True,
    ),
    _Stranger(
        "an IP-Adapter", (".to_k_ip.", "\nip_adapter", "ip_adapter_double_stream"), True, True
    ),
    _Stranger("a T2I-Adapter", ("body.0.resnets.0.block1.", "\nbody.0.block1.", "\nadapter.body.")),
    _Stranger(  # github.com/TencentARC/T2I-Adapter, ldm/modules/encoders/adapter.py
        "a T2I-Adapter", ("\nbody.0.in_conv.", "\nstyle_embedding", "\ntransformer_layes.")
    ),
    _Stranger("a style adapter (Flux Redux)", ("\nredux_up.",)),
    _Stranger("a face adapter (PuLID)", ("\npulid_encoder.", "\npulid_ca.")),
    _Stranger("a motion module (AnimateDiff)", ("motion_modules.",), False, True),
    _Stranger(
        "a photo identity adapter (PhotoMaker)", ("\nid_encoder.", "\nfuse_module."), False, True
    ),
    _Stranger("a segmentation model (SAM)", ("\nmask_decoder.", "\nsam_mask_decoder.")),
    _Stranger("a detector (YOLO)", ("ultralytics.nn",)),
    _Stranger("a face restorer (GFPGAN)", ("\nstylegan_decoder.",)),
    _Stranger("a face restorer (CodeFormer)", ("\nfuse_convs_dict.",)),
    _Stranger("a face restorer (RestoreFormer) or another VQGAN", ("quantize.embedding.weight",)),
    _Stranger("a depth estimator", ("\ndepth_head.", "\nscratch.refinenet1.")),
    _Stranger("Stable Video Diffusion", (".time_stack.",)),
    _Stranger("Stable Cascade", ("\nclip_txt_pooled_mapper.", ".clip_txt_pooled_mapper.")),
    _Stranger("HiDream", ("caption_projection.0.linear.",)),
    _Stranger("Hunyuan-DiT", ("mlp_t5.0.",)),
    _Stranger("OmniGen 2", ("ref_image_refiner.",)),
    _Stranger("Kandinsky 5", ("visual_transformer_blocks.",)),
    _Stranger("Cosmos or Anima", (".adaln_modulation_cross_attn.",)),
    _Stranger(
        "Chroma Radiance, which makes pixels and not latents",
        ("nerf_blocks.0.", "nerf_final_layer"),
        instead="Look for Chroma1-HD.",
    ),
    _Stranger("AuraFlow", ("double_layers.0.attn.w1q.",)),
    _Stranger("a film model (HunyuanVideo)", ("txt_in.individual_token_refiner.",)),
    _Stranger("a film model (Wan)", (".cross_attn.norm_k.",)),
    _Stranger("a film model (LTX)", ("patchify_proj.",)),
    _Stranger("a film model's VAE", ("\nper_channel_statistics.", "\ndecoder.conv_in.conv.")),
    _Stranger(  # huggingface.co/BeichenZhang/LongCLIP-L
        "a Long-CLIP as its authors wrote it",
        ("positional_embedding_res",),
        instead="Look for one with the names of transformers (“HF”).",
    ),
    _Stranger(  # github.com/cloneofsimo/lora
        "a LoRA of the first trainer for Stable Diffusion (cloneofsimo's)",
        ("\nunet:0:up", "\ntext_encoder:0:up"),
        instead="Look for a version for A1111.",
    ),
    _Stranger(  # peft, tuners/oft; OneTrainer writes the same
        "a network of the second kind of OFT (oft_R)",
        (".oft_R.",),
        instead="Look for a LoRA version.",
    ),
)
CONTROL_INPUTS: Final = ("img_in.lora_A.weight", "x_embedder.lora_A.weight")
CONTROL_CHANNELS: Final = 128
"""A LoRA that lets Flux see a picture beside its own
(huggingface.co/black-forest-labs/FLUX.1-Canny-dev-lora)."""
CONTROL_LORA: Final = (
    "a control LoRA for Flux (Canny or Depth)",
    "Look for the whole model, FLUX.1-Canny-dev or FLUX.1-Depth-dev.",
)
FIRST_HYPERNETWORK: Final = frozenset({"320", "640", "768", "1280"})
"""What those have at the top, by width, that say nothing else of themselves."""
ENCODERS_OF_PREVIEWS: Final = ("1.conv.0.weight", "encoder.layers.0.weight")
WORDS_READ: Final = ("model.layers.0.self_attn.q_proj.weight", "blk.0.attn_q.weight")
EYES: Final = ("\nv.blk.0.attn_q.", "\nmm.0.")
HYPERNETWORK_MARKS: Final = ("layer_structure", "activation_func")
VISION_MARKS: Final = ("\nvision_model.encoder.layers.", "\nvisual.transformer.resblocks.")
CHECKPOINT_MARKS: Final = (
    "model.diffusion_model.",
    "\nunet.",
    "\ndiffusion_model.",
    "\ndouble_blocks.",
    "\njoint_blocks.",
    "\ntransformer_blocks.",
    "\nsingle_transformer_blocks.",
    "\ninput_blocks.",
    "\ndown_blocks.0.attentions.",
    "\ndown_blocks.1.attentions.",
)
"""A diffusion model of whatever family."""
CONTEXT_KEYS: Final = ("attn2.to_k.weight", ".to_k_ip.weight")


def stranger(names: Collection[str]) -> str | None:
    """What a file is that holds tensors of these names, as people call it, its family where a
    header tells, and what to do about it; None for what is usable, or unknown."""
    text = START + START.join(names)
    has_network = is_network(names)  # as most files are: few rows need to be tried
    for each in STRANGERS:
        if has_network and not each.may_be_network:
            continue
        if any(mark in text for mark in each.marks):
            family = _family(names) if each.has_family and isinstance(names, Mapping) else ""
            return _said(f"{each.noun} for {family}" if family else each.noun, each.instead)
    if has_network:
        return _said(*CONTROL_LORA) if _is_control(names) else None
    if _is_hypernetwork(names):
        return _said("a hypernetwork")
    if any(mark in text for mark in VISION_MARKS) and "token_embedding" not in text:
        return _said("an encoder of pictures (CLIP vision)")
    if any(mark in text for mark in EYES):
        return _said("the half of a language model that sees (mmproj)")
    return None


def other_part(names: Collection[str]) -> str | None:
    """As `stranger`, for what is a part of models as those are that can be used."""
    if any(name in names for name in ENCODERS_OF_PREVIEWS):
        return _said(
            "the half of a small VAE that reads pictures",
            "For previews take the other half, such as taesd_decoder.safetensors.",
        )
    if any(name in names for name in WORDS_READ):
        return _said("a language model that no model here reads with")
    if any(name.endswith("SelfAttention.q.weight") for name in names):
        return _said("a T5 that no model here reads with", "Most take T5-XXL.")
    return None


def _said(noun: str, instead: str = "") -> str:
    return f"it is {noun}. " + (
        f"This version can't use it. {instead}"
        if instead
        else "This version can't use it yet; nothing is wrong with the file."
    )


def _is_control(names: Collection[str]) -> bool:
    if not isinstance(names, Mapping):
        return False
    inputs = (names[key] for key in names if key.endswith(CONTROL_INPUTS))
    return any(_width(tensor) == CONTROL_CHANNELS for tensor in inputs)


def _is_hypernetwork(names: Collection[str]) -> bool:
    return all(mark in names for mark in HYPERNETWORK_MARKS) or set(names) >= FIRST_HYPERNETWORK


def has_diffusion_model(names: Collection[str]) -> bool:
    """Whether these are tensors of a model that makes pictures, of a family known or unknown."""
    text = START + START.join(names)
    return any(mark in text for mark in CHECKPOINT_MARKS)


def _family(header: Header) -> str:
    if any("double_blocks." in key or "single_transformer_blocks." in key for key in header):
        return "Flux"
    if any("joint_blocks." in key or "pos_embed_input" in key for key in header):
        return "SD 3"
    widths = (_width(tensor) for key, tensor in header.items() if key.endswith(CONTEXT_KEYS))
    family = FAMILY_OF_WIDTH.get(next(widths, 0), "")
    return FAMILY_NAMES.get(family, "")


def _width(tensor: TensorHeader) -> int:
    return tensor.shape[-1] if tensor.shape else 0
