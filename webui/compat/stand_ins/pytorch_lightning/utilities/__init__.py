"""Small things of PyTorch Lightning."""

from pytorch_lightning.utilities.rank_zero import rank_zero_only

__all__ = ["rank_zero_only"]
