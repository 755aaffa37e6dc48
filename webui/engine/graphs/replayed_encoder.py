"""A text encoder that is replayed: its many small layers keep the driver busier than the GPU."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Final

import torch
from torch import Tensor, nn

from webui.engine.graphs.runner import Runner


class ReplayedEncoder:
    """Stands in for a library's CLIP: the same answers, by replays where there are recordings."""

    def __init__(self, encoder: Any, runner: Runner) -> None:
        """`runner` runs `AllLayers(encoder)`."""
        self.encoder: Final = encoder
        self._runner: Final = runner

    def __call__(self, ids: Tensor, *, output_hidden_states: bool) -> SimpleNamespace:
        """All layers' outputs as `hidden_states`; `text_embeds` where the encoder has them."""
        assert output_hidden_states
        flat = self._runner({"input_ids": ids}, is_hooked=False)
        config = self.encoder.config
        layers, shape = int(config.num_hidden_layers) + 1, (*ids.shape, int(config.hidden_size))
        size = ids.numel() * int(config.hidden_size)
        hidden = tuple(flat[i * size : (i + 1) * size].view(shape) for i in range(layers))
        rest = flat[layers * size :]
        text = rest.view(len(ids), -1) if rest.numel() else None
        return SimpleNamespace(hidden_states=hidden, text_embeds=text)

    def forget(self) -> None:
        """Drop the recordings: the weights have moved, or memory is needed."""
        self._runner.forget()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.encoder, name)


class AllLayers(nn.Module):
    """A CLIP whose answer is one tensor: all layers' outputs, then the text as a whole."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder: Final = encoder

    def forward(self, input_ids: Tensor, *, return_dict: bool = False) -> tuple[Tensor]:
        """As `webui.engine.graphs.runner.run` calls it."""
        answer = self.encoder(input_ids, output_hidden_states=True)
        return (torch.cat([each.reshape(-1) for each in _tensors(answer)]),)


def is_replayable(encoder: Any) -> bool:
    """Whether an encoder is of a kind that `ReplayedEncoder` can stand in for."""
    return type(encoder).__name__ in ("CLIPTextModel", "CLIPTextModelWithProjection")


def _tensors(answer: Any) -> Iterator[Tensor]:
    yield from answer.hidden_states
    text = getattr(answer, "text_embeds", None)
    if text is not None:
        yield text
