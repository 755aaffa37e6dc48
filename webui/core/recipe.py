"""The full record of one picture: every blank of the request filled. It is written into the file.

Recipe -> request is lossless, so "make it again" is one call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from webui.core.model import ModelKind
from webui.core.request import (
    ClipSkip,
    DistilledGuidance,
    Emphasis,
    Extras,
    GenerationRequest,
    Guidance,
    GuidanceScale,
    Hires,
    Mask,
    Mode,
    Noise,
    Outpaint,
    Prompt,
    Refiner,
    ResultSide,
    SamplerParameters,
    Sampling,
    Seed,
    Source,
    StepCache,
    Steps,
    Tiling,
)


@dataclass(frozen=True, kw_only=True)
class ModelRef:
    """Which model made a picture. `hash` is the sha256 of its weights, 64 hex digits."""

    id: str
    name: str
    family: str
    hash: str

    @property
    def short_hash(self) -> str:
        """A1111's "Model hash": the first ten digits."""
        return self.hash[:10]


@dataclass(frozen=True, kw_only=True)
class FileRef:
    """A model file that a picture needs beside its checkpoint: a LoRA, a VAE, an upscaler.

    `ref` is what the recipe calls it: the name in a prompt, or the id in `vae`, `refiner`,
    `hires`. `hash` is the sha256 of the file, `short_hash` the one that A1111 writes.
    """

    kind: ModelKind
    ref: str
    id: str
    name: str
    hash: str
    short_hash: str


@dataclass(frozen=True, kw_only=True)
class PromptPair:
    """The two prompts of one picture, wildcards and styles filled in."""

    prompt: Prompt
    negative_prompt: Prompt


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one picture is made, complete: run it again and the same pixels come out (on a CPU)."""

    prompt: Prompt
    negative_prompt: Prompt
    model: ModelRef
    width: ResultSide
    """Of the first pass; of the whole result in a job of extras."""
    height: ResultSide
    seed: Seed
    sampler: str
    schedule: str
    steps: Steps
    guidance_scale: GuidanceScale
    clip_skip: ClipSkip
    distilled_guidance: DistilledGuidance | None = None
    """None for models that know no such thing."""
    parameters: SamplerParameters = field(default_factory=SamplerParameters)
    template: Prompt = ""
    """The prompt as it was typed, when styles or wildcards changed it."""
    negative_template: Prompt = ""
    prompts: tuple[PromptPair, ...] = ()
    """Of a job's pictures, when wildcards make them differ. Empty in the recipe of one picture."""
    emphasis: Emphasis = Emphasis.ORIGINAL
    vae: str | None = None
    text_encoders: tuple[str, ...] = ()
    """Ids of those that were asked for."""
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
    files: tuple[FileRef, ...] = ()
    extensions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Values of the inputs of the extensions that took part, by id."""
    script: str | None = None
    """The extension that took the job over."""
    version: str
    """The Gesso version that made it."""

    @property
    def mode(self) -> Mode:
        """Which kind of job made it."""
        return self.request().mode

    def request(self) -> GenerationRequest:
        """The request that makes this picture again, alone."""
        return GenerationRequest(
            prompt=self.prompt,
            negative_prompt=self.negative_prompt,
            checkpoint=self.model.id or None,
            width=None if self.extras else self.width,
            height=None if self.extras else self.height,
            seed=self.seed,
            sampling=Sampling(
                sampler=self.sampler,
                schedule=self.schedule,
                steps=self.steps,
                guidance_scale=self.guidance_scale,
                clip_skip=self.clip_skip,
                distilled_guidance=self.distilled_guidance,
                parameters=self.parameters,
            ),
            emphasis=self.emphasis,
            vae=self.vae,
            text_encoders=self.text_encoders,
            noise=self.noise,
            guidance=self.guidance,
            tiling=self.tiling,
            step_cache=self.step_cache,
            hires=self.hires,
            refiner=self.refiner,
            source=self.source,
            mask=self.mask,
            outpaint=self.outpaint,
            extras=self.extras,
            extensions=self.extensions,
            script=self.script,
            is_settled=bool(self.extensions or self.script),
        )

    def at(self, index: int) -> Recipe:
        """The recipe of picture `index` of a job whose first picture has this recipe.

        With a variation strength all pictures share the seed and the variation seed counts up.
        """
        words = self.prompts[index % len(self.prompts)] if self.prompts else self
        own = replace(self, prompts=(), prompt=words.prompt, negative_prompt=words.negative_prompt)
        if self.noise.variation_strength == 0:
            return replace(own, seed=(self.seed + index) % 2**32)
        first = self.noise.variation_seed or 0
        return replace(own, noise=replace(self.noise, variation_seed=(first + index) % 2**32))
