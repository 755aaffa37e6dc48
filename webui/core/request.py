"""What a person asked for. Blanks (None) are allowed; a Recipe is the same with every blank filled.

The ranges in the annotations are the only place where they are written: validation, the API
schema, sliders and messages all read them from here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Final, NewType

from annotated_types import Ge, Le, MaxLen, MultipleOf

InputId = NewType("InputId", str)
"""Names an uploaded picture in the input store: the sha256 of its bytes, 64 hex digits."""

MAX_SEED: Final = 2**32 - 1

Side = Annotated[int, Ge(64), Le(2048), MultipleOf(8)]
Steps = Annotated[int, Ge(1), Le(150)]
Guidance = Annotated[float, Ge(1.0), Le(30.0)]
ClipSkip = Annotated[int, Ge(1), Le(12)]
Seed = Annotated[int, Ge(0), Le(MAX_SEED)]
Fraction = Annotated[float, Ge(0.0), Le(1.0)]
Prompt = Annotated[str, MaxLen(20_000)]


class Mode(StrEnum):
    """Which kind of job it is; also the id of its tab."""

    TXT2IMG = "txt2img"
    IMG2IMG = "img2img"
    INPAINT = "inpaint"


class ResizeMode(StrEnum):
    """How a source picture of another shape is brought to the size asked for."""

    STRETCH = "stretch"
    CROP = "crop"
    FILL = "fill"
    LATENT = "latent"


class MaskArea(StrEnum):
    """What an inpaint job works on: the whole picture, or a crop around the mask at full size."""

    WHOLE = "whole"
    MASKED = "masked"


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the picture is denoised. None takes the default of the model's family."""

    sampler: str | None = None
    schedule: str | None = None
    steps: Steps | None = None
    guidance_scale: Guidance | None = None
    clip_skip: ClipSkip | None = None


@dataclass(frozen=True, kw_only=True)
class Source:
    """The picture an img2img or inpaint job starts from."""

    image: InputId
    denoising_strength: Fraction = 0.75
    resize_mode: ResizeMode = ResizeMode.STRETCH


@dataclass(frozen=True, kw_only=True)
class Mask:
    """Where an inpaint job paints. White is repainted; `inverted` repaints the black part instead.

    `blur` and `padding` are in pixels; padding counts only with `area` MASKED.
    """

    image: InputId
    blur: Annotated[int, Ge(0), Le(64)] = 4
    area: MaskArea = MaskArea.WHOLE
    padding: Annotated[int, Ge(0), Le(256)] = 32
    inverted: bool = False


@dataclass(frozen=True, kw_only=True)
class GenerationRequest:
    """One press of Generate. One type for txt2img, img2img and inpaint."""

    prompt: Prompt = ""
    negative_prompt: Prompt = ""
    checkpoint: str | None = None
    """A model id of the catalog, or a name or hash that it knows; None takes the chosen model."""
    width: Side | None = None
    height: Side | None = None
    seed: Seed | None = None
    """None draws a random one when the job is accepted. Picture i of a job gets seed + i."""
    batch_size: Annotated[int, Ge(1), Le(8)] = 1
    batch_count: Annotated[int, Ge(1), Le(100)] = 1
    sampling: Sampling = field(default_factory=Sampling)
    source: Source | None = None
    mask: Mask | None = None

    @property
    def mode(self) -> Mode:
        """Which kind of job this is, told by the parts that are present."""
        if self.mask is not None:
            return Mode.INPAINT
        return Mode.TXT2IMG if self.source is None else Mode.IMG2IMG

    @property
    def picture_count(self) -> int:
        """How many pictures the job makes."""
        return self.batch_size * self.batch_count
