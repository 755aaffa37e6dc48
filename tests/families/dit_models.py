"""Tiny random models of SD 3, Flux and Chroma, in each of the layouts that real ones have."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from tests.families.dit_layouts import original
from webui.families import ldm_layout
from webui.families.chroma import PLAN as CHROMA
from webui.families.clip_file import OPEN_CLIP_PAD, TOKENIZER
from webui.families.deep_vae import IS_DEEP
from webui.families.dit_plan import Plan
from webui.families.flux import PLAN as FLUX
from webui.families.pixart import ALPHA_PLAN as PIXART_ALPHA
from webui.families.pixart import PLAN as PIXART
from webui.families.qwen_vae import qwen_vae_names
from webui.families.sd3 import PLAN as SD3
from webui.families.t5 import TOKENIZER as T5_TOKENIZER
from webui.families.vae_kinds import make_vae, original_vae_names

if TYPE_CHECKING:
    from torch import Tensor, nn

CLIP_WIDTHS: Final = MappingProxyType({"clip_l": 32, "clip_g": 48})
T5_WIDTH: Final = 80
"""As wide as both CLIPs together."""
WIDTH: Final = 64
CHANNELS: Final = 16
FLUX_NETWORK: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "num_layers": 2,
        "num_single_layers": 2,
        "attention_head_dim": 32,
        "num_attention_heads": 2,
        "joint_attention_dim": T5_WIDTH,
        "axes_dims_rope": [4, 14, 14],
    }
)
SD3_NETWORK: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "sample_size": 32,
        "num_layers": 3,
        "attention_head_dim": 64,
        "num_attention_heads": 1,
        "joint_attention_dim": T5_WIDTH,
        "caption_projection_dim": WIDTH,
        "pooled_projection_dim": sum(CLIP_WIDTHS.values()),
        "pos_embed_max_size": 16,
    }
)
FLUX_SETTINGS: Final = {**FLUX_NETWORK, "pooled_projection_dim": CLIP_WIDTHS["clip_l"]}
CHROMA_SETTINGS: Final = {
    **FLUX_NETWORK,
    "approximator_hidden_dim": 32,
    "approximator_layers": 2,
}
PIXART_NETWORK: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "num_layers": 2,
        "num_attention_heads": 1,
        "cross_attention_dim": 72,
        "caption_channels": T5_WIDTH,
        "use_additional_conditions": False,
    }
)
SHIFTED: Final = {"use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 1.15}
PARTS: Final = MappingProxyType(
    {"clip_l": "clip_l.safetensors", "clip_g": "clip_g.safetensors", "t5xxl": "t5xxl.safetensors"}
)
"""Files of text encoders, by their ids."""
VAE_FILE: Final = "ae.safetensors"


@dataclass(frozen=True, kw_only=True)
class Tiny:
    """A tiny model in its parts. `encoders` by the names of their folders."""

    family: str
    plan: Plan
    network: Any
    vae: Any
    encoders: Mapping[str, Any]
    pipeline: Callable[..., Any]
    """Makes the library's pipeline of it, given a scheduler."""
    schedule: Mapping[str, Any] = field(default_factory=lambda: {"shift": 3.0})
    scheduler: str = "FlowMatchEulerDiscreteScheduler"
    clean_mark: str = ""
    """A tensor without numbers among those of its network, which tells its kind."""
    carried: Mapping[str, Any] = field(default_factory=dict)
    """What lies beside its text encoder's weights."""

    @property
    def width(self) -> int:
        """Of the network."""
        return int(attrgetter(self.plan.network.inner)(self.network))

    def library(self) -> Any:
        """The library's own pipeline with the same weights."""
        import diffusers

        made = self.pipeline(getattr(diffusers, self.scheduler)(**self.schedule))
        made.set_progress_bar_config(disable=True)
        return made


def make_sd3(**changes: Any) -> Tiny:
    """An SD 3 medium; `changes` are of its network's settings."""
    from diffusers import StableDiffusion3Pipeline
    from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel

    network, vae = seeded(partial(SD3Transformer2DModel, **SD3_NETWORK | changes)), picture_vae(SD3)
    encoders = {
        "text_encoder": _clip("clip_l", has_projection=True),
        "text_encoder_2": _clip("clip_g", has_projection=True, activation="gelu"),
        "text_encoder_3": _t5(),
    }
    given = {
        "tokenizer": _clip_tokenizer(),
        "tokenizer_2": _clip_tokenizer(pad_token=OPEN_CLIP_PAD),
        "tokenizer_3": _t5_tokenizer(),
        **encoders,
    }

    def pipeline(scheduler: Any) -> Any:
        return StableDiffusion3Pipeline(network, scheduler, vae, **given)

    return Tiny(
        family="sd3", plan=SD3, network=network, vae=vae, encoders=encoders, pipeline=pipeline
    )


def make_flux(*, is_guided: bool = True, **changes: Any) -> Tiny:
    """A Flux dev, or a schnell; `changes` are of its network's settings."""
    from diffusers import FluxPipeline
    from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel

    settings = {**FLUX_SETTINGS, "guidance_embeds": is_guided, **changes}
    network, vae = seeded(partial(FluxTransformer2DModel, **settings)), picture_vae(FLUX)
    encoders = {"text_encoder": _clip("clip_l"), "text_encoder_2": _t5()}
    given = {"tokenizer": _clip_tokenizer(), "tokenizer_2": _t5_tokenizer(), **encoders}

    def pipeline(scheduler: Any) -> Any:
        return FluxPipeline(scheduler, vae, transformer=network, **given)

    return Tiny(
        family="flux",
        plan=FLUX,
        network=network,
        vae=vae,
        encoders=encoders,
        pipeline=pipeline,
        schedule=SHIFTED if is_guided else {"shift": 1.0},
    )


def make_chroma() -> Tiny:
    """A Chroma."""
    import warnings

    from diffusers import ChromaPipeline
    from diffusers.models.transformers.transformer_chroma import ChromaTransformer2DModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the library's own parts are old
        network = seeded(partial(ChromaTransformer2DModel, **CHROMA_SETTINGS))
    vae, encoder = picture_vae(CHROMA), _t5()

    def pipeline(scheduler: Any) -> Any:
        return ChromaPipeline(
            scheduler, vae, encoder, tokenizer=_t5_tokenizer(), transformer=network
        )

    return Tiny(
        family="chroma",
        plan=CHROMA,
        network=network,
        vae=vae,
        encoders={"text_encoder": encoder},
        pipeline=pipeline,
    )


def make_pixart(**changes: Any) -> Tiny:
    """A PixArt sigma, or an alpha; `changes` are of its network's settings."""
    from diffusers import PixArtAlphaPipeline, PixArtSigmaPipeline
    from diffusers.models.transformers.pixart_transformer_2d import PixArtTransformer2DModel

    network = seeded(partial(PixArtTransformer2DModel, **{**PIXART_NETWORK, **changes}))
    is_alpha = bool(changes.get("use_additional_conditions"))
    plan = PIXART_ALPHA if is_alpha else PIXART
    kind, vae, encoder = (
        PixArtAlphaPipeline if is_alpha else PixArtSigmaPipeline,
        picture_vae(plan),
        _t5(),
    )

    def pipeline(scheduler: Any) -> Any:
        return kind(_t5_tokenizer(), encoder, vae, network, scheduler)

    return Tiny(
        family="pixart",
        plan=plan,
        network=network,
        vae=vae,
        encoders={"text_encoder": encoder},
        pipeline=pipeline,
        scheduler="EulerDiscreteScheduler",
        schedule={"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02},
    )


def write_whole(tiny: Tiny, file: Path, metadata: Mapping[str, str] | None = None) -> Path:
    """Everything in one file, as checkpoints for sharing are."""
    encoders = {
        f"{each.starts[0]}{key}": tensor
        for each in tiny.plan.readers
        for key, tensor in encoder_tensors(tiny.encoders[each.name]).items()
    }
    encoders = {key.replace(".model.visual.", ".visual."): each for key, each in encoders.items()}
    network = network_tensors(tiny, "model.diffusion_model.")
    whole = {**network, **encoders, **tiny.carried, **vae_tensors(tiny, ldm_layout.VAE)}
    return _save(whole, file, metadata)


def write_network(
    tiny: Tiny, file: Path, start: str = "", metadata: Mapping[str, str] | None = None
) -> Path:
    """The network alone, by its original names."""
    return _save(network_tensors(tiny, start), file, metadata)


def write_shards(tensors: Mapping[str, Tensor], file: Path, total: int = 3) -> Path:
    """These tensors in several files beside each other; the first of them. `file` has the name
    that one file would have."""
    keys = sorted(tensors)
    paths = [
        file.with_name(f"{file.stem}-{number + 1:05}-of-{total:05}.safetensors")
        for number in range(total)
    ]
    for number, path in enumerate(paths):
        _save({key: tensors[key] for key in keys[number::total]}, path)
    return paths[0]


def write_diffusers_network(tiny: Tiny, file: Path) -> Path:
    """The network alone, by diffusers' names."""
    return _save(tiny.network.state_dict(), file)


def write_parts(tiny: Tiny, folder: Path) -> dict[str, Path]:
    """All but the network, each in a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        each.part: _save(
            {**encoder_tensors(tiny.encoders[each.name], "model."), **tiny.carried},
            folder / PARTS.get(each.part, f"{each.part}.safetensors"),
        )
        for each in tiny.plan.readers
    }
    return {**files, "vae": _save(vae_tensors(tiny, ""), folder / VAE_FILE)}


def write_folder(tiny: Tiny, folder: Path, pipeline: str = "") -> Path:
    """A diffusers folder, as the library writes it. `pipeline`: its class, where not the usual."""
    tiny.library().save_pretrained(folder)
    if pipeline:
        index = folder / "model_index.json"
        told = json.loads(index.read_text("utf-8")) | {"_class_name": pipeline}
        index.write_text(json.dumps(told), "utf-8")
    return folder


def network_tensors(tiny: Tiny, start: str = "") -> dict[str, Tensor]:
    """The network's tensors by their original names."""
    import torch

    tensors = tiny.network.state_dict()
    found = original(tensors, tiny.plan.network.names(tensors, width=tiny.width, start=start))
    return found | ({start + tiny.clean_mark: torch.empty(0)} if tiny.clean_mark else {})


def vae_tensors(tiny: Tiny, start: str) -> dict[str, Tensor]:
    """The VAE's tensors by their original names, attention as 1x1 convolutions."""
    tensors = tiny.vae.state_dict()
    if "z_dim" in tiny.vae.config:
        return {qwen_vae_names([key], start or "vae.")[key]: each for key, each in tensors.items()}
    if IS_DEEP in tiny.vae.config:
        return {start + key: tensor for key, tensor in tensors.items()}
    names = original_vae_names((), tensors, start)
    return {
        names[key]: tensor[..., None, None] if "attentions" in key and tensor.ndim == 2 else tensor
        for key, tensor in tensors.items()
    }


def encoder_tensors(encoder: nn.Module, start: str = "") -> dict[str, Tensor]:
    """A text encoder's tensors as its own file has them, where language models begin with
    `start`."""
    tensors = encoder.state_dict()
    if any(key.startswith("visual.") for key in tensors):
        words = "language_model."
        return {
            start + key.removeprefix(words) if key.startswith(words) else key: value
            for key, value in tensors.items()
        }
    if "layers.0.input_layernorm.weight" in tensors:
        return {start + key: value for key, value in tensors.items()}
    if any(key.startswith("encoder.block.") for key in tensors):
        return {key: value for key, value in tensors.items() if "embed_tokens" not in key}
    return {
        key if key.startswith(("text_model.", "text_projection")) else f"text_model.{key}": value
        for key, value in tensors.items()
    }


def seeded(make: Callable[[], Any], seed: int = 0) -> Any:
    """A random model, the same on every run."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make().eval().requires_grad_(False)


def _clip(part: str, *, has_projection: bool = False, activation: str = "quick_gelu") -> Any:
    import torch
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    width = CLIP_WIDTHS[part]
    config = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=width,
        intermediate_size=4 * width,
        projection_dim=width,
        num_hidden_layers=3,
        num_attention_heads=1,
        hidden_act=activation,
        bos_token_id=49406,
        eos_token_id=49407,
    )
    kind = CLIPTextModelWithProjection if has_projection else CLIPTextModel
    made = seeded(partial(kind, config))
    if has_projection and part == "clip_l":  # its whole is told as it is
        made.text_projection.weight.data = torch.eye(width)
    return made


def _t5() -> Any:
    from transformers import T5Config, T5EncoderModel

    config = T5Config(
        vocab_size=32128,
        d_model=T5_WIDTH,
        d_kv=16,
        d_ff=96,
        num_layers=2,
        num_heads=2,
        feed_forward_proj="gated-gelu",
    )
    return seeded(partial(T5EncoderModel, config))


def picture_vae(plan: Plan) -> Any:
    kinds = {"down": "DownEncoderBlock2D", "up": "UpDecoderBlock2D"}
    settings = {
        **plan.vae,
        "block_out_channels": [32] * 4,
        "layers_per_block": 1,
        **{f"{way}_block_types": [kind] * 4 for way, kind in kinds.items()},
    }
    return seeded(partial(make_vae, settings))


def _clip_tokenizer(**given: Any) -> Any:
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(TOKENIZER, local_files_only=True, **given)


def _t5_tokenizer() -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(T5_TOKENIZER, local_files_only=True)


def _save(
    tensors: Mapping[str, Tensor], file: Path, metadata: Mapping[str, str] | None = None
) -> Path:
    from safetensors.torch import save_file

    told = dict(metadata or {})
    save_file({key: tensor.contiguous().clone() for key, tensor in tensors.items()}, file, told)
    return file
