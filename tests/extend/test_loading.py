"""Reading code: apart from that of others, checked, and away again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.extend.conftest import Workshop, on
from webui.extend.extension import State

COUNT = """
from . import tools
INPUTS = [Slider("amount", "Amount", tools.AMOUNT)]
"""


def amount(workshop: Workshop, id: str) -> float:
    """What its inner module said when it was loaded."""
    found = workshop.opened[-1]
    extensions = getattr(found, "extensions", found)
    return float(extensions.get(id).inputs[0].default)


def test_files_of_the_same_name_do_not_clash(workshop: Workshop) -> None:
    workshop.write("one", COUNT, tools="AMOUNT = 0.1")
    workshop.write("two", COUNT, tools="AMOUNT = 0.2")
    workshop.enabled("one", "two")
    assert (amount(workshop, "one"), amount(workshop, "two")) == (0.1, 0.2)


def test_a_reload_reads_all_files_anew(workshop: Workshop) -> None:
    folder = workshop.write("one", COUNT, tools="AMOUNT = 0.1")
    extensions = workshop.enabled("one")
    (folder / "tools.py").write_text("AMOUNT = 0.7")  # as long as before, within the same second
    on(extensions.reload("one"))
    assert amount(workshop, "one") == 0.7


def test_a_reload_takes_the_manifest_anew(workshop: Workshop) -> None:
    workshop.write("one")
    extensions = workshop.enabled("one")
    workshop.write("one", manifest='version = "2"')
    assert on(extensions.reload("one")).manifest.version == "2"


def test_nothing_is_left_behind(workshop: Workshop) -> None:
    paths, modules = list(sys.path), set(sys.modules)
    code = """
    import sys
    from pathlib import Path
    sys.path.insert(0, str(Path(__file__).parent))
    import helper_of_one
    INPUTS = [Slider("amount", "Amount", helper_of_one.AMOUNT)]
    """
    folder = workshop.write("one", code, helper_of_one="AMOUNT = 0.4")
    extensions = workshop.enabled("one")
    assert amount(workshop, "one") == 0.4
    assert sys.path == paths
    extensions.disable("one")
    left = {name for name in set(sys.modules) - modules if "one" in name}
    assert left == set()
    assert [path.name for path in folder.iterdir() if path.name == "__pycache__"] == []


def test_a_package_without_a_module_of_its_own_may_have_engine_hooks(workshop: Workshop) -> None:
    engine = """
    from webui.extend import hook
    import a_module_that_is_not_there
    @hook
    def step_after(state, inputs): ...
    """
    folder = workshop.write("one", engine=engine)
    (folder / "__init__.py").unlink()
    one = on(workshop.enabled("one").get("one"))
    assert one.has_hook("step_after")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import not_there_at_all", "not_there_at_all"),
        ("@hook\ndef image_pots(item): ...", "“image_pots” as a hook, and there is none of that "
         "name. Did you mean “image_post”?"),
        ("@hook\ndef image_post(itme): ...", "The hook “image_post” of “One” takes “itme”, which "
         "it is not given. Did you mean “item”? It may take: item, inputs, ctx."),
        ("@hook(wrapper=True)\ndef image_post(item):\n    yield", "is a wrapper"),
        ("INPUTS = 3", "INPUTS of “One” is no list of inputs"),
        ("INPUTS = [Slider('a', 'A'), Text('a', 'B')]", "the id “a” is there twice"),
        ("INPUTS = [Slider('a b', 'A')]", "“a b”"),
        ("INPUTS = [Slider('a', 'A', 9.0)]", "the default of “a” does not fit"),
        ("SETTINGS = [Choice('a', 'A', 'x', choices=['y'])]", "SETTINGS of “One”"),
    ],
)  # fmt: skip
def test_code_that_can_not_be_used_is_refused_with_the_reason(
    workshop: Workshop, code: str, said: str
) -> None:
    workshop.write("one", code)
    workshop.write("two")
    extensions = workshop.enabled("two")
    one = extensions.enable("one")
    assert one.state is State.FAILED
    assert said in one.error + one.traceback
    assert extensions.get("two").is_on


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("@hook\ndef step_befor(state): ...", "Did you mean “step_before”?"),
        ("@hook\ndef step_before(stat): ...", "Did you mean “state”?"),
        ("def (", "engine.py can't be read"),
    ],
)
def test_hooks_of_the_engine_are_checked_without_running_them(
    workshop: Workshop, engine: str, said: str
) -> None:
    workshop.write("one", engine=f"raise RuntimeError\n{engine}")
    one = workshop.open().enable("one")
    assert one.state is State.FAILED
    assert said in one.error


def test_code_that_hangs_costs_a_moment_and_is_switched_off(workshop: Workshop) -> None:
    workshop.write("stuck", "import threading\nthreading.Event().wait()")
    workshop.write("two")
    extensions = workshop.open(load_s=0.3)
    stuck = extensions.enable("stuck")
    assert (stuck.state, stuck.is_enabled) == (State.FAILED, False)
    assert "did not answer for 0.3 seconds" in stuck.error
    assert extensions.enable("two").is_on


def test_a_single_file_is_an_extension(workshop: Workshop) -> None:
    workshop.script(
        "Quick-thing.py",
        '''
        """Makes all prompts loud.

        And more.
        """
        from webui.extend import hook

        @hook
        def prompt(words):
            from dataclasses import replace
            return replace(words, prompt=words.prompt.upper())

        @hook
        def step_after(state):
            import torch
        ''',
    )
    quick = on(workshop.enabled("quick-thing").get("quick-thing"))
    assert (quick.name, quick.manifest.description) == ("Quick thing", "Makes all prompts loud.")
    assert quick.hooks == {"prompt", "step_after"}


def test_two_studios_of_one_process_keep_apart(workshop: Workshop, tmp_path: Path) -> None:
    workshop.write("one", COUNT, tools="AMOUNT = 0.1")
    first = workshop.enabled("one")
    other = Workshop(tmp_path / "other")
    other.write("one", COUNT, tools="AMOUNT = 0.9")
    second = other.enabled("one")
    other.close()
    assert second.all()[0].inputs == ()
    assert first.get("one").inputs[0].default == 0.1


@pytest.mark.parametrize("line", ["import torch", "from torch.nn import functional"])
def test_torch_stays_out_of_the_server(workshop: Workshop, line: str) -> None:
    workshop.write("one", line)
    one = workshop.open().enable("one")
    assert "imports torch at line 4 of __init__.py" in one.error
    workshop.write("one", f"def paint():\n    {line}")
    on(workshop.opened[-1].reload("one"))  # type: ignore[union-attr]
