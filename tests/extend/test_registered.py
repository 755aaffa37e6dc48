"""What extensions add to a running studio: samplers and the like, axes, a word with the queue."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from tests.conftest import finished, until
from tests.extend.conftest import Workshop, on
from webui.core.errors import InvalidRequest
from webui.core.job import JobState
from webui.core.request import Extras, GenerationRequest, Hires, InputId, Sampling
from webui.extend.registered import Tab
from webui.plans.plan import PlanRequest
from webui.studio import Studio

PARTS = """
from webui.schedules.schedule import Schedule
from webui.upscalers import Upscaler
from PIL import Image
def sample(denoise, x, run):
    yield Step(index=0, x=x, denoised=x)
@hook
def register_samplers(register):
    register(Sampler(id="slow", label="Slow walk", sample=sample, aliases=("sw",)))
@hook
def register_schedules(register):
    register(Schedule(id="lazy", label="Lazy", sigmas=lambda spacing: (1.0, 0.0)))
@hook
def register_upscalers(register):
    register(Upscaler(id="dots", label="Dots", filter=Image.Resampling.BOX))
"""
CAT = GenerationRequest(prompt="a cat", seed=7)
SLOW = replace(CAT, sampling=Sampling(sampler="Slow walk", schedule="lazy"))


def test_parts_come_and_go_with_their_extension(workshop: Workshop) -> None:
    workshop.write("parts", PARTS)
    studio = workshop.studio()
    with pytest.raises(InvalidRequest, match="no sampler “Slow walk”"):
        studio.resolve(SLOW)
    on(studio.extensions.enable("parts"))
    recipe = studio.resolve(SLOW)
    assert (recipe.sampler, recipe.schedule) == ("slow", "lazy")
    assert "Sampler: Slow walk, Schedule type: Lazy" in studio.infotext(recipe)
    assert studio.read_text(studio.infotext(recipe)).request.sampling.sampler == "slow"
    assert studio.resolve(replace(CAT, hires=Hires(upscaler="dots"))).hires is not None
    (used,) = studio.extensions.used_in_engine(recipe)
    assert (used.id, used.file.name, used.inputs) == ("parts", "__init__.py", {"enabled": False})
    assert studio.extensions.used_in_engine(studio.resolve(CAT)) == ()

    studio.extensions.disable("parts")
    for request, field in (
        (SLOW, "sampling.sampler"),
        (replace(CAT, sampling=Sampling(schedule="Lazy")), "sampling.schedule"),
        (replace(CAT, hires=Hires(upscaler="dots")), "hires.upscaler"),
    ):
        with pytest.raises(InvalidRequest, match="It belongs to the extension “Parts”, which") as e:
            studio.resolve(request)
        assert e.value.field == field
    assert "slow" not in studio.samplers


def test_whose_a_sampler_was_is_known_after_a_restart(workshop: Workshop) -> None:
    workshop.write("parts", PARTS)
    workshop.studio("parts").extensions.disable("parts")
    workshop.close()
    with pytest.raises(InvalidRequest, match="It belongs to the extension “Parts”"):
        workshop.studio().resolve(SLOW)


def test_an_id_that_is_taken_is_refused_and_booked(workshop: Workshop) -> None:
    code = PARTS.replace('id="slow"', 'id="euler"')
    workshop.write("parts", code)
    studio = workshop.studio("parts")
    assert studio.samplers["euler"].label == "Euler"
    (failure,) = studio.extensions.get("parts").failures
    assert failure.hook == "register_samplers"
    assert "“euler” is taken already" in failure.message
    assert "lazy" in studio.schedules


def test_what_is_no_part_is_refused(workshop: Workshop) -> None:
    code = """
    @hook
    def register_samplers(register):
        register("euler")
    @hook
    def register_tabs(register):
        register(Tab(title="Mine", build=print))
    """
    workshop.write("parts", code)
    extensions = workshop.enabled("parts")
    assert [(id, tab.title) for id, tab in extensions.tabs()] == [("parts", "Mine")]
    assert extensions.samplers() == ()
    (failure,) = extensions.get("parts").failures
    assert failure.message == "TypeError: register takes a Sampler, not a str"


def test_all_kinds_of_parts_are_given_out(workshop: Workshop) -> None:
    code = """
    from types import SimpleNamespace
    @hook
    def register_tabs(register, ctx):
        register(Tab(title=ctx.extension, build=print))
    @hook
    def ui_attach(register):
        register(Attachment(anchor="txt2img_prompt", build=print))
    @hook
    def api_routes(register):
        register(Routes(router=None, role=Role.ARTIST))
    @hook
    def register_preprocessors(register):
        register(Preprocessor(id="edges", label="Edges", run=lambda image, values: image))
    """
    workshop.write("parts", code)
    extensions = workshop.enabled("parts")
    found = (
        extensions.tabs(),
        extensions.attachments(),
        extensions.routers(),
        extensions.preprocessors(),
    )
    assert [parts[0][0] for parts in found] == ["parts"] * 4
    assert isinstance(extensions.tabs()[0][1], Tab)
    assert extensions.get("parts").registered == {
        "tab": ("parts",),
        "ui_attach": ("txt2img_prompt",),
        "api_route": ("Routes",),
        "preprocessor": ("Edges",),
    }


AXES = """
INPUTS = [
    Toggle("enabled", "Grain"),
    Slider("strength", "Strength", 0.2),
    Choice("kind", "Kind", "fine", choices=["fine", "coarse"]),
]
@hook
def image_post(item): ...
def twice(text):
    return int(text) * 2
def widen(request, value):
    return replace(request, width=value)
@hook
def xyz_axes(register):
    register(Axis(label="Twice as wide", apply=widen, read=twice))
"""


@pytest.fixture
def plots(workshop: Workshop) -> Studio:
    """A studio with axes of an extension."""
    workshop.write("grain", AXES)
    return workshop.studio("grain")


def plot(studio: Studio, *axes: tuple[str, str], **values: object) -> list[object]:
    """What varied, of each picture of a plot."""
    sides = {
        letter: {"axis": axis, "values": text}
        for letter, (axis, text) in zip("xyz", axes, strict=False)
    }
    request = replace(CAT, extensions={"grain": {"enabled": True, **values}})
    asked = PlanRequest(kind="xyz", request=request, options=sides)
    plan = studio.plans.begin(asked)
    done = until(lambda: (now := studio.plans.get(plan.id)).is_settled and now)
    assert studio.plans.counts(done.id).failed == 0
    return [line.width for line in studio.plans.manifest(done.id)] + [
        studio.gallery.get(line.picture_id).recipe.extensions["grain"]["strength"]
        for line in studio.plans.manifest(done.id)
    ]


def test_inputs_and_own_axes_make_plots(plots: Studio) -> None:
    labels = {axis.id: axis.label for axis in plots.plans.axes()}
    assert labels["extensions.grain.kind"] == "[Grain] Kind"
    axes = (("extensions.grain.strength", "0.2, 0.9"), ("extensions.grain:twice_as_wide", "64,128"))
    assert sorted(map(str, plot(plots, *axes))) == sorted(
        map(str, [128, 128, 256, 256, 0.2, 0.9, 0.2, 0.9])
    )


@pytest.mark.parametrize(
    ("axis", "values", "said"),
    [
        ("extensions.grain.strength", "0.2, 7", "X axis, [Grain] Strength “7”"),
        ("extensions.grain.kind", "fine, blue", "Choose one of: fine, coarse"),
        ("extensions.grain.enabled", "true, maybe", "“maybe” is not one of true, false"),
        ("extensions.grain:twice_as_wide", "64, wide", "“Twice as wide” of “Grain” failed"),
        ("extensions.gone.strength", "1", "Its extension is not on: switch it on"),
    ],
)
def test_values_of_axes_are_checked_before_anything_is_made(
    plots: Studio, axis: str, values: str, said: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        plot(plots, (axis, values))
    assert said in refused.value.message


def test_an_axis_of_who_is_off_in_the_request_says_so(plots: Studio) -> None:
    with pytest.raises(InvalidRequest, match="Grain is switched off for this picture"):
        plot(plots, ("extensions.grain.strength", "0.2"), enabled=False)


def test_a_family_recognises_models_while_it_is_there(workshop: Workshop) -> None:
    code = """
    from webui.core.model import Defaults, Detected
    class Toy:
        id = "toy"
        label = "Toy"
        latents = "sd"
        def detect(self, header, metadata):
            return Detected() if "toy.weight" in header else None
        def detect_folder(self, model_index, folder):
            return None
        def defaults(self, model):
            return Defaults(width=64, height=64, steps=2, guidance_scale=1.0, sampler="euler")
        def load(self, path, placement, parts=None):
            raise NotImplementedError
    @hook
    def register_families(register):
        register(Toy())
    """
    workshop.write("toys", code)
    models = workshop.root / "models"
    models.mkdir()
    header = b'{"toy.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    data = len(header).to_bytes(8, "little") + header + b"\0" * 4
    (models / "toy.safetensors").write_bytes(data)
    studio = workshop.studio()
    assert all(model.family != "toy" for model in studio.catalog.models())
    on(studio.extensions.enable("toys"))

    def toy() -> bool:
        return any(model.family == "toy" for model in studio.catalog.models())

    until(toy)
    recipe = studio.resolve(replace(CAT, checkpoint="toy.safetensors"))
    assert (recipe.width, recipe.model.family) == (64, "toy")
    assert [used.id for used in studio.extensions.used_in_engine(recipe)] == ["toys"]
    studio.extensions.disable("toys")
    until(lambda: not toy())


def test_extensions_hear_of_the_model_that_is_loaded(workshop: Workshop) -> None:
    code = """
    @hook
    def model_loaded(model, ctx):
        (ctx.data / "loaded").write_text(model.id)
    """
    workshop.write("one", code)
    studio = workshop.studio("one")
    job = finished(studio, studio.submit(CAT).id)
    assert job.state is JobState.DONE
    told = studio.extensions.data("one") / "loaded"
    until(told.exists)
    assert until(told.read_text) == job.recipe.model.id


def test_an_upscaler_works_on_finished_pictures(workshop: Workshop) -> None:
    workshop.write("parts", PARTS)
    studio = workshop.studio("parts")
    image = InputId(studio.inputs.add_image(Image.new("RGB", (64, 64), "red"), "local"))  # type: ignore[arg-type]
    extras = Extras(image=image, upscaler="Dots", scale=2.0)
    recipe = studio.resolve(GenerationRequest(extras=extras))
    assert recipe.extras is not None
    assert recipe.extras.upscaler == "dots"
