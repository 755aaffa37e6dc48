"""What the network of a pass is told: its prompts, by a model that has their networks applied."""

from __future__ import annotations

from functools import partial

from PIL import Image

from webui.core.engine import Work
from webui.core.model import ModelInfo, ModelKind
from webui.engine.conditioning import ConditioningPlan
from webui.engine.extensions.latents import text_editor
from webui.engine.passes.bench import Bench
from webui.engine.passes.plan import Pass
from webui.engine.patcher import NetworkUse
from webui.prompting.networks import network_tags


def tell(
    bench: Bench, this: Pass, model: ModelInfo, pictures: tuple[Image.Image, ...] = ()
) -> ConditioningPlan:
    """Makes the model that of the prompt's networks, whatever it had before, and encodes the
    prompts with it; `pictures` are what a text encoder with eyes is shown. Raises InvalidRequest
    and ModelUnreadable."""
    pipeline = bench.pipeline(model)
    uses = _uses(this, bench.work)
    if uses or pipeline.patcher.is_in_use:
        bench.bring_network(this, model)
        bench.bring_words(pipeline)
    if pipeline.patcher.apply(uses):
        pipeline.encoder.forget()
    recipe, calls_before = this.recipe, 0
    if this.before is not None:
        calls_before = this.before.recipe.steps * bench.sampler(this.before).calls_per_step
    plan = partial(
        pipeline.encoder.plan,
        recipe.prompt,
        recipe.negative_prompt,
        clip_skip=recipe.clip_skip,
        emphasis=recipe.emphasis,
        steps=recipe.steps,
        calls_per_step=bench.sampler(this).calls_per_step,
        is_guided=recipe.guidance_scale > 1,
        is_hires=this.is_hires,
        first_pass_steps=calls_before,
        embeddings={**pipeline.patcher.embeddings, **bench.embeddings},
        pictures=pictures if pipeline.architecture.has_eyes else (),
        begin=partial(bench.bring_words, pipeline),
        edit=text_editor(bench.calls),
    )
    return bench.thrift.whole(plan)


def _uses(this: Pass, work: Work) -> list[NetworkUse]:
    tags, _ = network_tags(this.recipe.prompt)
    return [
        NetworkUse(tag=tag, model=work.file(ModelKind.LORA, tag.name, "prompt")) for tag in tags
    ]
