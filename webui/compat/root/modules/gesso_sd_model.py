"""`shared.sd_model`: the checkpoint in use as scripts see it. Not a module of A1111's.

Its kind and name are known everywhere; its networks are the engine's own (diffusers') and there in
the engine's process only. What is not here raises AttributeError, and the doctor is told.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from ldm.models.diffusion.ddpm import LatentDiffusion
from ldm.modules.encoders.modules import FrozenCLIPEmbedder

from webui.compat.missing import note
from webui.compat.tokens import ClipTokens, clip_tokens
from webui.core.model import ModelInfo


class Posterior:
    """What a VAE thinks of pictures: the engine takes the mean, the same on every run."""

    def __init__(self, mean: Any) -> None:
        self.mean = mean

    def sample(self) -> Any:
        """The mean."""
        return self.mean

    mode = sample


class FirstStage:
    """The VAE: `decode` and `encode` between pictures -1..1 and its own latents."""

    def __init__(self, model: SdModel) -> None:
        self._model = model

    @property
    def vae(self) -> Any:
        """diffusers' module."""
        return self._model.pipeline.components.vae

    def decode(self, z: Any) -> Any:
        """Pictures of latents in the VAE's own scale."""
        return self.vae.decode(z.to(self.vae.device, self.vae.dtype)).sample

    def encode(self, x: Any) -> Posterior:
        """What it thinks of pictures."""
        vae = self.vae
        return Posterior(vae.encode(x.to(vae.device, vae.dtype)).latent_dist.mean)

    def to(self, *place: Any, **named: Any) -> FirstStage:
        """The engine decides itself what lies where."""
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.vae, name)


class Wrapped(FrozenCLIPEmbedder):
    """A text encoder and its tokenizer."""

    def __init__(self, model: SdModel, tokens: ClipTokens) -> None:
        self._model = model
        self.tokenizer = tokens
        self.max_length = tokens.size + 2

    @property
    def transformer(self) -> Any:
        """The library's module."""
        return next(iter(self._model.pipeline.components.text_encoders.values()))

    model = transformer


class Conditioner:
    """The text encoder as scripts ask it: tokens everywhere, vectors in the engine's process."""

    def __init__(self, model: SdModel, tokens: ClipTokens) -> None:
        self._model, self._tokens = model, tokens
        self.wrapped = Wrapped(model, tokens)
        self.tokenizer = tokens
        self.id_start, self.id_end, self.id_pad = tokens.begin, tokens.end, tokens.end
        self.comma_token = tokens.comma
        self.chunk_length = tokens.size
        self.legacy_ucg_val = None
        self.embedders = [self]

    def tokenize(self, texts: list[str]) -> list[list[int]]:
        """The tokens of texts, without marks."""
        return [self._tokens.ids(text) for text in texts]

    def tokenize_line(self, line: str) -> tuple[list[Any], int]:
        """A prompt in chunks (`tokens`, `multipliers`), and how many tokens it has."""
        return self._tokens.chunks(line)

    def process_texts(self, texts: list[str]) -> tuple[list[Any], int]:
        """Prompts in chunks, and how many tokens the longest has."""
        lines = [self.tokenize_line(text) for text in texts]
        return [chunks for chunks, _ in lines], max((count for _, count in lines), default=0)

    def get_target_prompt_token_count(self, token_count: int) -> int:
        """How many tokens its chunks have room for."""
        size = self._tokens.size
        return max(1, -(-token_count // size)) * size

    def encode_embedding_init_text(self, init_text: str, nvpt: int) -> Any:
        """The vectors of a text's first words, as they stand in the encoder's table."""
        import torch

        encoder = self.wrapped.transformer
        table = encoder.get_input_embeddings()
        ids = torch.tensor([self._tokens.ids(init_text)[:nvpt]], device=table.weight.device)
        return table(ids)[0]

    def __call__(self, texts: Any) -> Any:
        return self._model.get_learned_conditioning(texts)

    forward = __call__


class Inner:
    """`sd_model.model`: the network, and how it is told of pictures."""

    def __init__(self, model: SdModel) -> None:
        self._model = model

    @property
    def diffusion_model(self) -> Any:
        """diffusers' module, whose parts have other names than LDM's."""
        return self._model.pipeline.components.diffusion_model

    @property
    def conditioning_key(self) -> str:
        """ "hybrid" where it sees a picture and a mask beside the latent."""
        return "hybrid" if self._model.info.variant in ("inpaint", "edit") else "crossattn"

    def named_modules(self) -> Iterator[tuple[str, Any]]:
        """All parts of the network by their names at diffusers."""
        yield from self.diffusion_model.named_modules(prefix="diffusion_model")


class SdModel(LatentDiffusion):
    """A checkpoint. `engine` is webui.compat.engine_side.EngineSide, None where there is none."""

    lowvram = False
    latent_channels = 4
    cond_stage_key = "txt"
    used_config = ""
    ztsnr = False
    is_ssd = False
    is_sdxl_inpaint = False

    def __init__(self, info: ModelInfo, engine: Any) -> None:
        self.info, self.engine = info, engine
        family = info.family
        self.is_sdxl = family.startswith("sdxl")
        self.is_sd3 = family.startswith("sd3")
        self.is_sd2 = family.startswith("sd2")
        self.is_sd1 = family.startswith("sd1")
        self.cond_stage_key = "edit" if info.variant == "edit" else "txt"
        self.extra_generation_params: dict[str, Any] = {}
        self.model = Inner(self)
        self.first_stage_model = FirstStage(self)

    @property
    def sd_checkpoint_info(self) -> Any:
        """Its entry in the list of checkpoints."""
        from modules import sd_models

        for known in sd_models.checkpoints_list.values():
            if known.info is not None and known.info.path == self.info.path:
                return known
        return sd_models.CheckpointInfo(str(self.info.path))

    @property
    def filename(self) -> str:
        """Its file."""
        return str(self.sd_checkpoint_info.filename)

    @property
    def sd_model_name(self) -> str:
        """Its name."""
        return self.info.name

    @property
    def sd_model_hash(self) -> str:
        """Its short hash; A1111's old one where it is not known."""
        return self.sd_checkpoint_info.shorthash or self.sd_checkpoint_info.hash

    @property
    def sd_model_checkpoint(self) -> str:
        """Its file."""
        return str(self.info.path)

    @property
    def pipeline(self) -> Any:
        """The engine's Pipeline, loaded when it is not. Raises AttributeError elsewhere."""
        if self.engine is None:
            raise AttributeError(
                "The networks of shared.sd_model are there only while the engine makes a job with "
                "a real model."
            )
        return self.engine.pipeline(self.info)

    @property
    def device(self) -> Any:
        """Where its network works."""
        from modules import devices

        return devices.device

    @property
    def dtype(self) -> Any:
        """The precision of its network."""
        from modules import devices

        return devices.dtype_unet if self.engine is None else self.model.diffusion_model.dtype

    @property
    def cond_stage_model(self) -> Conditioner:
        """Its text encoder."""
        return Conditioner(self, clip_tokens(self.info))

    conditioner = cond_stage_model

    @property
    def parameterization(self) -> str:
        """What its network answers: "eps" or "v"."""
        prediction = self.pipeline.components.prediction.value
        return "v" if prediction == "v_prediction" else "eps"

    @property
    def betas(self) -> Any:
        """The noise of each timestep of its training."""
        import torch

        return torch.tensor(self.pipeline.components.betas, device=self.device)

    @property
    def alphas_cumprod(self) -> Any:
        """What is left of the picture at each timestep."""
        return (1 - self.betas).cumprod(0)

    alphas_cumprod_original = alphas_cumprod

    @property
    def sigmas(self) -> Any:
        """The noise level of each timestep."""
        kept = self.alphas_cumprod
        return ((1 - kept) / kept) ** 0.5

    @property
    def num_timesteps(self) -> int:
        """How many there are."""
        return len(self.pipeline.components.betas)

    def timestep_of(self, sigma: Any) -> Any:
        """The timestep of a noise level."""
        distances = (self.sigmas.log()[:, None] - sigma.reshape(1, -1).log()).abs()
        return distances.argmin(0).reshape(sigma.shape)

    def get_learned_conditioning(self, texts: Any) -> Any:
        """Encoded prompts: (B, tokens, width), for SDXL {"crossattn", "vector"}."""
        if self.engine is None:
            raise RuntimeError("Prompts are encoded within jobs only, where the engine is.")
        return self.engine.encoded(self.info, [str(text) for text in texts], texts)

    def encode_first_stage(self, x: Any) -> Posterior:
        """What the VAE thinks of pictures (B, 3, H, W), -1..1."""
        return self.first_stage_model.encode(x)

    def get_first_stage_encoding(self, encoder_posterior: Any) -> Any:
        """Its latents as the network has them."""
        mean = encoder_posterior
        mean = mean.mode() if isinstance(mean, Posterior) else mean
        return self.engine.told(self.info, mean.float())

    def decode_first_stage(self, z: Any) -> Any:
        """The pictures (B, 3, H, W), -1..1, of latents."""
        return self.first_stage_model.decode(self.engine.untold(self.info, z)).float()

    def apply_model(self, x_noisy: Any, t: Any, cond: Any, **named: Any) -> Any:
        """What the network answers to latents at a timestep, told a prompt."""
        return self.engine.answered(self.info, x_noisy, t, cond)

    def ema_scope(self, *arguments: Any) -> Any:
        """Nothing: there are no averaged weights."""
        return contextlib.nullcontext()

    def to(self, *place: Any, **named: Any) -> SdModel:
        """The engine decides itself what lies where."""
        return self

    eval = half = float = cpu = cuda = requires_grad_ = to

    def named_modules(self) -> Iterator[tuple[str, Any]]:
        """All parts of all networks, by their names at diffusers and transformers."""
        parts = self.pipeline.components
        yield from parts.diffusion_model.named_modules(prefix="model.diffusion_model")
        yield from parts.vae.named_modules(prefix="first_stage_model")
        for name, encoder in parts.text_encoders.items():
            yield from encoder.named_modules(prefix=name)

    def modules(self) -> Iterator[Any]:
        """All parts of all networks."""
        return (module for _, module in self.named_modules())

    def apply(self, function: Callable[[Any], Any]) -> SdModel:
        """Call a function with each part."""
        for module in self.modules():
            function(module)
        return self

    def parameters(self) -> Iterator[Any]:
        """All weights."""
        for module in self.pipeline.modules:
            yield from module.parameters()

    def state_dict(self) -> Any:
        """The weights under the names of a checkpoint's file: they are read from that."""
        from modules import sd_models

        return sd_models.read_state_dict(self.filename)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("__"):
            note(f"modules.shared.sd_model.{name}")
        raise AttributeError(f"shared.sd_model.{name} is not provided by the layer", name=name)
