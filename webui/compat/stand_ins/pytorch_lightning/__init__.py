"""A little of PyTorch Lightning for scripts that name it without training anything."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

__version__ = "1.9.5"


class LightningModule(torch.nn.Module):
    """A network."""

    def log(self, *arguments: Any, **named: Any) -> None:
        """Nobody listens."""


class LightningDataModule:
    """Data for training, which is not built in."""


class Callback:
    """Told of training, which is not built in."""


class Trainer:
    """Not here."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        raise NotImplementedError("Training is not built in. Install pytorch_lightning for it.")


def seed_everything(seed: int | None = None, workers: bool = False) -> int:
    """Seed all generators; the seed."""
    chosen = random.randint(0, 2**32 - 1) if seed is None else int(seed)
    random.seed(chosen)
    np.random.seed(chosen)
    torch.manual_seed(chosen)
    return chosen
