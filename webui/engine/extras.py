"""Work on a finished picture without painting: it is enlarged, by one or two upscalers."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Final

from PIL import Image

from webui.core.engine import Work
from webui.core.events import EngineEvent, Progress
from webui.core.recipe import Recipe
from webui.core.request import Extras
from webui.engine.extras_fit import cropped, enlarged_size, open_source
from webui.engine.upscale import enlarge

if TYPE_CHECKING:
    from webui.engine.pipeline_manager import PipelineManager
    from webui.upscalers import Upscalers

PARTS: Final = 100
"""Into how many steps the progress is divided."""


def work_on(
    recipe: Recipe, extras: Extras, work: Work, manager: PipelineManager, upscalers: Upscalers
) -> Generator[EngineEvent, None, Image.Image]:
    """The worked-on picture, RGB. Raises InvalidRequest, ModelUnreadable."""
    source = open_source(extras, work.inputs)
    size = enlarged_size(source.size, recipe, extras)
    wanted = [("extras.upscaler", extras.upscaler)]
    if extras.second_upscaler is not None and extras.second_visibility:
        wanted.append(("extras.second_upscaler", extras.second_upscaler))
    pictures: list[Image.Image] = []

    def report(done: float, note: str) -> Progress:
        step = round(PARTS * (len(pictures) + done) / len(wanted))
        return Progress(step=step, steps=PARTS, note=note)

    yield report(0, "")
    for field, upscaler in wanted:
        larger = enlarge(source, upscaler, size, work, manager, report, upscalers, field)
        pictures.append((yield from larger))
    first, *others = pictures
    for other in others:
        first = Image.blend(first, other, extras.second_visibility)
    yield report(0, "")
    return cropped(first, recipe, extras)
