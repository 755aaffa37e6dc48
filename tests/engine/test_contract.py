"""What every engine owes its caller: the fake, the fake in a process, the real one, both ways.

One suite for all keeps the fake honest.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.engine.work import RECIPE, Generates, images, pixels, work
from webui.core.engine import UsedExtension, Work
from webui.core.errors import ExtensionFailed, InvalidRequest
from webui.core.events import Alive, Called, EngineEvent, ImageReady, Loading, Preview, Progress
from webui.core.request import (
    Extras,
    Hires,
    InputId,
    Mask,
    MaskArea,
    Noise,
    ResizeMode,
    Source,
)
from webui.engine.fake import FakeEngine
from webui.engine.process import EngineProcess
from webui.imaging.fit import fit
from webui.imaging.masks import fit_mask, overlay_alpha, prepare_mask

SOURCE = InputId("a" * 64)
MASK = InputId("b" * 64)
VAE_ERROR = 12.0
"""Mean difference of a picture from itself, encoded and decoded by the starter model (measured:
about 4 of 255 on this one); the fake has none."""


def in_process_fake() -> Iterator[Generates]:
    engine = FakeEngine()
    engine.start(lambda: None)
    yield engine
    engine.close()


def in_process_real() -> Iterator[Generates]:
    from webui.engine.local import create

    engine = create({"use_cpu": True, "threads": 1})
    engine.prepare()
    yield engine
    engine.close()


def process(factory: str, options: dict[str, object]) -> Iterator[Generates]:
    engine = EngineProcess("test", factory, options)
    engine.start(lambda: None)
    yield engine
    engine.close()


@pytest.fixture(
    scope="module",
    params=[
        "fake",
        "fake process",
        pytest.param("real", marks=pytest.mark.torch),
        pytest.param("real process", marks=pytest.mark.torch),
    ],
)
def engine(request: pytest.FixtureRequest) -> Iterator[Generates]:
    match request.param:
        case "fake":
            yield from in_process_fake()
        case "fake process":
            yield from process("webui.engine.fake:create", {})
        case "real":
            yield from in_process_real()
        case _:
            yield from process("webui.engine.local:create", {"use_cpu": True, "threads": 1})


@pytest.fixture
def inputs(tmp_path: Path) -> dict[InputId, Path]:
    """A picture of 96 x 128 in soft colours, and a mask with a white disc in it."""
    y, x = np.mgrid[0:128, 0:96]
    soft = np.stack([x * 2, y, 255 - x], axis=-1).astype(np.uint8)
    Image.fromarray(soft).save(tmp_path / "source.png")
    mask = Image.new("L", (96, 128))
    ImageDraw.Draw(mask).ellipse((30, 40, 60, 80), fill=255)
    mask.save(tmp_path / "mask.png")
    return {SOURCE: tmp_path / "source.png", MASK: tmp_path / "mask.png"}


def source(inputs: dict[InputId, Path]) -> Image.Image:
    return Image.open(inputs[SOURCE]).convert("RGB")


def told(events: list[EngineEvent], kind: type) -> list[EngineEvent]:
    return [event for event in events if isinstance(event, kind)]


def test_a_batch_reports_each_step_and_ends_with_its_last_picture(engine: Generates) -> None:
    events = list(engine.generate(work(pictures=2)))
    steps = [event.step for event in told(events, Progress) if isinstance(event, Progress)]
    assert steps == list(range(len(steps)))
    totals = {event.steps for event in events if isinstance(event, Progress)}
    assert totals == {steps[-1]}
    assert isinstance(events[-1], ImageReady)
    ready = [event for event in events if isinstance(event, ImageReady)]
    assert sorted(event.index for event in ready) == [0, 1]
    for event in ready:
        assert (event.image.mode, event.image.size) == ("RGB", (128, 64))
        assert event.facts["device"]


def test_the_model_is_loaded_once(engine: Generates) -> None:
    list(engine.generate(work()))
    assert told(list(engine.generate(work())), Loading) == []


def test_the_same_recipe_gives_the_same_pixels(engine: Generates) -> None:
    (first,), (second,) = images(engine, work()), images(engine, work())
    assert first.tobytes() == second.tobytes()


def test_a_picture_is_the_same_alone_and_in_a_batch(engine: Generates) -> None:
    batch = images(engine, work(pictures=3))
    alone = [images(engine, work(RECIPE.at(index)))[0] for index in range(3)]
    assert [image.tobytes() for image in batch] == [image.tobytes() for image in alone]
    assert len({image.tobytes() for image in batch}) == 3


@pytest.mark.parametrize(
    "change", [{"prompt": "a blue house"}, {"negative_prompt": "red"}, {"seed": 8}, {"steps": 5}]
)
def test_each_part_of_the_recipe_counts(engine: Generates, change: dict[str, object]) -> None:
    (one,), (other,) = images(engine, work()), images(engine, work(replace(RECIPE, **change)))
    assert one.tobytes() != other.tobytes()


def test_previews_are_small_jpegs(engine: Generates) -> None:
    events = list(engine.generate(work(steps=8, preview_every_s=0.001)))
    previews = [event for event in events if isinstance(event, Preview)]
    assert previews
    picture = Image.open(io.BytesIO(previews[-1].jpeg))
    assert picture.format == "JPEG"
    assert picture.width * 64 == picture.height * 128
    assert picture.width <= 128


def test_no_previews_when_nobody_wants_them(engine: Generates) -> None:
    assert told(list(engine.generate(work(preview_every_s=0))), Preview) == []


@pytest.mark.parametrize("heard", [1, 2, 4])
def test_closing_ends_a_batch_and_the_next_is_whole(engine: Generates, heard: int) -> None:
    (expected,) = images(engine, work())
    with closing(engine.generate(work(steps=100))) as events:
        for event in events:
            if isinstance(event, Progress) and event.step == heard:
                break
    assert images(engine, work())[0].tobytes() == expected.tobytes()


def test_closing_before_the_first_event_is_allowed(engine: Generates) -> None:
    engine.generate(work()).close()
    assert len(images(engine, work())) == 1


def test_at_strength_0_the_source_comes_back(
    engine: Generates, inputs: dict[InputId, Path]
) -> None:
    plan = Source(image=SOURCE, denoising_strength=0.0)
    (same,) = images(engine, work(inputs=inputs, source=plan, width=96, height=128))
    assert np.abs(pixels(same) - pixels(source(inputs))).mean() < VAE_ERROR


def test_more_strength_leaves_less_of_the_source(
    engine: Generates, inputs: dict[InputId, Path]
) -> None:
    distance = []
    for strength in (0.2, 0.9):
        plan = Source(image=SOURCE, denoising_strength=strength)
        (image,) = images(engine, work(inputs=inputs, source=plan, width=96, height=128, steps=10))
        distance.append(np.abs(pixels(image) - pixels(source(inputs))).mean())
    assert distance[0] < distance[1]


@pytest.mark.parametrize("mode", list(ResizeMode))
def test_a_source_of_another_shape_is_brought_to_size(
    engine: Generates, inputs: dict[InputId, Path], mode: ResizeMode
) -> None:
    plan = Source(image=SOURCE, resize_mode=mode)
    (image,) = images(engine, work(inputs=inputs, source=plan))
    assert image.size == (128, 64)


@pytest.mark.parametrize("blur", [0, 4])
@pytest.mark.parametrize("inverted", [False, True])
def test_outside_the_mask_every_pixel_is_the_sources(
    engine: Generates, inputs: dict[InputId, Path], blur: int, inverted: bool
) -> None:
    plan, mask = Source(image=SOURCE), Mask(image=MASK, blur=blur, inverted=inverted)
    (image,) = images(engine, work(inputs=inputs, source=plan, mask=mask))
    prepared = prepare_mask(Image.open(inputs[MASK]), inverted=inverted, blur=blur)
    alpha = overlay_alpha(fit_mask(prepared, 128, 64, ResizeMode.STRETCH))
    outside = np.asarray(alpha) == 0
    fitted = pixels(fit(source(inputs), 128, 64, ResizeMode.STRETCH))
    assert outside.any()
    assert (pixels(image)[outside] == fitted[outside]).all()
    assert (pixels(image)[~outside] != fitted[~outside]).any()


def test_only_masked_paints_within_the_picture_of_its_own_size(
    engine: Generates, inputs: dict[InputId, Path]
) -> None:
    mask = Mask(image=MASK, area=MaskArea.MASKED, padding=8, blur=2)
    (image,) = images(engine, work(inputs=inputs, source=Source(image=SOURCE), mask=mask))
    outside = np.asarray(prepare_mask(Image.open(inputs[MASK]), inverted=False, blur=2)) == 0
    assert image.size == (96, 128)
    assert (pixels(image)[outside] == pixels(source(inputs))[outside]).all()
    assert (pixels(image)[~outside] != pixels(source(inputs))[~outside]).any()


def test_what_cant_be_painted_is_refused_and_the_engine_goes_on(
    engine: Generates, inputs: dict[InputId, Path]
) -> None:
    Image.new("L", (96, 128)).save(inputs[MASK])
    batch = work(inputs=inputs, source=Source(image=SOURCE), mask=Mask(image=MASK))
    with pytest.raises(InvalidRequest, match="mask is empty") as refused:
        list(engine.generate(batch))
    assert refused.value.field == "mask.image"
    assert len(images(engine, work())) == 1


def test_a_source_that_is_gone_is_named(engine: Generates, tmp_path: Path) -> None:
    batch = work(inputs={SOURCE: tmp_path / "gone.png"}, source=Source(image=SOURCE))
    with pytest.raises(InvalidRequest) as refused:
        list(engine.generate(batch))
    assert refused.value.field == "source.image"


def test_a_second_pass_makes_the_picture_larger(engine: Generates) -> None:
    for hires, size in (
        (Hires(scale=1.5), (192, 96)),
        (Hires(upscaler="lanczos", width=96, height=128, steps=2), (96, 128)),
    ):
        events = list(engine.generate(work(hires=hires)))
        (ready,) = [event for event in events if isinstance(event, ImageReady)]
        assert ready.image.size == size
        steps = [event for event in events if isinstance(event, Progress)]
        assert [event.step for event in steps] == list(range(4 + (hires.steps or 4) + 1))


def test_variations_share_a_seed_and_differ(engine: Generates) -> None:
    noise = Noise(variation_seed=5, variation_strength=0.5)
    batch = work(pictures=2, noise=noise)
    assert len({recipe.seed for recipe in batch.recipes}) == 1
    one, other = images(engine, batch)
    assert one.tobytes() != other.tobytes()


def test_a_finished_picture_is_enlarged(engine: Generates, inputs: dict[InputId, Path]) -> None:
    for extras, size in (
        (Extras(image=SOURCE, scale=1.5), (144, 192)),
        (Extras(image=SOURCE, width=100, height=100), (100, 100)),
    ):
        batch = work(inputs=inputs, extras=extras, width=size[0], height=size[1])
        (image,) = images(engine, batch)
        assert (image.mode, image.size) == ("RGB", size)


@pytest.fixture
def with_hook(tmp_path: Path) -> Callable[[str], Work]:
    """A batch of two pictures whose one extension does this at its end."""

    def make(body: str) -> Work:
        file = tmp_path / "engine.py"
        head = "from PIL import ImageOps\nfrom webui.extend import StopJob, hook\n@hook\n"
        file.write_text(f"{head}def batch_end(items):\n    {body}\n")
        used = UsedExtension(
            id="one", name="One", file=file, stamp=f"{tmp_path}{body}", data=tmp_path
        )
        return replace(work(pictures=2), extensions=(used,))

    return make


def test_an_extension_has_the_last_look_at_a_batch(
    engine: Generates, with_hook: Callable[[str], Work]
) -> None:
    plain = images(engine, work(pictures=2))
    events = list(engine.generate(with_hook("return [ImageOps.invert(item) for item in items]")))
    found = [event.image for event in events if isinstance(event, ImageReady)]
    assert [(255 - pixels(image)).tolist() for image in found] == [
        pixels(image).tolist() for image in plain
    ]
    (called,) = told(events, Called)
    assert isinstance(called, Called)
    assert (called.extension, called.hook, called.error) == ("one", "batch_end", "")
    assert isinstance(events[-1], ImageReady)


def test_an_extension_that_fails_is_told_of_and_changes_nothing(
    engine: Generates, with_hook: Callable[[str], Work]
) -> None:
    plain = images(engine, work(pictures=2))
    events = list(engine.generate(with_hook("raise KeyError('oh')")))
    found = [event for event in events if isinstance(event, ImageReady)]
    assert [event.image.tobytes() for event in found] == [image.tobytes() for image in plain]
    assert {event.facts["extensions"] for event in found} == {"One failed at batch_end"}
    (called,) = told(events, Called)
    assert isinstance(called, Called)
    assert "KeyError: 'oh'" in called.error


def test_an_extension_may_end_a_batch(engine: Generates, with_hook: Callable[[str], Work]) -> None:
    with pytest.raises(ExtensionFailed, match=r"^Enough\.$"):
        list(engine.generate(with_hook("raise StopJob('Enough.')")))
    assert len(images(engine, work())) == 1


def test_nothing_but_known_events_come(engine: Generates) -> None:
    kinds = {type(event) for event in engine.generate(work(preview_every_s=0.001))}
    assert kinds <= {Alive, Loading, Progress, Preview, ImageReady}
