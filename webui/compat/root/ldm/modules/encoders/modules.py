"""Names of text encoders: `shared.sd_model.cond_stage_model.wrapped` is one of these."""

from __future__ import annotations

from webui.compat.missing import unprovided


class AbstractEncoder:
    """A text encoder."""


class FrozenCLIPEmbedder(AbstractEncoder):
    """That of SD 1 and of SDXL's first."""


class FrozenOpenCLIPEmbedder(AbstractEncoder):
    """That of SD 2."""


__getattr__ = unprovided(__name__)
