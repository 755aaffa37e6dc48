"""What a person asked for. Blanks (None) are allowed; a Recipe is the same with every blank filled.

The ranges in the annotations are the only place where they are written: validation, the API
schema, sliders and messages all read them from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Final, NewType

from annotated_types import Ge, Le, MaxLen, MultipleOf

InputId = NewType("InputId", str)
"""Names an uploaded picture in the input store: the sha256 of its bytes, 64 hex digits."""

MAX_SEED: Final = 2**32 - 1

OWN_VAE: Final = "none"
"""In place of a VAE's name: the one that lies in the checkpoint."""

CELL: Final = 8
"""Pixels along a side of one cell of a latent; sides are whole cells."""
SMALLEST_SIDE: Final = 64
LARGEST_SIDE: Final = 2048
LARGEST_RESULT: Final = 16384
"""Along a side of a picture that is only enlarged."""
LONGEST_PROMPT: Final = 20_000
"""In characters."""

Side = Annotated[int, Ge(SMALLEST_SIDE), Le(LARGEST_SIDE), MultipleOf(CELL)]
ResultSide = Annotated[int, Ge(1), Le(LARGEST_RESULT)]
Steps = Annotated[int, Ge(1), Le(150)]
GuidanceScale = Annotated[float, Ge(1.0), Le(30.0)]
DistilledGuidance = Annotated[float, Ge(0.0), Le(30.0)]
ClipSkip = Annotated[int, Ge(1), Le(12)]
Seed = Annotated[int, Ge(0), Le(MAX_SEED)]
Fraction = Annotated[float, Ge(0.0), Le(1.0)]
Prompt = Annotated[str, MaxLen(LONGEST_PROMPT)]
Name = Annotated[str, MaxLen(500)]
Sigma = Annotated[float, Ge(0.0), Le(1000.0)]
Pixels = Annotated[int, Ge(0), Le(LARGEST_SIDE)]


class Mode(StrEnum):
    """Which kind of job it is; also the id of its tab."""

    TXT2IMG = "txt2img"
    IMG2IMG = "img2img"
    INPAINT = "inpaint"
    EXTRAS = "extras"


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


class MaskContent(StrEnum):
    """What lies under the mask before painting begins."""

    FILL = "fill"
    """Colours from around it."""
    ORIGINAL = "original"
    NOISE = "noise"
    NOTHING = "nothing"


class Emphasis(StrEnum):
    """What the weights in a prompt do to its encoding."""

    ORIGINAL = "original"
    """Multiply, then bring the mean back."""
    NO_NORM = "no_norm"
    """Multiply only."""
    IGNORE = "ignore"
    """Weights are read but not used."""
    NONE = "none"
    """Brackets are plain text."""


class Tiling(StrEnum):
    """Along which axes the left edge continues the right one, for seamless textures."""

    NONE = "none"
    BOTH = "both"
    HORIZONTAL = "horizontal"
    VERTICAL = "vertical"


class NoiseSource(StrEnum):
    """Where noise is drawn. Each gives other pictures for the same seed."""

    CPU = "cpu"
    GPU = "gpu"
    """The generator of the device: differs between makes of GPU."""
    NV = "nv"
    """NVIDIA's generator, computed on any device."""


@dataclass(frozen=True, kw_only=True)
class SamplerParameters:
    """Fine points of samplers and schedules. Each counts only where the sampler or the schedule
    uses it; None takes its own default."""

    eta: Annotated[float, Ge(0.0), Le(2.0)] | None = None
    """How much fresh noise each step adds, as a factor."""
    churn: Annotated[float, Ge(0.0), Le(100.0)] = 0.0
    """Karras et al.'s S_churn; the next three are S_tmin, S_tmax and S_noise."""
    churn_from: Sigma = 0.0
    churn_to: Sigma | None = None
    noise_factor: Annotated[float, Ge(0.0), Le(2.0)] = 1.0
    order: Annotated[int, Ge(1), Le(4)] | None = None
    smallest_sigma: Sigma | None = None
    largest_sigma: Sigma | None = None
    rho: Annotated[float, Ge(0.01), Le(100.0)] | None = None
    beta_alpha: Annotated[float, Ge(0.05), Le(5.0)] = 0.6
    beta_beta: Annotated[float, Ge(0.05), Le(5.0)] = 0.6
    discard_penultimate: bool | None = None
    """Leave out the last noise level but one; None does so with samplers that need it."""
    sgm_noise: bool = False
    """Begin with the noise's own spread and the picture's, sqrt(1 + sigma²)."""
    shift: Annotated[float, Ge(0.1), Le(20.0)] | None = None
    """How far a flow model's steps lean to the noisy side; None takes the model's own."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the picture is denoised. None takes the default of the model's family."""

    sampler: Name | None = None
    schedule: Name | None = None
    steps: Steps | None = None
    guidance_scale: GuidanceScale | None = None
    distilled_guidance: DistilledGuidance | None = None
    """What models are told that were trained to guide themselves (Forge's distilled CFG)."""
    clip_skip: ClipSkip | None = None
    parameters: SamplerParameters = field(default_factory=SamplerParameters)


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Where the noise comes from, beside the seed."""

    source: NoiseSource = NoiseSource.CPU
    variation_seed: Seed | None = None
    """None draws a random one when it is needed. Picture i of a job gets variation_seed + i, and
    all get the same seed, as soon as `variation_strength` is not 0."""
    variation_strength: Fraction = 0.0
    resize_from_width: Side | None = None
    """With the height: the size whose composition the noise keeps (A1111's seed resize)."""
    resize_from_height: Side | None = None
    seed_delta: Seed = 0
    """Added to the seed for noise after the first (A1111's ENSD)."""


@dataclass(frozen=True, kw_only=True)
class FreeU:
    """Si et al. 2023: backbone factors above 1, skip factors below 1, in the given part of the
    run."""

    b1: Annotated[float, Ge(0.0), Le(2.0)] = 1.3
    b2: Annotated[float, Ge(0.0), Le(2.0)] = 1.4
    s1: Annotated[float, Ge(0.0), Le(4.0)] = 0.9
    s2: Annotated[float, Ge(0.0), Le(4.0)] = 0.2
    start: Fraction = 0.0
    end: Fraction = 1.0


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """What guides beside the scale. 0 or None switches each off."""

    rescale: Fraction = 0.0
    """Lin et al. 2023, phi: how far the spread of the unguided guess is brought back."""
    skip_first: Fraction = 0.0
    """The part of the run that is not guided at its beginning."""
    skip_below: Sigma = 0.0
    """The unguided guess is left out on every other step below this noise level (A1111's NGMS)."""
    skip_below_always: bool = False
    """On all steps below it, not on every other."""
    perturbed_attention: Annotated[float, Ge(0.0), Le(30.0)] = 0.0
    """Ahn et al. 2024: the scale."""
    self_attention: Annotated[float, Ge(0.0), Le(5.0)] = 0.0
    """Hong et al. 2022: the scale."""
    self_attention_blur: Annotated[float, Ge(0.0), Le(10.0)] = 2.0
    mimic_scale: Annotated[float, Ge(0.0), Le(30.0)] = 0.0
    """Dynamic thresholding: the guidance scale whose range of values is kept."""
    mimic_percentile: Annotated[float, Ge(0.5), Le(1.0)] = 1.0
    freeu: FreeU | None = None


@dataclass(frozen=True, kw_only=True)
class StepCache:
    """Makes pictures sooner by leaving out most of the network in some steps, which changes them.
    Transformers (Flux, SD 3 and later kinds) go by `threshold`, UNets (SD 1, 2, XL) by `every`."""

    threshold: Fraction = 0.1
    """How much what the first block adds may have changed since all blocks ran; 0 leaves nothing
    out."""
    every: Annotated[int, Ge(1), Le(10)] = 3
    """Of so many calls of the network one is whole; 1 leaves nothing out."""
    start: Fraction = 0.2
    """The part of the run in which it works, from here to `end`. What comes first decides most."""
    end: Fraction = 1.0


@dataclass(frozen=True, kw_only=True)
class Hires:
    """A second pass at a larger size. None takes the first pass's value."""

    upscaler: Name = "latent"
    """Id of an upscaler, or one of the latent modes."""
    scale: Annotated[float, Ge(1.0), Le(8.0)] = 2.0
    width: Side | None = None
    """The exact size instead of `scale`. With both sides, what sticks out is cut off; the one
    that is None follows the shape of the first pass."""
    height: Side | None = None
    steps: Steps | None = None
    denoising_strength: Fraction = 0.7
    sampler: Name | None = None
    schedule: Name | None = None
    guidance_scale: GuidanceScale | None = None
    prompt: Prompt | None = None
    negative_prompt: Prompt | None = None
    checkpoint: Name | None = None


@dataclass(frozen=True, kw_only=True)
class Refiner:
    """A second checkpoint that takes over for the last part of the run."""

    checkpoint: Name
    switch_at: Annotated[float, Ge(0.01), Le(1.0)] = 0.8


@dataclass(frozen=True, kw_only=True)
class Source:
    """The picture an img2img or inpaint job starts from."""

    image: InputId
    denoising_strength: Fraction = 0.75
    resize_mode: ResizeMode = ResizeMode.STRETCH
    noise_multiplier: Annotated[float, Ge(0.0), Le(1.5)] = 1.0
    extra_noise: Fraction = 0.0
    exact_steps: bool = False
    """Run all the steps asked for, whatever the strength."""
    color_correction: bool = False
    """Bring the result's colours to those of the source."""
    image_guidance: Annotated[float, Ge(1.0), Le(10.0)] = 1.5
    """How closely a model that edits by instructions follows the source; others don't know it."""


@dataclass(frozen=True, kw_only=True)
class SoftInpainting:
    """Blends the painted and the kept step by step instead of at an edge."""

    schedule_bias: Annotated[float, Ge(0.0), Le(8.0)] = 1.0
    preservation_strength: Annotated[float, Ge(0.0), Le(8.0)] = 0.5
    transition_contrast: Annotated[float, Ge(1.0), Le(32.0)] = 4.0
    mask_influence: Fraction = 0.0
    difference_threshold: Annotated[float, Ge(0.0), Le(8.0)] = 0.5
    difference_contrast: Annotated[float, Ge(0.0), Le(8.0)] = 2.0


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
    content: MaskContent = MaskContent.ORIGINAL
    soft: SoftInpainting | None = None
    conditioning_strength: Fraction = 1.0
    """How much of the masked part a checkpoint made for inpainting is not shown."""


@dataclass(frozen=True, kw_only=True)
class Outpaint:
    """Pixels of new picture at each side of the source; the source keeps its own size."""

    left: Pixels = 0
    right: Pixels = 0
    top: Pixels = 0
    bottom: Pixels = 0
    overlap: Annotated[int, Ge(0), Le(128)] = 16
    """Pixels of the source, along the new ones, over which the two are blended."""


@dataclass(frozen=True, kw_only=True)
class Extras:
    """Work on a finished picture without painting: one or two upscalers, blended."""

    image: InputId
    upscaler: Name = "lanczos"
    scale: Annotated[float, Ge(1.0), Le(8.0)] = 2.0
    width: ResultSide | None = None
    """With the height: the exact size instead of `scale`."""
    height: ResultSide | None = None
    crop: bool = True
    """Cut off what sticks out of the exact size; otherwise the picture fits inside it."""
    second_upscaler: Name | None = None
    second_visibility: Fraction = 0.0


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
    styles: tuple[Name, ...] = ()
    """Names of saved styles, applied in this order when the job is accepted."""
    emphasis: Emphasis = Emphasis.ORIGINAL
    vae: Name | None = None
    """A VAE file in place of the checkpoint's own. None takes the one noted for the checkpoint, if
    any; OWN_VAE the checkpoint's own, whatever is noted."""
    text_encoders: tuple[Name, ...] = ()
    """Text encoder files for a checkpoint that lacks its own, where several would do. Each tells
    which one it is; of those that are not named the largest is taken."""
    noise: Noise = field(default_factory=Noise)
    guidance: Guidance = field(default_factory=Guidance)
    tiling: Tiling = Tiling.NONE
    step_cache: StepCache | None = None
    hires: Hires | None = None
    refiner: Refiner | None = None
    source: Source | None = None
    mask: Mask | None = None
    outpaint: Outpaint | None = None
    extras: Extras | None = None
    """Present: nothing is painted, and only this part counts."""
    verifies: Name | None = None
    """The id of a picture that this request made: the result is compared with it, not saved."""
    extensions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What was set of extensions: values of inputs by the id of the extension."""
    script: Name | None = None
    """The id of an extension that takes the job over."""
    is_settled: bool = False
    """Extensions have edited its fields and prompts already, when the picture was first made."""

    @property
    def mode(self) -> Mode:
        """Which kind of job this is, told by the parts that are present."""
        if self.extras is not None:
            return Mode.EXTRAS
        if self.mask is not None or self.outpaint is not None:
            return Mode.INPAINT
        return Mode.TXT2IMG if self.source is None else Mode.IMG2IMG

    @property
    def picture_count(self) -> int:
        """How many pictures the job makes."""
        return self.batch_size * self.batch_count
