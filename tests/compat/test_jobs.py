"""Jobs through extensions written for A1111: what they change, what goes wrong, what is told."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.compat.asked import Outcome, run_job
from webui.compat import missing
from webui.core.errors import InvalidRequest
from webui.core.request import GenerationRequest, Hires, Sampling, Source
from webui.engine.local import create
from webui.imaging.infotext import write_infotext
from webui.studio import Studio

EXTENSIONS = Path(__file__).parent / "extensions"
REQUEST = GenerationRequest(
    prompt="a @@beast@@",
    width=64,
    height=72,
    seed=5,
    batch_size=2,
    batch_count=2,
    sampling=Sampling(steps=2, sampler="euler_a"),
)


def job(studio: Studio, *names: str, **how: object) -> Outcome:
    """A job through fixture extensions."""
    request = how.pop("request", REQUEST)
    assert isinstance(request, GenerationRequest)
    return run_job(studio, {name: EXTENSIONS / name for name in names}, request, **how)  # type: ignore[arg-type]


def text(studio: Studio, outcome: Outcome, index: int = 0) -> str:
    """What is written into a picture."""
    return write_infotext(outcome.recipe(index), studio.labels, outcome.images[index].facts)


def source(studio: Studio) -> Source:
    """An uploaded picture of 64 x 72."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((64, 72)).convert("RGB").save(buffer, "PNG")
    return Source(image=studio.inputs.add(buffer.getvalue()), denoising_strength=0.5)


def test_each_picture_gets_its_own_words(studio: Studio) -> None:
    outcome = job(studio, "words", inputs={"words/words": {"own_words_behind": ", far away"}})
    prompts = [outcome.recipe(i).prompt for i in range(4)]
    assert len(set(prompts)) > 1
    assert all(prompt.endswith(", far away") and "@@" not in prompt for prompt in prompts)
    assert [outcome.recipe(i).seed for i in range(4)] == [5, 6, 7, 8]
    assert outcome.recipe().template == "a @@beast@@"
    assert outcome.errors == []


def test_the_pictures_are_those_of_the_words_alone(studio: Studio) -> None:
    outcome = job(studio, "words")
    plain = outcome.recipe(2).request()
    again = job(studio, "order", request=plain)  # noted, then painted red
    assert outcome.pictures[2].size == again.pictures[0].size == (64, 72)
    assert outcome.recipe(2).prompt == again.recipe().prompt


def test_what_scripts_note_stands_in_the_text(studio: Studio) -> None:
    outcome = job(studio, "words", inputs={"words/words": {"kind": 0}})
    assert "Own words kind: 0, Own words each: picture 3, Own words option: calm" in text(
        studio, outcome, 3
    )
    assert "Own words kind: 1" in text(studio, job(studio, "words"))  # the list's own default


def test_an_option_that_was_set_is_read(studio: Studio) -> None:
    outcome = job(studio, "words", options={"own_words_option": "loud"})
    assert "Own words option: loud" in text(studio, outcome)


def test_a_callback_changes_a_picture_before_it_is_saved(studio: Studio) -> None:
    outcome = job(studio, "words", request=replace(REQUEST, prompt="signed"))
    assert [picture.getpixel((0, 0)) for picture in outcome.pictures] == [(7, 8, 9)] * 4


def test_a_picture_that_is_made_again_is_not_edited_twice(studio: Studio) -> None:
    inputs = {"words/words": {"own_words_behind": ", far away"}}
    first = job(studio, "words", inputs=inputs)
    again = job(studio, "words", request=first.recipe(1).request(), inputs=inputs)
    assert again.recipe().prompt == first.recipe(1).prompt
    assert again.pictures[0].tobytes() == first.pictures[1].tobytes()


@pytest.mark.torch
def test_hooks_come_in_order_and_change_the_pictures(studio: Studio) -> None:
    outcome = job(studio, "order")
    noted = outcome.images[-1].facts["text:Order"].split()
    assert noted[:5] == [
        "before_process", "process", "before_process_batch0", "after_extra_networks_activate0",
        "process_batch0",
    ]  # fmt: skip
    of_picture = ["postprocess_image", "postprocess_image_after_composite"]
    assert noted[5:13] == ["postprocess_batch0", "postprocess_batch_list0", *of_picture * 3]
    assert noted[-1] == "postprocess"
    assert (len(outcome.images), len(outcome.extras)) == (4, 2)  # each batch got one more
    pixels = np.asarray(outcome.pictures[0])
    assert tuple(pixels[0, 0]) == (1, 2, 3)
    assert pixels[1:, :, 0].min() == 255


@pytest.mark.slow
@pytest.mark.torch
def test_the_real_engine_makes_the_pictures_of_the_words(studio: Studio) -> None:
    engine = create({"use_cpu": True, "threads": 1})
    engine.prepare()
    try:
        request = replace(REQUEST, batch_count=1, width=64, height=64)
        first = job(studio, "words", request=request, engine=engine)
        again = first.recipe(1).request()
        plain = job(studio, "sharing", request=replace(again, extensions={}), engine=engine)
    finally:
        engine.close()
    assert first.recipe(0).prompt != "a @@beast@@"
    assert first.pictures[1].tobytes() == plain.pictures[0].tobytes()
    assert (first.errors, plain.errors) == ([], [])


def test_a_script_takes_a_job_over(studio: Studio) -> None:
    outcome = job(
        studio,
        "tiles",
        request=GenerationRequest(
            prompt="a wall", width=64, height=72, seed=9, source=source(studio),
            sampling=Sampling(steps=2),
        ),
        script="tiles/tiles",
    )  # fmt: skip
    assert [picture.size for picture in outcome.pictures] == [(128, 144)]
    prompts = [request.prompt for request in outcome.asked]
    assert prompts == ["tile at 0, 0", "tile at 64, 0", "tile at 0, 72", "tile at 64, 72"]
    assert "Tiles: 4" in text(studio, outcome)
    assert outcome.recipe().script == "tiles/tiles"
    assert outcome.errors == []


def test_a_script_that_raises_is_named_and_the_picture_made_without_it(studio: Studio) -> None:
    outcome = job(studio, "faulty")
    assert len(outcome.images) == 4
    hooks = {call.hook for call in outcome.calls if call.error}
    assert hooks >= {"load", "process", "process_batch", "postprocess_image", "postprocess"}
    assert {call.extension for call in outcome.calls} == {"faulty"}
    assert [call.hook for call in outcome.calls].count("postprocess_image") == 1  # then left out


def test_a_script_that_fails_to_take_over_leaves_the_job_to_the_program(studio: Studio) -> None:
    outcome = job(studio, "faulty", script="faulty/running")
    assert len(outcome.images) == 4
    assert any("can't run" in error for error in outcome.errors)


def test_the_names_of_the_first_tier_do_what_scripts_rely_on(studio: Studio) -> None:
    outcome = job(studio, "names", script="names/names")
    assert outcome.errors == []
    assert len(outcome.images) + len(outcome.extras) == 4
    one, two, three = outcome.asked
    assert (one.prompt, two.prompt, three.prompt) == ("one", "two", "three")
    assert one.sampling.clip_skip == 2
    assert three.sampling.clip_skip is None
    assert three.mask is not None
    assert three.mask.blur == 2
    assert outcome.recipe().script is None  # as it was painted, and so it can be made again
    saved = list((studio.settings.current.outputs).rglob("grid*.png"))
    assert len(saved) == 1


def test_files_of_an_extension_import_each_other(studio: Studio) -> None:
    outcome = job(studio, "sharing")
    assert outcome.errors == []
    assert outcome.images[0].facts["text:Shared"] == "42 said flagged"


def test_what_the_engine_refuses_is_the_jobs_error(studio: Studio) -> None:
    bad = GenerationRequest(prompt="(a", width=64, height=72, seed=5, sampling=Sampling(steps=2))
    hires = Hires(upscaler="no such upscaler")
    with pytest.raises(InvalidRequest):
        job(studio, "words", request=GenerationRequest(prompt="x", seed=1, hires=hires))
    assert len(job(studio, "words", request=bad).images) == 1


def test_missing_names_are_noted(studio: Studio) -> None:
    job(studio, "names", script="names/names")
    assert "modules.shared.opts.no_such_option" in missing.noted()
