"""How a model of the Stable Diffusion kind was trained: its noise, and what its network answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from webui.core.errors import ModelUnreadable
from webui.families.components import Placement, Prediction

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

Config = dict[str, Any]

PARAMETERIZATION: Final = re.compile(r"^\s*parameterization:\s*[\"']?(\w+)", re.MULTILINE)
"""In the settings that the first trainers put beside a checkpoint."""
METADATA: Final = "modelspec.prediction_type"
MAX_SETTINGS_BYTES: Final = 1_000_000

NOISE_ALONE: Final = 999
"""The timestep at which a network of the first kind answers what it is shown, nearly."""
LEVEL: Final = 0.5
VELOCITY_BELOW: Final = -1.0
"""Of the mean difference: one that answers velocity says the opposite of what it is shown."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """As Components has it."""

    betas: tuple[float, ...]
    prediction: Prediction
    has_zero_terminal_snr: bool


def read_training(name: str, schedule: Config) -> Training:
    """What a scheduler_config.json says. `name` is the model's. Raises ModelUnreadable."""
    return Training(
        betas=_betas(name, schedule),
        prediction=_prediction(name, schedule),
        has_zero_terminal_snr=bool(schedule.get("rescale_betas_zero_snr")),
    )


def said_in(metadata: Mapping[str, str]) -> Prediction | None:
    """What a file's own metadata say; None if they say nothing."""
    said = {"v": Prediction.VELOCITY, "epsilon": Prediction.EPSILON}
    return said.get(metadata.get(METADATA, "").strip().lower())


def said_beside(checkpoint: Path) -> Prediction | None:
    """What the settings in the .yaml file beside a checkpoint say; None if they say nothing."""
    settings = checkpoint.with_suffix(".yaml")
    try:
        if settings.stat().st_size > MAX_SETTINGS_BYTES:
            return None
        match = PARAMETERIZATION.search(settings.read_text("utf-8", errors="replace"))
    except OSError:
        return None
    if match is None:
        return None
    return Prediction.VELOCITY if match[1] == "v" else Prediction.EPSILON


def ask_network(load: Callable[[Placement], UNet2DConditionModel]) -> Prediction:
    """What the network that `load` gives answers, by its answer to a grey picture called noise
    alone.

    As A1111 finds it out: noise is answered with about the same, a picture with its opposite. It is
    loaded for that once, into the computer's memory: the weights of those that work may come later.
    """
    import torch

    unet = load(Placement(device=torch.device("cpu"), dtype=torch.bfloat16))
    width, channels = int(unet.config.cross_attention_dim), int(unet.config.in_channels)
    with torch.inference_mode():
        picture = torch.full((1, channels, 8, 8), LEVEL, dtype=torch.bfloat16)
        text = torch.full((1, 2, width), LEVEL, dtype=torch.bfloat16)
        answer = unet(picture, torch.tensor([NOISE_ALONE]), text, return_dict=False)[0]
        difference = (answer - picture[:, : answer.shape[1]]).float().mean().item()
    return Prediction.VELOCITY if difference < VELOCITY_BELOW else Prediction.EPSILON


def _betas(name: str, schedule: Config) -> tuple[float, ...]:
    first, last = float(schedule.get("beta_start", 0.0001)), float(schedule.get("beta_end", 0.02))
    count = int(schedule.get("num_train_timesteps", 1000))
    match schedule.get("beta_schedule", "linear"):
        case "linear":
            return tuple(_line(first, last, count))
        case "scaled_linear":
            return tuple(beta**2 for beta in _line(first**0.5, last**0.5, count))
    raise ModelUnreadable(
        name, f"its noise schedule “{schedule.get('beta_schedule')}” is unknown to this version."
    )


def _line(first: float, last: float, count: int) -> Iterable[float]:
    return (first + (last - first) * i / (count - 1) for i in range(count))


def _prediction(name: str, schedule: Config) -> Prediction:
    given = str(schedule.get("prediction_type", "epsilon"))
    try:
        return Prediction(given)
    except ValueError as error:
        raise ModelUnreadable(
            name, f"it predicts “{given}”, which this version can't run yet."
        ) from error
