"""Flux.1 schnell: as dev, but it reads half as much and can't be told how closely to follow."""

from __future__ import annotations

from functools import partial
from typing import Final

from webui.engine.architectures.architecture import Architecture
from webui.engine.architectures.flux import FluxText, plain_arguments
from webui.engine.architectures.tokens import unpacked

WINDOW: Final = 256

ARCHITECTURE = Architecture(
    id="flux_schnell",
    make_encoder=partial(FluxText, window=WINDOW),
    arguments=plain_arguments,
    answer=unpacked,
)
