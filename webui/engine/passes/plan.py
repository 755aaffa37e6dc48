"""Which passes a recipe takes, each with all that differs between them. Data only, no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from webui.core.engine import Work
from webui.core.errors import InvalidRequest
from webui.core.model import ModelInfo, ModelKind
from webui.core.recipe import Recipe
from webui.engine.hires_size import hires_size

EDITING: Final = frozenset(
    {
        *(("flux", variant) for variant in ("kontext", "control", "depth")),
        *(("qwen", variant) for variant in ("edit", "edit-plus", "edit-2511")),
    }
)
"""Families and variants of models that change a picture by looking at it, or draw after one."""
LOOKING: Final = frozenset({"flux2", *(family for family, _ in EDITING)})
"""Families whose networks may be shown a picture, as large as the one that they make."""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One way from noise to latents. `recipe` says what this pass does: of a second pass it holds
    its own size, steps, sampler and prompts. Its seed is that of one of the pictures."""

    recipe: Recipe
    model: ModelInfo
    denoising_strength: float | None = None
    """None: from noise alone."""
    has_exact_steps: bool = False
    """All steps are run, whatever the strength."""
    before: Pass | None = None
    """The pass whose result this one enlarges and refines; None for a first pass."""
    refiner: ModelInfo | None = None
    """Takes over for the last part of this pass."""

    @property
    def is_hires(self) -> bool:
        """Whether it is a second pass."""
        return self.before is not None


def passes_of(recipe: Recipe, work: Work) -> tuple[Pass, ...]:
    """The passes of a picture, in order. Raises InvalidRequest."""
    refiner = _refiner(recipe, work)
    source = recipe.source
    base = Pass(
        recipe=recipe,
        model=work.model,
        denoising_strength=_strength(recipe, work.model),
        has_exact_steps=source is not None and source.exact_steps,
        refiner=refiner,
    )
    if recipe.hires is None:
        return (base,)
    if source is not None:
        raise InvalidRequest(
            "hires", "A second pass goes with a picture made from words alone. Switch hires off."
        )
    # with two passes the refiner finishes the second, as A1111 does unless told otherwise
    first = replace(base, refiner=None)
    return first, _hires_pass(first, work, refiner)


def _strength(recipe: Recipe, model: ModelInfo) -> float | None:
    """How much of the source is painted over. Models that look at it beside what they paint begin
    with noise alone, but where a mask keeps a part of it."""
    if recipe.source is None:
        return None
    is_whole = recipe.mask is None and recipe.outpaint is None
    is_editing = (model.family, model.variant) in EDITING
    return None if is_whole and is_editing else recipe.source.denoising_strength


def batch_key(passes: tuple[Pass, ...], work: Work) -> str:
    """The same for batches that need the same memory."""
    return f"{len(work.recipes)} of {', '.join(map(_size, passes))}"


def _size(this: Pass) -> str:
    recipe, family = this.recipe, this.model.family
    is_shown = recipe.source is not None and family in LOOKING
    return f"{family} {recipe.width}x{recipe.height}{' beside a picture' if is_shown else ''}"


def models_of(passes: tuple[Pass, ...]) -> tuple[ModelInfo, ...]:
    """The checkpoints that passes need, each once, the first pass's first."""
    wanted = [model for each in passes for model in (each.model, each.refiner) if model]
    return tuple({model.path: model for model in wanted}.values())


def _hires_pass(first: Pass, work: Work, refiner: ModelInfo | None) -> Pass:
    recipe = first.recipe
    hires = recipe.hires
    assert hires is not None
    size = hires_size(recipe.width, recipe.height, hires)
    own = replace(
        recipe,
        width=size.width,
        height=size.height,
        steps=hires.steps or recipe.steps,
        sampler=hires.sampler or recipe.sampler,
        schedule=hires.schedule or recipe.schedule,
        guidance_scale=hires.guidance_scale or recipe.guidance_scale,
        prompt=hires.prompt or recipe.prompt,
        negative_prompt=hires.negative_prompt or recipe.negative_prompt,
    )
    model = work.model
    if hires.checkpoint is not None:
        model = work.file(ModelKind.CHECKPOINT, hires.checkpoint, "hires.checkpoint")
    return Pass(
        recipe=own,
        model=model,
        denoising_strength=hires.denoising_strength,
        has_exact_steps=True,
        before=first,
        refiner=refiner,
    )


def _refiner(recipe: Recipe, work: Work) -> ModelInfo | None:
    if recipe.refiner is None:
        return None
    return work.file(ModelKind.CHECKPOINT, recipe.refiner.checkpoint, "refiner.checkpoint")
