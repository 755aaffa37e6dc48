"""Ways to walk from noise to a picture: one file each, found by scanning this folder."""

from webui.samplers.sampler import Samplers, load_samplers

__all__ = ["Samplers", "load_samplers"]
