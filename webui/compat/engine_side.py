"""The engine as old scripts' `shared.sd_model` needs it: a model's parts, and what they answer.

Made for one job, in the engine's process. Nothing is loaded before it is asked for.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from PIL import Image
from torch import Tensor
from torch.nn import Conv2d

from webui.core.engine import Work
from webui.core.model import ModelInfo, ModelKind
from webui.engine.architectures.architecture import Frame
from webui.engine.architectures.text import Text
from webui.engine.latent_format import scale_of, told, untold
from webui.engine.painter import Painter
from webui.engine.pipeline import Pipeline

CROSS: Final = "crossattn"
VECTOR: Final = "vector"


def open_engine(paint: Any, work: Work) -> EngineSide | None:
    """The engine behind a painter's `paint`; None where it is none with real models."""
    painter = getattr(paint, "__self__", None)
    return EngineSide(painter, work) if isinstance(painter, Painter) else None


class EngineSide:
    """The models of one job."""

    def __init__(self, painter: Painter, work: Work) -> None:
        self._manager: Final = painter.manager
        self._work: Final = work

    def pipeline(self, info: ModelInfo) -> Pipeline:
        """A model in memory. Raises ModelUnreadable."""
        vae = self._vae(info)
        if self._manager.is_loaded(info, vae):
            return self._manager.held(info, vae)
        return self._manager.get(info, vae, parts=self._parts)

    def convolutions(self) -> list[Conv2d]:
        """Those of the job's network and VAE."""
        parts = self.pipeline(self._work.model).components
        modules = [*parts.diffusion_model.modules(), *parts.vae.modules()]
        return [module for module in modules if isinstance(module, Conv2d)]

    @property
    def is_changed(self) -> bool:
        """Whether a script has put a function of its own into a convolution."""
        if not self._manager.is_loaded(self._work.model):
            return False
        return any(map(_is_changed, self.convolutions()))

    def encoded(
        self, info: ModelInfo, texts: Sequence[str], prompts: Any
    ) -> Tensor | dict[str, Tensor]:
        """Texts as (B, tokens, width); with the pooled ones beside where the model has such."""
        pipeline = self.pipeline(info)
        self._manager.bring(pipeline, list(pipeline.components.text_encoders.values()), 0)
        options = importlib.import_module("modules.shared").opts
        clip_skip = int(options.data.get("CLIP_stop_at_last_layers") or 1)
        made = [pipeline.encoder.encode(text, clip_skip) for text in texts]
        longest = max(text.length for text in made)
        tokens = torch.cat([_lengthened(text.tokens, longest) for text in made])
        if made[0].pooled is None:
            return tokens
        pooled = [text.pooled for text in made if text.pooled is not None]
        return {CROSS: tokens, VECTOR: torch.cat(pooled)}

    def told(self, info: ModelInfo, latents: Tensor) -> Tensor:
        """The VAE's own latents as the network has them."""
        return told(self.pipeline(info).components.vae, latents)

    def untold(self, info: ModelInfo, latents: Tensor) -> Tensor:
        """And back."""
        return untold(self.pipeline(info).components.vae, latents)

    def answered(self, info: ModelInfo, x: Tensor, time: Tensor, cond: Any) -> Tensor:
        """What the network answers to latents at a timestep, told a prompt."""
        pipeline = self.pipeline(info)
        network, scale = pipeline.components.diffusion_model, scale_of(pipeline.components.vae)
        self._manager.bring(pipeline, [network], 0)
        frame = Frame(width=x.shape[-1] * scale, height=x.shape[-2] * scale)
        seen = x.to(network.dtype)
        moment = time.flatten()[0].float()
        arguments = pipeline.architecture.arguments(seen, moment, text_of(cond), frame)
        output = pipeline.runner(arguments, is_hooked=True)
        return pipeline.architecture.answer(output, seen).to(x.dtype)

    def rough(self, latent: Tensor) -> Tensor:
        """A look at a latent (C, h, w): (3, h, w), 0..1."""
        height, width = latent.shape[-2:]
        jpeg = self.pipeline(self._work.model).previewer.jpeg(latent)
        small = Image.open(io.BytesIO(jpeg)).convert("RGB").resize((width, height))
        pixels = torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8)
        return pixels.reshape(height, width, 3).permute(2, 0, 1).to(latent) / 255

    def _vae(self, info: ModelInfo) -> ModelInfo | None:
        chosen = self._work.recipes[0].vae
        if chosen is None or info.path != self._work.model.path:
            return None
        return self._work.file(ModelKind.VAE, chosen, "vae")

    @property
    def _parts(self) -> Mapping[str, Path]:
        files = self._work.files
        return {used.ref: used.model.path for used in files if used.kind is ModelKind.TEXT_ENCODER}


def text_of(cond: Any) -> Text:
    """What scripts call a conditioning, as the engine has it."""
    if isinstance(cond, dict):
        inner: Any = cond.get("c_crossattn", cond.get(CROSS))
        inner = inner[0] if isinstance(inner, list) else inner
        if isinstance(inner, dict):
            return text_of(inner)
        return Text(tokens=inner, pooled=cond.get(VECTOR))
    return Text(tokens=cond)


def _is_changed(layer: Conv2d) -> bool:
    own = vars(layer).get("_conv_forward") or vars(layer).get("forward")
    return own is not None and getattr(own, "__func__", None) not in (
        Conv2d._conv_forward,
        Conv2d.forward,
    )


def _lengthened(tokens: Tensor, length: int) -> Tensor:
    missing = length - tokens.shape[1]
    if not missing:
        return tokens
    return torch.cat([tokens, tokens[:, -1:].repeat(1, missing, 1)], dim=1)
