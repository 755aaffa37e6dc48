"""The hooks of jobs, over HTTP and on real pictures; and one that fails in each of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from PIL import Image

from tests.api.conftest import Client, error_of
from tests.conftest import finished, png, until
from tests.extend.conftest import Workshop
from tests.gate.site import serving
from webui.api.build import build_api
from webui.core.request import GenerationRequest, InputId
from webui.extend.hookspecs import ENGINE_HOOKS, WEB_HOOKS
from webui.extend.registration import arguments_of
from webui.gate.server import protect
from webui.plans.plan import PlanRequest

EVERYTHING = """
from PIL import Image
INPUTS = [Toggle("enabled", "All"), Slider("shade", "Shade", 9, high=255, step=1,
          tabs=(Mode.TXT2IMG, Mode.EXTRAS))]

def note(ctx, text):
    with (ctx.data / "log").open("a") as log:
        log.write(text + "\\n")

def plain(item, inputs):
    return Image.new("RGB", item.image.size, (inputs.shade,) * 3)

@hook
def image_post(item, inputs, ctx):
    note(ctx, f"post {item.index} {item.recipe.prompt} {bool(ctx.job)}")
    return plain(item, inputs)

@hook
def extras_op(item, inputs):
    return plain(item, inputs)

@hook
def image_save_before(item):
    return replace(item, facts={**item.facts, "tone": "plain"})

@hook
def image_save_after(saved, ctx):
    note(ctx, f"saved {saved.index} {saved.path.exists()}")

@hook
def job_end(end, ctx):
    note(ctx, f"end {len(end.pictures)} {end.reason}")
"""
FAILING = "\n".join(
    f"@hook\ndef {name}({', '.join(arguments_of(name))}):\n    raise ValueError({name!r})"
    for name in (*WEB_HOOKS, *ENGINE_HOOKS)
)
OF_JOBS = ("job_start", "prompt", "image_post", "image_save_before", "image_save_after", "job_end")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a studio with everything, and one that fails in every hook."""
    workshop = Workshop(tmp_path_factory.mktemp("jobs"))
    workshop.write("everything", EVERYTHING)
    workshop.write("failing", FAILING)
    studio = workshop.studio("everything")
    with serving(protect(build_api(studio, None))) as site:
        yield Client(site=site, studio=studio)
    workshop.close()


def log_of(client: Client, words: str) -> list[str]:
    """What the extension wrote down, once these words are in it."""
    path = client.studio.extensions.data("everything") / "log"
    until(lambda: path.exists() and words in path.read_text())
    return path.read_text().splitlines()


def pixels(client: Client, job: str) -> list[tuple[int, ...]]:
    """The first pixel of each picture."""
    found = []
    for picture in client.studio.gallery.of_job(job):  # type: ignore[arg-type]
        with Image.open(picture.path) as image:
            found.append(image.convert("RGB").getpixel((0, 0)))
    return found  # type: ignore[return-value]


def test_a_job_passes_through_all_hooks(client: Client) -> None:
    values = {"everything": {"enabled": True, "shade": 40}}
    job = client.make(prompt="a cat", batch_size=2, extensions=values)
    assert pixels(client, job["id"]) == [(40, 40, 40)] * 2
    *before, last = log_of(client, "end")
    assert sorted(before) == [
        "post 0 a cat True",
        "post 1 a cat True",
        "saved 0 True",
        "saved 1 True",
    ]
    assert last == "end 2 "
    picture = client.studio.gallery.of_job(job["id"])[0]
    assert picture.facts["tone"] == "plain"
    assert "extensions" not in picture.facts


def test_pictures_of_extras_have_a_hook_of_their_own(client: Client) -> None:
    image = InputId(client.studio.inputs.add(png(64, 64)))
    extras = {"image": image, "upscaler": "lanczos", "scale": 1.0}
    values = {"everything": {"enabled": True, "shade": 70}}
    job = client.make(extras=extras, extensions=values)
    assert pixels(client, job["id"]) == [(70, 70, 70)]


def test_values_are_checked_at_the_door(client: Client) -> None:
    body = json.dumps({"extensions": {"everything": {"shade": 999}}}).encode()
    answer = client.site.ask("POST", "/api/v1/jobs", [("Content-Type", "application/json")], body)
    status, field, message = error_of(answer)
    assert (status, field) == (422, "extensions.everything.shade")
    assert message == "Shade 999 is not between 0 and 255. Choose a value in between."


def test_one_that_fails_in_every_hook_stops_nobody(client: Client) -> None:
    plain = client.studio.resolve(GenerationRequest(prompt="a cat", seed=3))
    failing = client.studio.extensions.enable("failing")
    assert [failure.hook for failure in failing.failures] == [
        "register_tabs", "ui_attach", "api_routes",
    ]  # fmt: skip
    assert "“Failing” failed 3 times" in failing.error
    job = client.make(prompt="a cat", seed=3, extensions={"everything": {"enabled": True}})
    assert job["state"] == "done"
    assert pixels(client, job["id"]) == [(9, 9, 9)]
    recipe = client.studio.gallery.of_job(job["id"])[0].recipe
    assert replace(recipe, extensions={}) == plain


WEAK = """
INPUTS = [Toggle("enabled", "Weak")]
@hook
def image_post(item):
    item.image.putpixel((0, 0), (1, 2, 3))
    raise SystemExit("enough")
@hook
def image_save_before(item):
    return replace(item, facts={"it": "came back"})
"""


def test_the_picture_is_kept_and_says_who_failed(workshop: Workshop) -> None:
    workshop.write("weak", WEAK)
    studio = workshop.studio("weak")
    request = GenerationRequest(
        prompt="a cat", seed=3, batch_count=2, extensions={"weak": {"enabled": True}}
    )
    job = finished(studio, studio.submit(request).id)
    pictures = studio.gallery.of_job(job.id)
    plain = finished(studio, studio.submit(GenerationRequest(prompt="a cat", seed=3)).id)
    with (
        Image.open(pictures[0].path) as made,
        Image.open(studio.gallery.of_job(plain.id)[0].path) as usual,
    ):
        assert made.tobytes() == usual.tobytes()
    assert [picture.facts["extensions"] for picture in pictures] == [
        "weak failed at image_post"
    ] * 2
    assert all("it" not in picture.facts for picture in pictures)
    (failure,) = studio.extensions.get("weak").failures
    assert (failure.hook, failure.job, failure.message) == (
        "image_post",
        job.id,
        "SystemExit: enough",
    )
    assert studio.extensions.get("weak").seconds > 0


@pytest.mark.parametrize("hook", OF_JOBS)
def test_a_failure_at_any_hook_of_a_job_leaves_the_picture_alone(
    workshop: Workshop, hook: str
) -> None:
    taken = ", ".join(arguments_of(hook))
    workshop.write("weak", f"@hook\ndef {hook}({taken}):\n    raise SystemExit({hook!r})")
    studio = workshop.studio("weak")
    job = finished(studio, studio.submit(GenerationRequest(prompt="a cat", seed=3)).id)
    (picture,) = studio.gallery.of_job(job.id)
    assert (job.state.value, picture.recipe.prompt) == ("done", "a cat")
    (failure,) = until(lambda: studio.extensions.get("weak").failures)
    assert (failure.hook, failure.message) == (hook, f"SystemExit: {hook}")
    if hook not in ("image_save_after", "job_end"):  # the picture was written before these
        assert picture.facts["extensions"] == f"weak failed at {hook}"


def test_one_that_takes_over_makes_the_pictures(workshop: Workshop) -> None:
    code = """
    @hook
    def job_run(request, runner, ctx):
        for width in (64, 128):
            yield from runner.generate(replace(request, width=width, height=64))
    """
    workshop.write("wide", code)
    studio = workshop.studio("wide")
    request = GenerationRequest(prompt="a cat", seed=3, script="wide")
    job = finished(studio, studio.submit(request).id)
    assert [picture.width for picture in studio.gallery.of_job(job.id)] == [64, 128], job.reason


def test_one_that_takes_over_and_fails_ends_the_job_with_the_reason(workshop: Workshop) -> None:
    workshop.write("wide", "@hook\ndef job_run(request):\n    raise ValueError('no room')")
    studio = workshop.studio("wide")
    job = finished(studio, studio.submit(GenerationRequest(script="wide")).id)
    assert (job.state.value, job.reason) == ("failed", "Wide failed: ValueError: no room")


def test_a_grid_is_shown_to_extensions(workshop: Workshop) -> None:
    code = """
    @hook
    def grid(grid, ctx):
        (ctx.data / "grid").write_text(f"{len(grid.images)} {grid.columns}")
    """
    workshop.write("one", code)
    studio = workshop.studio("one")
    options = {"x": {"axis": "seed", "values": "1, 2, 3"}}
    asked = PlanRequest(kind="xyz", request=GenerationRequest(width=64, height=64), options=options)
    plan = studio.plans.begin(asked)
    until(lambda: studio.plans.get(plan.id).is_settled)
    assert (studio.extensions.data("one") / "grid").read_text() == "3 3"
