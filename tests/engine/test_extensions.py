"""Extensions in the engine: each hook changes the picture, and one that fails does not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.engine.test_denoise import CLEAN, NOISE, KnowingNetwork, close, denoiser
from tests.engine.work import pixels, work
from webui.core.engine import UsedExtension, Work
from webui.core.errors import ExtensionFailed, InvalidRequest, OutOfMemory
from webui.core.events import Called, EngineEvent, ImageReady, Progress
from webui.core.request import Extras, Hires, InputId, Mask, Source
from webui.engine.extensions.calls import Calls, Participant
from webui.engine.extensions.loading import hooks_of
from webui.engine.extensions.steps import step_hooks
from webui.engine.fake import FakeEngine
from webui.engine.local import LocalEngine
from webui.extend import Context, StepState, hook
from webui.families.components import Prediction

pytestmark = pytest.mark.torch

SOURCE, MASK = InputId("1" * 64), InputId("2" * 64)
SMALL: Final[Mapping[str, Any]] = {"steps": 2, "width": 64, "height": 64}

CHANGING: Final = {
    "batch_start": "return replace(batch, x=-batch.x)",
    "noise": "return -noise.noise",
    "conditioning": "return replace(cond, embeds=-cond.embeds)",
    "step_before": "return replace(state, sigma=state.sigma * 0.7)",
    "guidance": "return guess.cond + inputs.strength * (guess.cond - guess.uncond)",
    "step_after": "return replace(state, denoised=state.denoised * 0.5)",
    "hires_before": "return replace(latents, x=-latents.x)",
    "latents_final": "return replace(latents, x=-latents.x)",
    "decode": "return Image.new('RGB', (64, 64), 'red')",
    "mask_overlay": "return replace(overlay, painted=ImageOps.invert(overlay.painted))",
    "batch_end": "return [ImageOps.invert(item) for item in items]",
}
"""A body for each hook that changes pictures."""
TAKES: Final = {
    "batch_start": "batch",
    "conditioning": "cond",
    "guidance": "guess",
    "step_before": "state",
    "step_after": "state",
    "mask_overlay": "overlay",
    "batch_end": "items",
    "noise": "noise",
}
HOOKS: Final = tuple(CHANGING)


def source_of(bodies: Mapping[str, str]) -> str:
    """The engine.py of an extension with these hooks."""
    head = (
        "from dataclasses import replace\n"
        "from PIL import Image, ImageOps\n"
        "from webui.extend import StopJob, hook\n"
    )
    functions = (
        f"@hook\ndef {name}({TAKES.get(name, 'latents')}, inputs, ctx):\n    {body}\n"
        for name, body in bodies.items()
    )
    return head + "".join(functions)


@dataclass(frozen=True)
class Shelf:
    """A folder for extensions of a test."""

    folder: Path

    def add(self, source: str, id: str = "test-one", stamp: str = "1") -> UsedExtension:
        """Write an engine.py, and what a batch is told of it."""
        place = self.folder / id
        place.mkdir(exist_ok=True)
        (place / "engine.py").write_text(source, "utf-8")
        return UsedExtension(
            id=id,
            name=id.title(),
            file=place / "engine.py",
            stamp=f"{place}{stamp}",
            data=place,
            inputs={"strength": 9.0},
        )


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[InputId, Path]:
    """A picture and a mask with a disc in it."""
    folder = tmp_path_factory.mktemp("inputs")
    ramp = np.linspace(0, 255, 64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)
    Image.fromarray(ramp).save(folder / "source.png")
    mask = Image.new("L", (64, 64))
    ImageDraw.Draw(mask).ellipse((16, 16, 48, 48), fill=255)
    mask.save(folder / "mask.png")
    return {SOURCE: folder / "source.png", MASK: folder / "mask.png"}


def batch_for(name: str, inputs: dict[InputId, Path]) -> Work:
    """The smallest batch in which a hook has something to do."""
    if name == "mask_overlay":
        mask, source = Mask(image=MASK, blur=2), Source(image=SOURCE)
        return work(inputs=inputs, mask=mask, source=source, **SMALL)
    if name == "hires_before":
        return work(hires=Hires(scale=1.5, upscaler="latent", steps=2), **SMALL)
    return work(**SMALL)


def heard(engine: Any, batch: Work) -> list[EngineEvent]:
    return list(engine.generate(batch))


def drawn(events: list[EngineEvent]) -> list[bytes]:
    return [event.image.tobytes() for event in events if isinstance(event, ImageReady)]


def called(events: list[EngineEvent]) -> list[Called]:
    return [event for event in events if isinstance(event, Called)]


@pytest.fixture(scope="module")
def plain(local: LocalEngine, inputs: dict[InputId, Path]) -> Callable[[str], list[bytes]]:
    """The pictures of a hook's batch without extensions."""
    known: dict[str, list[bytes]] = {}

    def made(name: str) -> list[bytes]:
        key = name if name in ("mask_overlay", "hires_before") else ""
        if key not in known:
            known[key] = drawn(heard(local, batch_for(name, inputs)))
        return known[key]

    return made


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_changes_the_picture(
    name: str,
    local: LocalEngine,
    shelf: Shelf,
    inputs: dict[InputId, Path],
    plain: Callable[[str], list[bytes]],
) -> None:
    used = shelf.add(source_of({name: CHANGING[name]}))
    events = heard(local, replace(batch_for(name, inputs), extensions=(used,)))
    assert drawn(events) != plain(name)
    assert isinstance(events[-1], ImageReady)
    assert {(each.extension, each.hook, each.error) for each in called(events)} == {
        (used.id, name, "")
    }
    assert "extensions" not in events[-1].facts


@pytest.mark.parametrize(
    ("name", "raised"), [*((name, "KeyError('oh')") for name in HOOKS), ("guidance", "SystemExit")]
)
def test_a_hook_that_raises_changes_nothing_and_is_named(
    name: str,
    raised: str,
    local: LocalEngine,
    shelf: Shelf,
    inputs: dict[InputId, Path],
    plain: Callable[[str], list[bytes]],
) -> None:
    used = shelf.add(source_of({name: f"raise {raised}"}))
    events = heard(local, replace(batch_for(name, inputs), extensions=(used,)))
    assert drawn(events) == plain(name)
    (failure,) = called(events)
    assert (failure.extension, failure.hook) == (used.id, name)
    assert "engine.py" in failure.error
    (ready,) = [event for event in events if isinstance(event, ImageReady)]
    assert ready.facts["extensions"] == f"Test-One failed at {name}"


def test_hooks_that_give_nothing_back_change_no_bit(
    local: LocalEngine, shelf: Shelf, plain: Callable[[str], list[bytes]]
) -> None:
    spoil = {name: "return None" for name in HOOKS if name != "hires_before"}
    spoil["step_before"] = "state.x.zero_()"
    spoil["step_after"] = "state.x.zero_(), state.denoised.zero_()"
    spoil["guidance"] = "guess.combined.zero_(), guess.cond.zero_(), guess.x.zero_()"
    spoil["noise"] = "noise.noise.zero_()"
    spoil["conditioning"] = "cond.embeds.zero_()"
    spoil["latents_final"] = "latents.x.zero_()\n    return None"
    used = shelf.add(source_of({name: f"{body}\n    return None" for name, body in spoil.items()}))
    assert drawn(heard(local, replace(batch_for("", {}), extensions=(used,)))) == plain("")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("step_before", "return replace(state, x=state.x[:, :2])"),
        ("step_before", "return replace(state, sigma=-1)"),
        ("step_after", "return replace(state, denoised=7)"),
        ("guidance", "return 7"),
        ("noise", "return noise.noise[..., :3]"),
        ("conditioning", "return replace(cond, embeds=cond.embeds[..., :3])"),
        ("latents_final", "return replace(latents, x=latents.x * float('nan'))"),
        ("decode", "return 7"),
        ("batch_end", "return []"),
        ("batch_end", "return [7]"),
        ("mask_overlay", "return replace(overlay, mask=Image.new('L', (3, 3)))"),
    ],
)
def test_what_cant_be_used_is_a_failure_too(
    name: str,
    body: str,
    local: LocalEngine,
    shelf: Shelf,
    inputs: dict[InputId, Path],
    plain: Callable[[str], list[bytes]],
) -> None:
    used = shelf.add(source_of({name: body}))
    events = heard(local, replace(batch_for(name, inputs), extensions=(used,)))
    assert drawn(events) == plain(name)
    assert [(each.hook, bool(each.error)) for each in called(events)] == [(name, True)]


def test_one_that_failed_is_left_out_and_the_others_go_on(
    local: LocalEngine, shelf: Shelf, plain: Callable[[str], list[bytes]]
) -> None:
    bad = shelf.add(
        source_of({"step_after": "raise KeyError", "batch_end": CHANGING["batch_end"]}), "bad"
    )
    good = shelf.add(source_of({"step_after": CHANGING["step_after"]}), "good")
    events = heard(local, replace(batch_for("", {}), extensions=(bad, good)))
    alone = heard(local, replace(batch_for("", {}), extensions=(good,)))
    assert drawn(events) == drawn(alone) != plain("")
    assert [each.extension for each in called(events) if each.error] == ["bad"]


@pytest.mark.parametrize(
    "source",
    ["import nothing_of_that_name", "raise SystemExit", "def broken(:", "@hook\ndef f(): 1"],
)
def test_code_that_cant_be_loaded_is_named_and_the_picture_made(
    source: str, local: LocalEngine, shelf: Shelf, plain: Callable[[str], list[bytes]]
) -> None:
    used = shelf.add(f"from webui.extend import hook\n{source}\n")
    events = heard(local, replace(batch_for("", {}), extensions=(used,)))
    assert drawn(events) == plain("")
    assert [(each.hook, bool(each.error)) for each in called(events)] == [("load", True)]
    assert isinstance(events[-1], ImageReady)
    assert events[-1].facts["extensions"] == "Test-One failed at load"


@pytest.mark.parametrize("name", ["step_after", "batch_end"])
def test_stop_job_ends_the_batch_with_its_text(name: str, local: LocalEngine, shelf: Shelf) -> None:
    used = shelf.add(source_of({name: "raise StopJob('Enough for today.')"}))
    events = local.generate(replace(batch_for("", {}), extensions=(used,)))
    with pytest.raises(ExtensionFailed, match=r"^Enough for today\.$"):
        list(events)


def test_too_little_memory_is_no_fault_of_an_extension(
    local: LocalEngine, shelf: Shelf, plain: Callable[[str], list[bytes]]
) -> None:
    used = shelf.add(source_of({"step_after": "raise MemoryError"}))
    with pytest.raises(OutOfMemory):
        heard(local, replace(batch_for("", {}), extensions=(used,)))
    assert drawn(heard(local, batch_for("", {}))) == plain("")


def test_code_is_read_anew_when_it_has_changed(local: LocalEngine, shelf: Shelf) -> None:
    first = shelf.add(source_of({"batch_end": "return [Image.new('RGB', (64, 64), 'red')]"}))
    before = heard(local, replace(batch_for("", {}), extensions=(first,)))
    changed = source_of({"batch_end": "return [Image.new('RGB', (64, 64), 'tan')]"})
    same = shelf.add(changed)
    assert drawn(heard(local, replace(batch_for("", {}), extensions=(same,)))) == drawn(before)
    other = shelf.add(changed, stamp="2")
    assert drawn(heard(local, replace(batch_for("", {}), extensions=(other,)))) != drawn(before)


def test_engine_code_reaches_what_lies_beside_it(local: LocalEngine, shelf: Shelf) -> None:
    body = "return [Image.new('RGB', (64, 64), (COLOUR, shade.DEEP, 0)) for item in items]"
    used = shelf.add(source_of({"batch_end": body}) + "from . import COLOUR\nfrom . import shade\n")
    (used.file.parent / "__init__.py").write_text("COLOUR = 200\n")
    (used.file.parent / "shade.py").write_text("DEEP = 100\n")
    (ready,) = [
        event
        for event in heard(local, replace(batch_for("", {}), extensions=(used,)))
        if isinstance(event, ImageReady)
    ]
    assert ready.image.getpixel((0, 0)) == (200, 100, 0)


def test_pictures_that_a_batch_hook_adds_come_behind_the_others(
    local: LocalEngine, shelf: Shelf
) -> None:
    used = shelf.add(source_of({"batch_end": "return [*items, ImageOps.invert(items[0])]"}))
    batch = replace(work(pictures=2, **SMALL), extensions=(used,))
    ready = [event for event in heard(local, batch) if isinstance(event, ImageReady)]
    assert [(event.index, event.is_extra) for event in ready] == [
        (0, False),
        (1, False),
        (0, True),
    ]
    assert (pixels(ready[2].image) == 255 - pixels(ready[0].image)).all()


def test_hooks_learn_of_the_batch_and_its_job(local: LocalEngine, shelf: Shelf) -> None:
    """Each picture goes alone on a CPU, and a draw is counted once for each."""
    note = "with (ctx.data / 'told').open('a') as f: f.write(f'{ctx.job} {%s}\\n')"
    told = {
        "batch_start": note % "len(batch.x), [r.seed for r in batch.recipes], len(batch.sigmas)",
        "noise": note % "noise.index, tuple(noise.noise.shape)",
        "conditioning": note % "cond.prompt, cond.is_negative, cond.embeds.ndim",
        "step_after": note % "state.index, state.total, state.sigma > 0",
    }
    used = shelf.add(source_of({name: f"{body}\n    return None" for name, body in told.items()}))
    batch = work(pictures=2, negative_prompt="dark", **SMALL)
    heard(local, replace(batch, extensions=(used,), job="job-7"))
    lines = (used.data / "told").read_text().splitlines()
    assert lines == [
        "job-7 (0, (1, 4, 8, 8))",
        "job-7 (1, [7], 3)",
        "job-7 ('a red apple, 3d style', False, 3)",
        "job-7 ('dark', True, 3)",
        "job-7 (0, 2, True)",
        "job-7 (1, 2, True)",
        "job-7 (0, (1, 4, 8, 8))",
        "job-7 (1, [8], 3)",
        "job-7 ('a red apple, 3d style', False, 3)",
        "job-7 ('dark', True, 3)",
        "job-7 (0, 2, True)",
        "job-7 (1, 2, True)",
    ]


class Recorder:
    """Keeps what it sees of each call, and moves the noise level."""

    def __init__(self) -> None:
        self.seen: list[StepState] = []

    @hook
    def step_before(self, state: StepState) -> StepState:
        """As if there were half the noise."""
        return replace(state, x=CLEAN + state.sigma / 2 * NOISE, sigma=state.sigma / 2)

    @hook
    def step_after(self, state: StepState) -> None:
        """Just looks."""
        self.seen.append(state)


@pytest.mark.parametrize("prediction", list(Prediction))
def test_x_is_the_picture_and_its_noise_whatever_the_family(prediction: Prediction) -> None:
    """Networks of noise, velocity and flow are all asked in the same space: x of another noise
    level, made by the formula of that space, is understood."""
    recorder = Recorder()
    ctx = Context(extension="r", settings={}, data=Path(), log=logging.getLogger())
    one = Participant(id="r", name="R", hooks=hooks_of(recorder), ctx=ctx)
    hooks = step_hooks(Calls([one]), [], 20)
    denoise = denoiser(KnowingNetwork(prediction), 0, 0, 7, hooks=hooks)
    close(denoise(CLEAN + 3.0 * NOISE, 3.0), CLEAN, atol=1e-4)
    (seen,) = recorder.seen
    assert seen.sigma == 1.5
    assert seen.denoised is not None
    close(seen.denoised, CLEAN, atol=1e-4)


def test_the_fake_engine_has_the_hooks_of_pictures_alone(
    shelf: Shelf, inputs: dict[InputId, Path]
) -> None:
    engine = FakeEngine()
    heavy = shelf.add("import nothing_of_that_name\n" + source_of({"step_after": "return 1"}))
    plain = drawn(heard(engine, work(**SMALL)))
    assert drawn(heard(engine, replace(work(**SMALL), extensions=(heavy,)))) == plain
    for name in ("batch_end", "mask_overlay"):
        used = shelf.add(source_of({name: CHANGING[name]}), f"light-{name}")
        batch = batch_for(name, inputs)
        events = heard(engine, replace(batch, extensions=(used,)))
        assert drawn(events) != drawn(heard(engine, batch))
        assert [each.hook for each in called(events)] == [name]


def test_a_long_hook_learns_that_nobody_waits_any_more(local: LocalEngine, shelf: Shelf) -> None:
    body = "(ctx.data / 'began').touch()\n    while not ctx.is_cancelled(): pass"
    used = shelf.add(source_of({"step_after": body}))
    events = local.generate(replace(work(**SMALL), extensions=(used,)))
    for _ in events:
        if (used.data / "began").exists():
            break
    events.close()
    assert len(drawn(heard(local, work(**SMALL)))) == 1


def test_a_batch_with_extensions_is_cancelled_by_closing_it(
    local: LocalEngine, shelf: Shelf
) -> None:
    used = shelf.add(source_of({"step_after": "return None"}))
    events = local.generate(replace(work(steps=50), extensions=(used,)))
    assert any(isinstance(event, Progress) and event.step == 1 for event in events)
    events.close()
    assert len(drawn(heard(local, work(**SMALL)))) == 1


PARTS: Final = """
from webui.extend import hook
from webui.samplers.sampler import Sampler, Step
from webui.samplers.euler import SAMPLER as EULER
from webui.schedules.schedule import Schedule
from webui.upscalers import Upscaler

def turned(picture, size):
    return picture.rotate(180).resize(size)

def broken(denoise, x, run):
    yield from EULER.sample(denoise, x, run)
    raise KeyError("at the end")

@hook
def register_samplers(register):
    register(Sampler(id="own_euler", label="Own Euler", sample=EULER.sample))
    register(Sampler(id="broken", label="Broken", sample=broken))
    register(Sampler(id="euler", label="Not this one", sample=broken))

@hook
def register_schedules(register):
    register(Schedule(id="own_even", label="Own", sigmas=lambda s: (8.0, 2.0, 0.0)))

@hook
def register_upscalers(register):
    register(Upscaler(id="own_turn", label="Own", enlarge=turned))
"""


@pytest.fixture(params=["__init__.py", "engine.py"])
def parts(request: pytest.FixtureRequest, tmp_path: Path) -> UsedExtension:
    """An extension with a sampler, a schedule and an upscaler in its server's code, which the
    engine is told of directly, or finds beside its own."""
    (tmp_path / "__init__.py").write_text(PARTS)
    if request.param == "engine.py":
        (tmp_path / "engine.py").write_text("")
    file = tmp_path / request.param
    return UsedExtension(id="own", name="Own", file=file, stamp=str(file), data=tmp_path)


def test_a_sampler_of_an_extension_walks(
    local: LocalEngine, parts: UsedExtension, plain: Callable[[str], list[bytes]]
) -> None:
    batch = replace(work(sampler="own_euler", **SMALL), extensions=(parts,))
    assert drawn(heard(local, batch)) == plain("")


def test_a_schedule_of_an_extension_counts(
    local: LocalEngine, parts: UsedExtension, plain: Callable[[str], list[bytes]]
) -> None:
    batch = replace(work(schedule="own_even", **SMALL), extensions=(parts,))
    assert drawn(heard(local, batch)) != plain("")


def test_an_upscaler_of_an_extension_makes_the_larger_picture(
    local: LocalEngine, parts: UsedExtension, inputs: dict[InputId, Path]
) -> None:
    extras = Extras(image=SOURCE, scale=2.0, upscaler="own_turn")
    batch = work(inputs=inputs, extras=extras, width=128, height=128)
    (ready,) = [
        event
        for event in heard(local, replace(batch, extensions=(parts,)))
        if isinstance(event, ImageReady)
    ]
    turned = Image.open(inputs[SOURCE]).convert("RGB").rotate(180).resize((128, 128))
    assert ready.image.tobytes() == turned.tobytes()


def test_a_sampler_that_fails_is_named(local: LocalEngine, parts: UsedExtension) -> None:
    events = local.generate(replace(work(sampler="broken", **SMALL), extensions=(parts,)))
    with pytest.raises(ExtensionFailed, match="“Broken” of the extension Own failed: KeyError"):
        list(events)


def test_what_comes_with_the_program_is_not_replaced(
    local: LocalEngine, parts: UsedExtension, plain: Callable[[str], list[bytes]]
) -> None:
    batch = replace(work(sampler="euler", schedule="own_even", **SMALL), extensions=(parts,))
    assert len(drawn(heard(local, batch))) == 1


def test_a_name_that_nothing_has_is_refused_as_ever(
    local: LocalEngine, parts: UsedExtension
) -> None:
    batch = replace(work(sampler="gone", **SMALL), extensions=(parts,))
    with pytest.raises(InvalidRequest, match="There is no sampler “gone”"):
        heard(local, batch)
