"""Jobs that run through scripts written for AUTOMATIC1111, in the engine's process."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from PIL import Image

from webui.compat import loading
from webui.compat.asking import (
    Origin,
    Pictures,
    Surroundings,
    merged,
    requests_of,
    translated,
)
from webui.compat.bridge import Bridge, Made, Order
from webui.compat.headless import default_of, finishing_of, parts_of, runner_of
from webui.compat.page.axes import values_of
from webui.compat.parts import input_ids
from webui.compat.populate import Names, job_of
from webui.compat.singles import singles_of
from webui.compat.told import told_in
from webui.compat.values import unpacked
from webui.core.engine import Legacy, Work
from webui.core.errors import EngineDied, OutOfMemory
from webui.core.events import Called, ImageReady
from webui.core.recipe import Recipe
from webui.core.request import Extras, GenerationRequest
from webui.engine.asking import Events, Paint
from webui.extend.manifest import id_from
from webui.imaging.infotext import IN_TEXT
from webui.samplers import load_samplers
from webui.schedules import load_schedules
from webui.upscalers import load_upscalers

log = logging.getLogger(__name__)

PASSING: Final = (OutOfMemory, EngineDied)
"""What scripts must not hold up."""
CHECKPOINT: Final = "sd_model_checkpoint"


def run(work: Work, paint: Paint) -> Events:
    """The events of a job that its scripts make. What they want painted is asked for."""
    assert work.legacy is not None
    bridge = Bridge(paint, _state)
    yield from bridge.events(lambda: LegacyJob(work, work.legacy, bridge).run())


def _state() -> Any:
    return importlib.import_module("modules.shared").state


@dataclass(frozen=True, kw_only=True)
class Known:
    """Where a picture came from: as it was painted, before hooks, and its place in the job."""

    image: Image.Image
    """Held, so that its identity stays its own."""
    made: Made
    p: Any
    index: int
    is_step: bool
    """It was painted over another picture than the job's own: a step on the way of a script, whose
    settings make it again, not its own."""


class LegacyJob:
    """One job. Scripts' `process_images` finds it as `modules.gesso.side.job`."""

    def __init__(self, work: Work, legacy: Legacy | None, bridge: Bridge) -> None:
        assert legacy is not None
        self._work: Final = work
        self._legacy: Final = legacy
        self._bridge: Final = bridge
        self._names: Final = _names(legacy)
        self._known: Final[dict[int, Known]] = {}
        self._given: Final[set[int]] = set()
        self._origin = Origin(request=_plain(legacy.request))
        self._seconds: Final[dict[tuple[str, str], float]] = {}
        self._own: list[Any] = []
        """The job's own pictures."""
        self._regular = 0
        self._extra = 0

    def run(self) -> None:
        """Load, make, hand out. In the scripts' thread."""
        self._load()
        side = importlib.import_module("modules.gesso").side
        shared = importlib.import_module("modules.shared")
        side.passing = PASSING
        side.model = self._work.model
        side.job = self
        side.engine = self._engine()
        side.heard.append(self._hear)
        self._set_options(shared)
        shared.state.begin("task")
        try:
            self._make(shared)
            self._tell_seconds()
        finally:
            side.heard.remove(self._hear)
            side.job = side.engine = None
            shared.state.end()

    def painted(self, p: Any) -> list[Made]:
        """The pictures of the batch that a job's object describes now."""
        self._bridge.check()
        around, pictures = self._around(), Pictures()
        origin = getattr(p, "gesso_origin", None) or self._origin
        hooks = importlib.import_module("webui.compat.sampling").participants(p)
        request = merged(origin, translated(p, around, pictures))
        requests = requests_of(request, p, singles_of(p), pictures)
        return self._bridge.paint(Order(requests=requests, pictures=pictures.files, others=hooks))

    def enlarged(self, image: Image.Image, upscaler: str, scale: float) -> Image.Image:
        """A picture so many times as large, by one of the studio's upscalers."""
        pictures = Pictures()
        extras = Extras(image=pictures.keep(image), upscaler=upscaler, scale=max(1.0, scale))
        request = GenerationRequest(extras=extras, is_settled=True)
        (made,) = self._bridge.paint(Order(requests=[request], pictures=pictures.files))
        return made.image

    def settle(self, p: Any) -> None:
        """Take back what scripts did to the prompts of a picture that is made again: they did it
        when it was first made."""
        origin = getattr(p, "gesso_origin", None)
        if origin is not None and origin.is_settled:
            count = len(p.all_prompts)
            p.all_prompts = [self._legacy.request.prompt] * count
            p.all_negative_prompts = [self._legacy.request.negative_prompt] * count

    def know(self, p: Any, image: Image.Image, made: Made, index: int) -> None:
        """Remember where a picture of `process_images` came from; hand it out if it is one of the
        pictures asked for, and nothing will change it any more."""
        is_step = self._paints_over_another(p)
        self._known[id(image)] = Known(image=image, made=made, p=p, index=index, is_step=is_step)
        if getattr(p, "gesso_is_direct", False):
            self._give(image)

    def _engine(self) -> Any:
        """What scripts see of the engine's models; None where it has no real ones, and no torch."""
        if "torch" not in sys.modules:
            return None
        side = importlib.import_module("webui.compat.engine_side")
        return side.open_engine(self._bridge.painter, self._work)

    def _paints_over_another(self, p: Any) -> bool:
        given = [getattr(p, "image_mask", None), *(getattr(p, "init_images", None) or ())]
        own = {id(picture) for picture in self._own}
        return any(picture is not None and id(picture) not in own for picture in given)

    def _load(self) -> None:
        folders = {id_from(_name(folder)): folder for folder in self._legacy.folders}
        errors = loading.load(folders, told_in(self._legacy.options))
        for id, error in errors.items():
            self._bridge.tell(_called(id, "load", 0.0, error))

    def _set_options(self, shared: Any) -> None:
        shared.opts.data |= told_in(self._legacy.options)["options"]
        request, model = self._legacy.request, self._work.model
        shared.opts.data[CHECKPOINT] = self._names.checkpoints.get(model.id, model.id)
        shared.opts.data["CLIP_stop_at_last_layers"] = self._work.recipes[0].clip_skip
        shared.opts.data["sd_vae"] = request.vae or "Automatic"

    def _make(self, shared: Any) -> None:
        if self._legacy.request.extras is not None:
            self._finish_pictures()
            return
        p = self._job()
        runner, parts = p.scripts, parts_of(p.scripts)
        chosen = parts.get(self._legacy.script or "")
        p.gesso_origin = self._origin = replace(
            self._origin,
            before=translated(p, self._around(), Pictures()),
            is_settled=self._legacy.request.is_settled and chosen is None,
        )
        self._set_axes(p)
        scripts: Any = importlib.import_module("modules.scripts")
        scripts.scripts_current = runner
        processed = None
        if chosen is not None:
            processed = self._run_script(chosen, p)
        if processed is None:
            processing = importlib.import_module("modules.processing")
            p.gesso_is_direct = not runner.ordered_scripts("postprocess")
            processed = processing.process_images(p)
        self._give_all(processed)

    def _set_axes(self, p: Any) -> None:
        """What a plot wants of axes that extensions added."""
        values = values_of(self._legacy.inputs)
        if not values:
            return
        grid = importlib.import_module("scripts.xyz_grid")
        calls = importlib.import_module("modules.gesso_calls")
        for extension, own in values.items():
            calls.guarded(extension, "axes", grid.__file__, grid.set_axes, p, extension, own)

    def _finish_pictures(self) -> None:
        """Extras: the program enlarges, then come the scripts for finished pictures."""
        runner = finishing_of()
        finishing = importlib.import_module("modules.gesso_finishing")
        arguments = self._arguments(runner)
        for made in self._bridge.paint(Order(requests=[self._origin.request])):
            pp = finishing.finished(runner, made.image, arguments)
            facts = dict(made.facts) | {IN_TEXT + str(k): str(v) for k, v in pp.info.items()}
            self._give_finished(pp.image, made, facts, is_extra=False)
            for extra in pp.extra_images:
                self._give_finished(extra.image, made, facts, is_extra=True)

    def _give_finished(
        self, image: Image.Image, made: Made, facts: Mapping[str, str], *, is_extra: bool
    ) -> None:
        index = self._extra if is_extra else self._regular
        if is_extra:
            self._extra += 1
        else:
            self._regular += 1
        recipe = self._work.recipes[min(index, len(self._work.recipes) - 1)]
        ready = ImageReady(
            index=index, image=image.convert("RGB"), facts=facts, recipe=recipe, is_extra=is_extra
        )
        self._bridge.tell(ready)

    def _run_script(self, script: Any, p: Any) -> Any:
        """What the chosen script makes; None when it raises, or leaves the job to the program."""
        calls = importlib.import_module("modules.gesso_calls")
        arguments = p.script_args[script.args_from : script.args_to]
        return calls.guarded(
            script.extension, "run", script.filename, lambda: _checked(script.run(p, *arguments))
        )

    def _job(self) -> Any:
        request = self._legacy.request
        runner = runner_of(is_img2img=request.source is not None)
        p = job_of(self._work, self._legacy, self._names)
        self._own = [*(getattr(p, "init_images", None) or ()), getattr(p, "image_mask", None)]
        p.script_args = self._arguments(runner)
        p.scripts = runner
        return p

    def _arguments(self, runner: Any) -> list[Any]:
        """The values of all controls in one list; the first is the place of the chosen script."""
        arguments = [0, *(default_of(control) for control in runner.inputs[1:])]
        for id, script in parts_of(runner).items():
            if id == self._legacy.script and script in runner.selectable_scripts:
                arguments[0] = runner.selectable_scripts.index(script) + 1
            given = self._legacy.inputs.get(id, {})
            for place, name in enumerate(input_ids(script.controls or ())):
                if name in given:
                    value = unpacked(given[name], self._work.inputs)
                    arguments[script.args_from + place] = value
        return arguments

    def _around(self) -> Surroundings:
        options = importlib.import_module("modules.shared").opts.data
        titles = {title: id for id, title in self._names.checkpoints.items()}
        return Surroundings(options=options, checkpoints=titles)

    def _hear(self, call: Any) -> None:
        """Tell at once of a call that failed; the seconds of the others are added up."""
        if not call.extension:
            return
        if call.error:
            self._bridge.tell(_called(call.extension, call.hook, call.seconds, call.error))
        else:
            key = (call.extension, call.hook)
            self._seconds[key] = self._seconds.get(key, 0.0) + call.seconds

    def _tell_seconds(self) -> None:
        for (extension, hook), seconds in self._seconds.items():
            self._bridge.tell(_called(extension, hook, seconds))

    def _give_all(self, processed: Any) -> None:
        """Hand out what is left of a job's pictures: grids behind those that were asked for."""
        first = processed.index_of_first_image
        for image in [*processed.images[first:], *processed.images[:first]]:
            if isinstance(image, Image.Image) and id(image) not in self._given:
                self._give(image, processed)

    def _give(self, image: Image.Image, processed: Any = None) -> None:
        self._given.add(id(image))
        known = self._known.get(id(image))
        count = self._legacy.request.picture_count
        is_extra = self._regular >= count
        index = self._extra if is_extra else self._regular
        if is_extra:
            self._extra += 1
        else:
            self._regular += 1
        recipe = self._recipe(known, processed, index)
        event = ImageReady(
            index=index,
            image=image.convert("RGB"),
            facts=_facts(known, processed),
            recipe=recipe,
            is_extra=is_extra,
        )
        self._bridge.tell(event)

    def _recipe(self, known: Known | None, processed: Any, index: int) -> Recipe:
        """How a picture was really made: as it was painted, or by the script as a whole."""
        whole = self._work.recipes[min(index, len(self._work.recipes) - 1)]
        if known is None or (known.is_step and self._legacy.script is not None):
            return whole
        values = dict(whole.extensions)
        if self._legacy.script is not None:
            values.pop(self._legacy.script, None)
        made, typed = known.made.recipe, self._legacy.request
        return replace(
            made,
            extensions=values,
            script=None,
            template=_template(typed.prompt, made.prompt, whole.template),
            negative_template=_template(
                typed.negative_prompt, made.negative_prompt, whole.negative_template
            ),
        )


def _checked(processed: Any) -> Any:
    """What a script gave; None leaves the job to the program. Raises TypeError for what holds no
    pictures."""
    images = getattr(processed, "images", ())
    if not isinstance(images, list | tuple):
        raise TypeError(f"gave a Processed whose images are a {type(images).__name__}, no list")
    return processed


def _called(extension: str, hook: str, seconds: float, error: str = "") -> Called:
    return Called(extension=extension, hook=hook, seconds=seconds, error=error)


def _template(typed: str, painted: str, known: str) -> str:
    """The prompt as it was typed, where the painted one is another."""
    return known or (typed if typed != painted else "")


def _facts(known: Known | None, processed: Any) -> Mapping[str, str]:
    """The engine's facts, and what scripts want to stand in the picture's text."""
    infotext = importlib.import_module("modules.gesso_infotext")
    if known is not None:
        p, size = known.p, max(1, known.p.batch_size)
        extras = infotext.extras_of(p, known.index // size, known.index % size)
        facts = dict(known.made.facts)
    else:
        extras, facts = dict(processed.extra_generation_params or {}), {}
        extras = {key: value for key, value in extras.items() if not callable(value)}
    return facts | {IN_TEXT + str(key): str(value) for key, value in extras.items()}


def _plain(request: GenerationRequest) -> GenerationRequest:
    """A request without the scripts' part: what the engine is asked goes past them."""
    native = {id: values for id, values in request.extensions.items() if "/" not in id}
    return replace(request, extensions=native, script=None, styles=())


def _name(folder: Any) -> str:
    return str(folder.stem if folder.suffix == ".py" else folder.name)


def _names(legacy: Legacy) -> Names:
    told = told_in(legacy.options)
    files = {each["id"]: each["name"] for each in told.get("upscalers", ())}
    return Names(
        samplers=_labels(load_samplers()),
        schedules=_labels(load_schedules()),
        upscalers={**_labels(load_upscalers()), **files},
        checkpoints={each["id"]: _title(each) for each in told.get("checkpoints", ())},
    )


def _labels(parts: Any) -> Mapping[str, str]:
    return MappingProxyType({part.id: part.label for part in parts})


def _title(model: Mapping[str, Any]) -> str:
    return f"{model['id']} [{model['short']}]" if model.get("short") else str(model["id"])
