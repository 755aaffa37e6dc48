"""Which extensions are on: what keeps them off, what is remembered, who is switched off."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import until
from tests.extend.conftest import Workshop, on
from webui.core.errors import ExtensionFailed, InvalidRequest, NotFound
from webui.extend.extension import State
from webui.extend.extensions import Extensions, Safety

FRAGILE = """
@hook
def prompt(words):
    raise ValueError("too loud")
@hook
def app_ready(ctx):
    (ctx.data / "ready").write_text("")
@hook
def app_close(ctx):
    (ctx.data / "closed").write_text("")
"""


def states(extensions: Extensions) -> dict[str, str]:
    return {each.id: each.state.value for each in extensions.all()}


def test_what_was_chosen_is_remembered(workshop: Workshop) -> None:
    workshop.write("one", "SETTINGS = [Text('who', 'Who'), Toggle('loud', 'Loud', True)]")
    workshop.write("two")
    extensions = workshop.enabled("one", "two")
    extensions.disable("two")
    extensions.set_settings("one", {"who": "me"})
    workshop.close()
    again = workshop.open()
    assert states(again) == {"one": "on", "two": "off"}
    assert again.settings("one") == {"who": "me", "loud": True}


def test_settings_are_checked(workshop: Workshop) -> None:
    workshop.write("one", "SETTINGS = [Toggle('loud', 'Loud')]")
    extensions = workshop.enabled("one")
    with pytest.raises(InvalidRequest) as refused:
        extensions.set_settings("one", {"loud": "very"})
    assert refused.value.field == "settings.loud"
    assert extensions.settings("one") == {"loud": False}
    with pytest.raises(NotFound):
        extensions.set_settings("two", {})
    extensions.set_settings("one", {"loud": True})
    extensions.disable("one")
    with pytest.raises(InvalidRequest, match="“One” is off"):
        extensions.set_settings("one", {})
    extensions.enable("one")
    assert extensions.settings("one") == {"loud": True}


def test_a_setting_that_does_not_fit_any_more_has_its_default(workshop: Workshop) -> None:
    folder = workshop.write("one", "SETTINGS = [Slider('size', 'Size', 5.0, high=9.0)]")
    extensions = workshop.enabled("one")
    extensions.set_settings("one", {"size": 8.0})
    text = (folder / "__init__.py").read_text()
    (folder / "__init__.py").write_text(text.replace("high=9.0", "high=6.0"))
    extensions.reload("one")
    assert extensions.settings("one") == {"size": 5.0}


def test_a_damaged_memory_is_set_aside(workshop: Workshop) -> None:
    workshop.write("one")
    workshop.enabled("one")
    workshop.close()
    (workshop.data / "state.json").write_text("{")
    assert states(workshop.open()) == {"one": "off"}
    assert list(workshop.data.glob("state.damaged-*"))


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ('api = ">=2"', "needs a version of webui.extend that is >=2; this is 1.0"),
        ('app = "<0.1"', "needs a version of Gesso that is <0.1"),
        ('python = "<3"', "needs a version of Python"),
        ('api = "two"', "is no version specifier"),
        ('platforms = ["amiga"]', "runs on amiga only"),
        ('requires = ["moon"]', "needs the extension “moon”, which is not here"),
        ('requires = ["off"]', "needs the extension “Off”, which is not on. Switch it on first"),
        ('conflicts = ["two"]', "“One” and “Two” can't be on together. Switch one of them off."),
        ('before = ["two"]\nafter = ["two"]', "want to come before each other"),
    ],
)
def test_who_can_not_be_on_says_why(workshop: Workshop, manifest: str, said: str) -> None:
    workshop.write("off")
    workshop.write("two")
    workshop.write("one", manifest=manifest)
    extensions = workshop.enabled("two")
    one = extensions.enable("one")
    assert (one.state, one.is_enabled) == (State.UNFIT, True)
    assert said in one.error


def test_the_other_one_may_say_that_they_conflict(workshop: Workshop) -> None:
    workshop.write("two", manifest='conflicts = ["one"]')
    workshop.write("one")
    assert "can't be on together" in workshop.enabled("two").enable("one").error


def test_what_others_need_comes_first_and_takes_them_along(workshop: Workshop) -> None:
    workshop.write("a-first", manifest='after = ["c-base"]')
    workshop.write("b-needs", manifest='requires = ["c-base"]')
    workshop.write("c-base")
    workshop.write("d-front", manifest='before = ["a-first"]')
    extensions = workshop.enabled("c-base", "a-first", "b-needs", "d-front")
    order = [each.id for each in extensions.all()]
    assert order.index("c-base") < min(order.index("a-first"), order.index("b-needs"))
    assert order.index("d-front") < order.index("a-first")
    extensions.disable("c-base")
    assert states(extensions) == {
        "a-first": "on",
        "b-needs": "unfit",
        "c-base": "off",
        "d-front": "on",
    }
    extensions.enable("c-base")
    assert extensions.get("b-needs").is_on


def test_three_failures_switch_one_off_until_somebody_wants_it_again(workshop: Workshop) -> None:
    workshop.write("fragile", FRAGILE)
    workshop.write("two")
    extensions = workshop.enabled("fragile", "two")
    for _ in range(3):
        with pytest.raises(ExtensionFailed, match="“Fragile” failed at prompt: ValueError: too"):
            extensions.call("fragile", "prompt", words=None, inputs=None)
    fragile = until(lambda: not extensions.get("fragile").hooks and extensions.get("fragile"))
    assert (fragile.state, fragile.is_enabled) == (State.FAILED, False)
    assert "failed 3 times, last at prompt: ValueError: too loud. It was switched off" in (
        fragile.error
    )
    assert [each.hook for each in fragile.failures] == ["prompt"] * 3
    assert "too loud" in fragile.failures[0].traceback
    assert extensions.call("fragile", "prompt", words=None, inputs=None) is None
    assert extensions.get("two").is_on
    workshop.close()
    again = workshop.open()
    assert again.get("fragile").error == fragile.error
    assert on(again.enable("fragile")).failures == ()


def test_failures_elsewhere_count_as_well(workshop: Workshop) -> None:
    workshop.write("one")
    extensions = workshop.enabled("one")
    extensions.report("one", "step_after", "", 0.25)
    assert extensions.get("one").seconds >= 0.25
    for _ in range(3):
        extensions.report("one", "step_after", "Traceback ...\nValueError: dark", 0.0, "job7")
    one = until(lambda: extensions.get("one").state is State.FAILED and extensions.get("one"))
    assert (one.failures[0].message, one.failures[0].job) == ("ValueError: dark", "job7")


@pytest.mark.parametrize(
    ("safety", "left"),
    [
        (Safety(is_safe_mode=True), []),
        (Safety(only=frozenset({"one"})), ["one"]),
        (Safety(off=frozenset({"one"})), ["two"]),
        (Safety.of(is_safe_mode=False, only="", off=" one , two "), []),
    ],
)
def test_flags_hold_extensions_back_for_one_start(
    workshop: Workshop, safety: Safety, left: list[str]
) -> None:
    for id in ("one", "two"):
        workshop.write(id)
    workshop.enabled("one", "two")
    workshop.close()
    held = workshop.open(safety)
    assert [each.id for each in held.all() if each.is_on] == left
    assert all(each.is_enabled and (each.is_on or each.error) for each in held.all())
    workshop.close()
    assert states(workshop.open()) == {"one": "on", "two": "on"}


@pytest.mark.parametrize("culprit", ["e0", "e3", "e6", None])
def test_a_search_by_halves_ends_at_the_culprit(workshop: Workshop, culprit: str | None) -> None:
    ids = [f"e{n}" for n in range(7)]
    for id in ids:
        workshop.write(id, manifest="" if id == "e0" else 'requires = ["e0"]')
    extensions = workshop.enabled(*ids)
    extensions.begin_bisection()
    asked = 0
    while (step := extensions.bisection) is not None and not step.is_over:
        asked += 1
        assert asked <= 5
        is_bad = culprit is None or extensions.get(culprit).is_on
        extensions.answer_bisection(is_bad=is_bad)
    assert step is not None
    assert step.culprit == (culprit or "")
    extensions.end_bisection()
    assert set(states(extensions).values()) == {"on"}


def test_a_search_goes_on_after_a_restart(workshop: Workshop) -> None:
    workshop.write("one")
    workshop.enabled("one").begin_bisection()
    workshop.close()
    again = workshop.open()
    assert again.get("one").state is State.HELD
    again.answer_bisection(is_bad=False)
    assert again.bisection is not None
    assert again.bisection.culprit == "one"


def test_who_was_being_loaded_when_the_server_died_is_off(workshop: Workshop) -> None:
    workshop.write("one")
    workshop.write("two")
    workshop.enabled("one", "two")
    workshop.close()
    (workshop.data / "booting").write_text("one")
    again = workshop.open()
    assert states(again) == {"two": "on", "one": "failed"}
    assert "The server died while this extension was being loaded" in again.get("one").error
    workshop.close()
    assert states(workshop.open()) == {"two": "on", "one": "failed"}
    assert on(workshop.opened[-1].enable("one")).error == ""  # type: ignore[union-attr]


@pytest.mark.slow
def test_a_kill_during_a_load_leads_to_a_safe_start(workshop: Workshop) -> None:
    marker = workshop.root / "loading"
    workshop.write("two")
    workshop.enabled("two")
    workshop.close()
    code = f"from pathlib import Path\nPath({str(marker)!r}).touch()\nimport time\ntime.sleep(99)"
    workshop.write("deadly", code)
    state = json.loads((workshop.data / "state.json").read_text())
    state["enabled"]["deadly"] = True
    (workshop.data / "state.json").write_text(json.dumps(state))
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(workshop.root)], cwd=Path(__file__).parents[2]
    )
    until(marker.exists)
    os.kill(server.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    server.wait()
    again = workshop.open()
    assert states(again) == {"two": "on", "deadly": "failed"}
    assert "The server died while" in again.get("deadly").error


_SERVER = """
import sys
from pathlib import Path
from webui.extend.extensions import Extensions, Places
root = Path(sys.argv[1])
places = Places(shipped=root / "shipped", folder=root / "extensions",
                data=root / "data" / "extensions")
Extensions(places).start()
"""


def test_those_that_come_and_go_are_seen_at_a_scan(workshop: Workshop) -> None:
    folder = workshop.write("one")
    extensions = workshop.enabled("one")
    changes: list[bool] = []
    extensions.on_change(changes.append)
    workshop.write("two")
    extensions.scan()
    assert states(extensions) == {"one": "on", "two": "off"}
    assert changes == [False]
    folder.rename(workshop.root / "elsewhere")
    extensions.scan()
    assert states(extensions) == {"two": "off"}
    assert changes == [False, True]
    with pytest.raises(NotFound):
        extensions.enable("one")


def test_extensions_are_told_when_they_begin_and_end(workshop: Workshop) -> None:
    workshop.write("one", FRAGILE)
    extensions = workshop.enabled("one")
    data = extensions.data("one")
    assert not (data / "ready").exists()
    extensions.ready()
    until((data / "ready").exists)
    (data / "ready").unlink()
    on(extensions.reload("one"))
    assert (data / "closed").exists()
    until((data / "ready").exists)


def test_a_watcher_that_fails_stops_nobody(workshop: Workshop) -> None:
    workshop.write("one")
    extensions = workshop.open()
    seen: list[bool] = []
    extensions.on_change(lambda is_page: 1 / 0)  # type: ignore[arg-type, return-value]
    extensions.on_change(seen.append)
    extensions.enable("one")
    assert seen == [True]
