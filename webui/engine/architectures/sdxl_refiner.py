"""The refiner of Stable Diffusion XL: told a score instead of the size it is to look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor

from webui.engine.architectures.architecture import Architecture, Frame
from webui.engine.architectures.sdxl import SdxlText, told
from webui.engine.architectures.text import Manner, Text

SCORE: Final = 6.0
"""How well people liked the picture, of 10; A1111's values."""
NEGATIVE_SCORE: Final = 2.5


class RefinerText(SdxlText):
    """As of SDXL; the score that goes with a text stands behind it as a whole, (1, P + 1)."""

    def encode(self, text: str, manner: Manner, field: str, *, is_negative: bool) -> Text:
        """(1, 77 k, W) for a text of k chunks, and (1, P + 1)."""
        found = super().encode(text, manner, field, is_negative=is_negative)
        assert found.pooled is not None
        score = found.pooled.new_full((1, 1), NEGATIVE_SCORE if is_negative else SCORE)
        return replace(found, pooled=torch.cat([found.pooled, score], dim=1))


def arguments(seen: Tensor, time: Tensor, text: Text, frame: Frame) -> Mapping[str, Any]:
    """For UNet2DConditionModel."""
    assert text.pooled is not None
    plain = replace(text, pooled=text.pooled[:, :-1])
    given = told(seen, time, plain, [frame.height, frame.width, 0, 0])
    added = given["added_cond_kwargs"]
    ids = torch.cat([added["time_ids"], text.pooled[:, -1:].float()], dim=1)
    return {**given, "added_cond_kwargs": {**added, "time_ids": ids}}


ARCHITECTURE = Architecture(id="sdxl_refiner", make_encoder=RefinerText, arguments=arguments)
