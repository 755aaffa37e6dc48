"""The name of A1111's model class: `shared.sd_model` is one of these."""

from __future__ import annotations

from webui.compat.missing import unprovided


class LatentDiffusion:
    """A checkpoint. All that it can do here is in `modules.gesso_sd_model`."""


__getattr__ = unprovided(__name__)
