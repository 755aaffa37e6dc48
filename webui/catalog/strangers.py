"""Models that this version can't use, called by what they are, so that nobody thinks them damaged.

Rows come off this table as features arrive.
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


STRANGERS: Final = (
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
        ),
        has_family=True,
    ),
    _Stranger(
        "an IP-Adapter", (".to_k_ip.", "\nip_adapter", "ip_adapter_double_stream"), True, True
    ),
    _Stranger("a T2I-Adapter", ("body.0.resnets.0.block1.", "\nbody.0.block1.", "\nadapter.body.")),
    _Stranger("a motion module (AnimateDiff)", ("motion_modules.",), False, True),
    _Stranger(
        "a photo identity adapter (PhotoMaker)", ("\nid_encoder.", "\nfuse_module."), False, True
    ),
    _Stranger("a segmentation model (SAM)", ("\nmask_decoder.", "\nsam_mask_decoder.")),
    _Stranger("a detector (YOLO)", ("ultralytics.nn",)),
    _Stranger("a face restorer (GFPGAN)", ("\nstylegan_decoder.",)),
    _Stranger("a face restorer (CodeFormer)", ("\nfuse_convs_dict.",)),
    _Stranger("a depth estimator", ("\ndepth_head.", "\nscratch.refinenet1.")),
    _Stranger("Stable Video Diffusion", (".time_stack.",)),
    _Stranger("Stable Cascade", ("\nclip_txt_pooled_mapper.", ".clip_txt_pooled_mapper.")),
    _Stranger("AuraFlow", ("double_layers.0.attn.w1q.",)),
    _Stranger("a film model (HunyuanVideo)", ("txt_in.individual_token_refiner.",)),
    _Stranger("a film model (Wan)", (".cross_attn.norm_k.",)),
    _Stranger("a film model (LTX)", ("patchify_proj.",)),
    _Stranger("a film model's VAE", ("\nper_channel_statistics.",)),
)
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
    header tells; None for what is usable, or unknown."""
    text = START + START.join(names)
    has_network = is_network(names)  # as most files are: few rows need to be tried
    for noun, marks, has_family, may_be_network in STRANGERS:
        if has_network and not may_be_network:
            continue
        if any(mark in text for mark in marks):
            family = _family(names) if has_family and isinstance(names, Mapping) else ""
            return f"{noun} for {family}" if family else noun
    if has_network:
        return None
    if all(mark in names for mark in HYPERNETWORK_MARKS):
        return "a hypernetwork"
    if any(mark in text for mark in VISION_MARKS) and "token_embedding" not in text:
        return "an encoder of pictures (CLIP vision)"
    return None


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
