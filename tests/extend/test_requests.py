"""What extensions make of requests: values, fields, words, and the record of all that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conftest import finished, png
from tests.extend.conftest import Workshop
from webui.core.errors import InvalidRequest
from webui.core.job import Job, JobState, PersonId
from webui.core.request import Extras, GenerationRequest, Hires, InputId, Source
from webui.studio import Studio

GRAIN = """
INPUTS = [
    Toggle("enabled", "Grain"),
    Slider("strength", "Strength", 0.2),
    Slider("size", "Size", 2, low=1, high=9, step=1),
    Choice("kind", "Kind", "fine", choices=["fine", "coarse"]),
    Text("words", "Words"),
]

@hook
def job_start(request, inputs):
    return replace(request, width=128, negative_prompt=request.negative_prompt + inputs.words)

@hook
def prompt(words, inputs, ctx):
    return replace(words, prompt=f"{words.prompt} {inputs.kind} {words.index} {words.seed}")
"""
CAT = GenerationRequest(prompt="a cat", seed=7)


def with_grain(**values: object) -> GenerationRequest:
    return replace(CAT, extensions={"grain": {"enabled": True, **values}})


@pytest.fixture
def studio(workshop: Workshop) -> Studio:
    """One with grain."""
    workshop.write("grain", GRAIN)
    return workshop.studio("grain")


def made(studio: Studio, request: GenerationRequest) -> Job:
    job = finished(studio, studio.submit(request).id)
    assert job.state is JobState.DONE, job.reason
    return job


def test_who_takes_part_is_recorded_with_all_values(studio: Studio) -> None:
    job = made(studio, with_grain(strength=0.5))
    assert job.recipe.extensions == {
        "grain": {"enabled": True, "strength": 0.5, "size": 2, "kind": "fine", "words": ""}
    }
    (picture,) = studio.gallery.of_job(job.id)
    assert picture.recipe.extensions == job.recipe.extensions


def test_fields_and_words_are_edited(studio: Studio) -> None:
    job = made(studio, replace(with_grain(words="mud", kind="coarse"), batch_size=2))
    assert (job.recipe.width, job.recipe.negative_prompt) == (128, "mud")
    prompts = [picture.recipe.prompt for picture in studio.gallery.of_job(job.id)]
    assert prompts == ["a cat coarse 0 7", "a cat coarse 1 8"]
    assert job.recipe.template == "a cat"


def test_who_is_not_enabled_changes_nothing(studio: Studio) -> None:
    plain = made(studio, CAT).recipe
    off = replace(CAT, extensions={"grain": {"strength": 0.9}})
    assert made(studio, off).recipe == plain
    assert plain.extensions == {}


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"grain": {"strength": 3}}, "extensions.grain.strength", "not between 0 and 1"),
        ({"grain": {"strength": "x"}}, "extensions.grain.strength", "is a number"),
        ({"grain": {"kind": "huge"}}, "extensions.grain.kind", "Choose one of: fine, coarse"),
        ({"grain": {"enabled": 1}}, "extensions.grain.enabled", "on or off"),
        ({"grain": {"words": 5}}, "extensions.grain.words", "is a text"),
        ({"grain": {"gain": 1}}, "extensions.grain.gain", "no input “gain”. There are: enabled"),
        ({"grian": {}}, "extensions.grian", "no extension “grian”. Those that are on: grain"),
        ({"quiet": {}}, "extensions.quiet", "The extension “Quiet” is off. Switch it on"),
    ],
)
def test_values_that_do_not_fit_are_refused(
    workshop: Workshop, studio: Studio, values: dict[str, dict[str, object]], field: str, said: str
) -> None:
    workshop.write("quiet")
    studio.extensions.scan()
    with pytest.raises(InvalidRequest) as refused:
        studio.submit(replace(CAT, extensions=values))
    assert refused.value.field == field
    assert said in refused.value.message
    assert studio.preflight(replace(CAT, extensions=values)).field == field


def test_values_that_say_off_need_no_extension(studio: Studio) -> None:
    studio.extensions.disable("grain")
    job = made(studio, replace(CAT, extensions={"grain": {"enabled": False, "strength": 0.3}}))
    assert job.recipe.extensions == {}


def test_a_picture_made_again_is_not_edited_twice(studio: Studio) -> None:
    job = made(studio, with_grain(words="mud"))
    (picture,) = studio.gallery.of_job(job.id)
    again = finished(studio, studio.remake(picture.id).id)
    assert again.recipe.request() == job.recipe.request()
    assert finished(studio, studio.verify(picture.id).id).reason.startswith("Identical")


def test_nobody_joins_when_a_picture_is_made_again(workshop: Workshop) -> None:
    workshop.write("loud", "@hook\ndef prompt(words):\n    return replace(words, prompt='LOUD')")
    studio = workshop.studio()
    (picture,) = studio.gallery.of_job(made(studio, CAT).id)
    studio.extensions.enable("loud")
    assert made(studio, CAT).recipe.prompt == "LOUD"
    assert finished(studio, studio.remake(picture.id).id).recipe.prompt == "a cat"


def test_a_picture_of_an_extension_that_is_off_says_what_is_missing(studio: Studio) -> None:
    (picture,) = studio.gallery.of_job(made(studio, with_grain()).id)
    studio.extensions.disable("grain")
    request, missing = studio.request_of(picture.recipe)
    assert (request.extensions, missing) == ({}, ("the extension “Grain”",))
    with pytest.raises(InvalidRequest, match="the extension “Grain”"):
        studio.remake(picture.id)


def test_a_picture_says_who_was_off_when_its_turn_came(studio: Studio) -> None:
    recipe = studio.resolve(with_grain())
    studio.extensions.disable("grain")
    assert studio.extensions.job("late", recipe).facts == {"extensions": "grain was off"}


def test_a_stop_ends_the_request_with_its_reason(workshop: Workshop) -> None:
    workshop.write("judge", "@hook\ndef job_start(request):\n    raise StopJob('No cats here.')")
    studio = workshop.studio("judge")
    with pytest.raises(InvalidRequest, match=r"No cats here\."):
        studio.submit(CAT)
    assert studio.extensions.get("judge").failures == ()


def test_a_refusal_by_an_extension_is_the_persons_matter(workshop: Workshop) -> None:
    code = "@hook\ndef job_start(request):\n    raise InvalidRequest('prompt', 'Say please.')"
    workshop.write("judge", code)
    studio = workshop.studio("judge")
    with pytest.raises(InvalidRequest, match=r"Say please\.") as refused:
        studio.submit(CAT)
    assert refused.value.field == "prompt"


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError('no')",
        "raise SystemExit",
        "return 'a text'",
        "return replace(request, width=100)",
        "return replace(request, seed='x')",
    ],
)
def test_who_fails_leaves_the_request_as_it_was_and_keeps_out(
    workshop: Workshop, body: str
) -> None:
    code = f"""
    @hook
    def job_start(request):
        {body}
    @hook
    def prompt(words):
        return replace(words, prompt="changed")
    """
    workshop.write("weak", code)
    studio = workshop.studio("weak")
    job = made(studio, CAT)
    assert (job.recipe.prompt, job.recipe.extensions) == ("a cat", {})
    (failure,) = studio.extensions.get("weak").failures
    assert failure.hook == "job_start"
    (picture,) = studio.gallery.of_job(job.id)
    assert picture.facts["extensions"] == "weak failed at job_start"


def test_pictures_of_others_stay_theirs(workshop: Workshop) -> None:
    code = """
    from webui.core.request import Source
    @hook
    def job_start(request, ctx):
        picture = (ctx.data / "picture").read_text()
        return replace(request, source=Source(image=picture))
    """
    workshop.write("thief", code)
    studio = workshop.studio("thief")
    theirs = studio.inputs.add(png(), PersonId("ana"))
    (studio.extensions.data("thief") / "picture").write_text(theirs)
    with pytest.raises(InvalidRequest) as refused:
        studio.submit(CAT, PersonId("eve"))
    assert refused.value.field == "source.image"


def test_tags_are_taken_out_and_applied(workshop: Workshop) -> None:
    code = """
    def size(request, tags):
        if not tags[-1][0].isdecimal():
            raise InvalidRequest("prompt", "A size is a number.")
        return replace(request, width=int(tags[-1][0]), height=64 * len(tags))
    def broken(request, tags):
        raise ValueError("broken")
    def stop(request, tags):
        raise StopJob("Enough.")
    @hook
    def register_text_tokens(register):
        register(TextToken(name="size", apply=size))
        register(TextToken(name="broken", apply=broken))
        register(TextToken(name="stop", apply=stop))
    """
    workshop.write("tags", code)
    studio = workshop.studio("tags")
    recipe = made(studio, replace(CAT, prompt="a <size:64>cat<broken> <size:128:7> <b>")).recipe
    assert (recipe.prompt, recipe.width, recipe.height) == ("a cat  <b>", 128, 128)
    assert [each.hook for each in studio.extensions.get("tags").failures] == ["<broken:...>"]
    with pytest.raises(InvalidRequest, match="A size is a number"):
        studio.submit(replace(CAT, prompt="<size:big>"))
    with pytest.raises(InvalidRequest, match="Enough"):
        studio.submit(replace(CAT, prompt="<stop>"))


def test_the_second_pass_keeps_its_own_words(studio: Studio) -> None:
    hires = Hires(prompt="more detail", upscaler="latent", scale=1.5)
    recipe = studio.resolve(replace(with_grain(), hires=hires))
    assert recipe.hires is not None
    assert recipe.hires.prompt == "more detail"


def test_hooks_see_who_asks_and_nothing_of_others(workshop: Workshop) -> None:
    code = """
    SETTINGS = [Text("tone", "Tone", "dark")]
    @hook
    def prompt(words, ctx):
        told = (ctx.extension, ctx.settings["tone"], ctx.role.value, ctx.job, ctx.data.is_dir())
        return replace(words, prompt=str(told))
    """
    workshop.write("one", code)
    studio = workshop.studio("one")
    studio.extensions.set_settings("one", {"tone": "light"})
    assert made(studio, CAT).recipe.prompt == "('one', 'light', 'owner', '', True)"
    assert "'artist'" in studio.submit(CAT, PersonId("ana")).recipe.prompt


def test_scripts_must_be_there(workshop: Workshop, studio: Studio) -> None:
    workshop.write("four", "@hook\ndef job_run(request, runner):\n    yield from ()")
    studio.extensions.scan()
    with pytest.raises(InvalidRequest, match="The extension “Four” is off") as refused:
        studio.submit(replace(CAT, script="four"))
    assert refused.value.field == "script"
    studio.extensions.enable("four")
    with pytest.raises(InvalidRequest, match=r"no script “five” .* There are: four"):
        studio.submit(replace(CAT, script="five"))
    recipe = studio.resolve(replace(CAT, script="four"))
    assert (recipe.script, recipe.extensions) == ("four", {"four": {}})
    assert studio.resolve(CAT).extensions == {}


def test_extras_concern_those_with_hooks_for_them(workshop: Workshop) -> None:
    workshop.write("painter", "@hook\ndef image_post(item): ...")
    workshop.write("extra", "@hook\ndef extras_op(item): ...")
    workshop.write("watcher", "@hook\ndef image_save_after(saved): ...")
    studio = workshop.studio("painter", "extra", "watcher")
    image = InputId(studio.inputs.add(png()))
    extras = GenerationRequest(extras=Extras(image=image, scale=1.0))
    assert studio.resolve(extras).extensions == {"extra": {}}
    assert studio.resolve(CAT).extensions == {"painter": {}}
    assert studio.resolve(replace(CAT, source=Source(image=image))).extensions == {"painter": {}}
