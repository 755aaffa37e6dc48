"""The full record of one picture: every blank of the request filled. It is written into the file.

Recipe -> request is lossless, so "make it again" is one call.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from webui.core.request import (
    ClipSkip,
    GenerationRequest,
    Guidance,
    Mask,
    Mode,
    Prompt,
    Sampling,
    Seed,
    Side,
    Source,
    Steps,
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
class Recipe:
    """How one picture is made, complete: run it again and the same pixels come out (on a CPU)."""

    prompt: Prompt
    negative_prompt: Prompt
    model: ModelRef
    width: Side
    height: Side
    seed: Seed
    sampler: str
    schedule: str
    steps: Steps
    guidance_scale: Guidance
    clip_skip: ClipSkip
    source: Source | None = None
    mask: Mask | None = None
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
            checkpoint=self.model.id,
            width=self.width,
            height=self.height,
            seed=self.seed,
            sampling=Sampling(
                sampler=self.sampler,
                schedule=self.schedule,
                steps=self.steps,
                guidance_scale=self.guidance_scale,
                clip_skip=self.clip_skip,
            ),
            source=self.source,
            mask=self.mask,
        )

    def at(self, index: int) -> Recipe:
        """The recipe of picture `index` of a job whose first picture has this recipe."""
        return replace(self, seed=(self.seed + index) % 2**32)
