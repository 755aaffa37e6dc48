"""Embeddings in pictures. The engine reads files of tensors only."""

from __future__ import annotations

import base64
import json
from typing import Any

from webui.compat.missing import unprovided


class EmbeddingEncoder(json.JSONEncoder):
    """Tensors as lists."""

    def default(self, obj: Any) -> Any:
        """A tensor under a name of its own."""
        if hasattr(obj, "tolist"):
            return {"TORCHTENSOR": obj.cpu().detach().tolist()}
        return super().default(obj)


class EmbeddingDecoder(json.JSONDecoder):
    """And back."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, object_hook=self.object_hook, **kwargs)

    def object_hook(self, d: dict[str, Any]) -> Any:
        """A tensor that was written as a list."""
        if "TORCHTENSOR" in d:
            import torch

            return torch.tensor(d["TORCHTENSOR"])
        return d


def embedding_to_b64(data: Any) -> bytes:
    """An embedding as text."""
    return base64.b64encode(json.dumps(data, cls=EmbeddingEncoder).encode())


def embedding_from_b64(data: Any) -> Any:
    """And back."""
    return json.loads(base64.b64decode(data), cls=EmbeddingDecoder)


def caption_image_overlay(
    srcimage: Any,
    title: str,
    footerLeft: str,
    footerMid: str,
    footerRight: str,
    textfont: Any = None,
) -> Any:
    """A picture with words on it."""
    from PIL import ImageDraw

    from modules.images import get_font

    image = srcimage.copy()
    draw, font = ImageDraw.Draw(image), get_font(max(10, image.width // 24))
    low = image.height - 8
    draw.text((8, 8), title, font=font, anchor="lt", fill=(230, 230, 230))
    draw.text((8, low), footerLeft, font=font, anchor="lb", fill=(230, 230, 230))
    draw.text((image.width // 2, low), footerMid, font=font, anchor="mb", fill=(230, 230, 230))
    draw.text((image.width - 8, low), footerRight, font=font, anchor="rb", fill=(230, 230, 230))
    return image


def insert_image_data_embed(image: Any, data: Any) -> Any:
    """Not here."""
    raise NotImplementedError("Embeddings are not written into pictures here. Save them to a file.")


def extract_image_data_embed(image: Any) -> Any:
    """None: no picture holds one that is read here."""
    return None


__getattr__ = unprovided(__name__)
