"""What is said of a request before it is handed in, told from what this machine has seen."""

from __future__ import annotations

from dataclasses import replace

from tests.jobs.rig import RECIPE
from webui.core.engine import EngineState, EngineStatus
from webui.core.errors import InvalidRequest
from webui.core.job import LOCAL, JobId, PersonId
from webui.jobs.eta import Timing, effort, pixels_of
from webui.jobs.line import Scene
from webui.jobs.order import InLine
from webui.jobs.preflight import Fit, Question, judge
from webui.jobs.turns import Bounds, Waiting

ENGINE = EngineStatus(id="gpu", state=EngineState.READY, device="RTX 4070", model="m")
ONE = effort(RECIPE, 1)
PIXELS = pixels_of(RECIPE)


def timing(seconds: float, **more: object) -> Timing:
    values = {"model": "m", "family": "sd15", "pixels": PIXELS, "effort": ONE, **more}
    return Timing(seconds=seconds, **values)  # type: ignore[arg-type]


def question(**changes: object) -> Question:
    known = Question(
        owner=LOCAL,
        priority=0,
        recipe=RECIPE,
        pictures=1,
        refused=None,
        turns=0,
        last_turn=0,
        waiting="",
    )
    return replace(known, **changes)  # type: ignore[arg-type]


def scene(*timings: Timing, waiting: tuple[InLine, ...] = (), model: str = "m") -> Scene:
    return Scene(
        at_work=[], waiting=waiting, timings=timings, models={"gpu": model}, bounds=Bounds()
    )


def in_line(owner: str, job: int) -> InLine:
    one = Waiting(owner=PersonId(owner), job=job, model="m")
    return InLine(id=JobId(str(job)), waiting=one, family="sd15", pixels=PIXELS, effort=ONE)


def test_without_history_nothing_is_claimed() -> None:
    verdict = judge(question(), scene(), [ENGINE])
    assert (verdict.verdict, verdict.seconds, verdict.memory) == (Fit.FITS, None, "")


def test_time_comes_from_this_models_own_history() -> None:
    verdict = judge(question(pictures=3), scene(timing(4.0)), [ENGINE])
    assert (verdict.seconds_alone, verdict.jobs_ahead) == (12.0, 0)


def test_loading_another_model_is_counted() -> None:
    verdict = judge(question(), scene(timing(4.0, load_s=6.0), model="other"), [ENGINE])
    assert verdict.loads_model
    assert verdict.seconds_alone == 10.0


def test_a_person_without_jobs_comes_after_one_of_each_other() -> None:
    many = (*(in_line("anna", job) for job in range(1, 50)), in_line("ben", 50))
    verdict = judge(question(), scene(timing(1.0), waiting=many), [ENGINE])
    assert (verdict.jobs_ahead, verdict.seconds) == (2, 3.0)


def test_a_picture_that_takes_long_is_called_slow_with_the_reason() -> None:
    verdict = judge(question(), scene(timing(90.0)), [ENGINE])
    assert verdict.verdict is Fit.SLOW
    assert "on RTX 4070" in verdict.reason


def test_many_pictures_are_called_slow_for_their_number() -> None:
    verdict = judge(question(pictures=100), scene(timing(2.0)), [ENGINE])
    assert verdict.reason.startswith("100 pictures are many")


def test_what_the_engine_gave_up_the_last_time_is_told() -> None:
    verdict = judge(question(), scene(timing(90.0, memory="VAE in tiles")), [ENGINE])
    assert verdict.memory == "VAE in tiles"
    assert "VAE in tiles" in verdict.reason


def test_a_size_that_ran_out_of_memory_is_told_until_it_worked_again() -> None:
    out = timing(1.0, effort=0.0, is_out=True)
    verdict = judge(question(), scene(out), [ENGINE])
    assert verdict.verdict is Fit.CANNOT
    assert "memory was too short for 64 x 64" in verdict.reason
    assert judge(question(), scene(out, timing(1.0)), [ENGINE]).verdict is Fit.FITS


def test_an_engine_that_cant_start_and_a_queue_that_waits_say_why() -> None:
    broken = replace(ENGINE, state=EngineState.FAILED, detail="No driver.")
    assert judge(question(), scene(), [broken]).reason.endswith("No driver.")
    assert judge(question(waiting="The disk is full."), scene(), [ENGINE]).reason == (
        "The disk is full."
    )


def test_a_refusal_names_its_field() -> None:
    refused = InvalidRequest("width", "Too large.")
    verdict = judge(question(refused=refused), scene(timing(1.0)), [ENGINE])
    assert (verdict.verdict, verdict.field, verdict.reason) == (Fit.CANNOT, "width", "Too large.")
    assert verdict.seconds_alone == 1.0
