"""Qwen-Image-Edit: a Qwen-Image that looks at a picture, and so does its text encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import sqrt
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from webui.engine.architectures import qwen
from webui.engine.architectures.architecture import Architecture, Frame
from webui.engine.architectures.language import LanguageReader, Talk
from webui.engine.architectures.text import Manner, Text
from webui.engine.architectures.tokens import SIDE, even, packed
from webui.families.components import TEXT_ENCODER, Components

ORDER: Final = (
    "Describe the key features of the input image (color, shape, size, texture, objects, "
    "background), then explain how the user's text instruction should alter or modify the image. "
    "Generate a new image that meets the user's requirements while maintaining consistency with "
    "the original input where appropriate."
)
ORDER_TOKENS: Final = 64
"""All that stands before what is shown; the network is not told of it."""
SHOWN: Final = "<|vision_start|><|image_pad|><|vision_end|>"
SHOWN_TOKENS: Final = 8
"""That stand around a picture at most."""
PICTURE: Final = "<|image_pad|>"
TALK: Final = Talk(
    before=f"<|im_start|>system\n{ORDER}<|im_end|>\n<|im_start|>user\n",
    after="<|im_end|>\n<|im_start|>assistant\n",
    most_tokens=1024 + ORDER_TOKENS + SHOWN_TOKENS,
)
STEP: Final = 32
"""The sides of what is shown are rounded to this first, then to whole tokens."""
PATCH, MERGED, FRAMES = 14, 2, 2
"""Pixels along a side of a patch, patches along a side of a token, and how many frames of a film a
patch spans: a picture is two that are alike."""
MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
SPREAD: Final = (0.26862954, 0.26130258, 0.27577711)
"""Of the colours of CLIP's training."""


@dataclass(frozen=True, kw_only=True)
class Showing:
    """How pictures are shown to the text encoder. `before` is said first, {} is the number."""

    before: str = ""
    area: int = 1024 * 1024
    """In pixels."""


class QwenEditText:
    """What Qwen 2.5 VL makes of the pictures and the prompt."""

    def __init__(self, components: Components, showing: Showing = Showing()) -> None:
        self._encoder: Final = components.text_encoders[TEXT_ENCODER]
        self._tokenizer: Final = components.tokenizers[TEXT_ENCODER]
        self._showing: Final = showing

    def encode(self, text: str, manner: Manner, field: str, *, is_negative: bool) -> Text:
        """(1, n, W): as long as the pictures and the text."""
        said = [
            self._showing.before.format(number) + SHOWN
            for number, _ in enumerate(manner.pictures, 1)
        ]
        talk = replace(TALK, before=TALK.before + "".join(said))
        words = text.replace(PICTURE, "")  # which would stand for a picture that is not there
        ids = LanguageReader(self._encoder, self._tokenizer, talk).ids(words, manner, field)
        layers = self._read(ids, [_resized(each, self._showing.area) for each in manner.pictures])
        return Text(tokens=layers[-1][:, ORDER_TOKENS:])

    def lengthen(self, text: Text, length: int, manner: Manner) -> Text:
        """As it is: texts of unlike lengths are asked one by one."""
        return text

    def _read(self, ids: Tensor, pictures: list[Image.Image]) -> tuple[Tensor, ...]:
        """What goes into each layer and what comes out of the last one and its norm."""
        place: int = self._tokenizer.convert_tokens_to_ids(PICTURE)
        grids = [(each.height // PATCH, each.width // PATCH) for each in pictures]
        counts = iter([rows * columns // MERGED**2 for rows, columns in grids])
        tokens = [id for id in ids[0].tolist() for _ in range(next(counts) if id == place else 1)]
        seen: dict[str, Any] = {}
        longer = torch.tensor([tokens], device=ids.device)
        if pictures:
            patches = torch.cat([_patches(each) for each in pictures])
            seen = {
                "pixel_values": patches.to(ids.device),
                "image_grid_thw": torch.tensor([(1, *grid) for grid in grids], device=ids.device),
                "mm_token_type_ids": (longer == place).int(),
            }
        answer = self._encoder(
            input_ids=longer,
            attention_mask=torch.ones_like(longer),
            output_hidden_states=True,
            **seen,
        )
        layers: tuple[Tensor, ...] = answer.hidden_states
        return layers


def arguments(seen: Tensor, time: Tensor, text: Text, frame: Frame) -> Mapping[str, Any]:
    """For QwenImageTransformer2DModel: pictures to look at stand behind the one that is made."""
    latents = [seen, *(each.to(seen).expand(len(seen), -1, -1, -1) for each in frame.references)]
    grids = [even(each) for each in latents]
    shapes = [(1, each.shape[-2] // SIDE, each.shape[-1] // SIDE) for each in grids]
    return {
        **qwen.arguments(seen, time, text, frame),
        "hidden_states": torch.cat([packed(each) for each in grids], dim=1),
        "img_shapes": [shapes] * len(seen),
    }


def _resized(picture: Image.Image, area: int) -> Image.Image:
    """The picture at about so many pixels, whole tokens wide and high."""
    ratio = picture.width / picture.height
    width = sqrt(area * ratio)
    first = (_rounded(width, STEP), _rounded(width / ratio, STEP))
    shown = picture.convert("RGB").resize(first, Image.Resampling.LANCZOS)
    second = (_rounded(shown.width, PATCH * MERGED), _rounded(shown.height, PATCH * MERGED))
    return shown.resize(second, Image.Resampling.BICUBIC)


def _rounded(side: float, unit: int) -> int:
    return max(1, round(side / unit)) * unit


def _patches(picture: Image.Image) -> Tensor:
    """(n, 3 * 2 * 14 * 14): those of a token behind each other, token by token."""
    values = np.asarray(picture, dtype=np.float32) / 255
    values = (values - np.array(MEAN, np.float32)) / np.array(SPREAD, np.float32)
    rows, columns = (side // (PATCH * MERGED) for side in values.shape[:2])
    cells = values.reshape(rows, MERGED, PATCH, columns, MERGED, PATCH, 3)
    cells = cells.transpose(0, 3, 1, 4, 6, 2, 5)[:, :, :, :, :, None]
    cells = cells.repeat(FRAMES, axis=5)  # rows, columns, 2, 2, colours, frames, 14, 14
    return torch.from_numpy(cells.reshape(rows * columns * MERGED**2, -1).copy())


ARCHITECTURE = Architecture(
    id="qwen_edit",
    make_encoder=QwenEditText,
    arguments=arguments,
    answer=qwen.ARCHITECTURE.answer,
    has_references=True,
    has_eyes=True,
)
PLUS: Final = Showing(before="Picture {}: ", area=384 * 384)
make_plus: Final = partial(QwenEditText, showing=PLUS)
