"""The Script list without a browser: what Generate asks for, and which control is at fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio.components import Component

from tests.conftest import png
from tests.ui.parts import within_loop
from webui.core.errors import InvalidRequest
from webui.core.request import Mode
from webui.plans.plan import PlanRequest
from webui.studio import Studio
from webui.ui.components.mask import mask_canvas, mask_controls
from webui.ui.components.plans import PlanControls, plan_controls
from webui.ui.components.source import source_picture
from webui.ui.components.topbar import top_bar
from webui.ui.form import Form


def controls(studio: Studio, mode: Mode) -> PlanControls:
    def make() -> PlanControls:
        with gr.Blocks():
            form = Form(mode)
            if mode is Mode.IMG2IMG:
                source_picture(studio, form)
            if mode is Mode.INPAINT:
                mask_canvas(studio, form)
                mask_controls(form)
            return plan_controls(top_bar(studio), form)

    return within_loop(make)


def control(part: PlanControls, field: str) -> Component:
    found = part.component(field)
    assert found is not None
    return found


def asked(part: PlanControls, script: str, **options: Any) -> PlanRequest | None:
    """What is asked for with a script chosen and some of its options changed; "__" is a dot."""
    values = {each: getattr(each, "value", None) for each in part.inputs | part.form.inputs}
    values[control(part, "kind")] = script
    for name, value in options.items():
        values[control(part, f"options.{name.replace('__', '.')}")] = value
    return part.asked(values)


def test_without_a_script_there_is_no_plan(idle_studio: Studio) -> None:
    assert asked(controls(idle_studio, Mode.TXT2IMG), "") is None


def test_a_draft_of_a_script_fills_its_controls_again(idle_studio: Studio) -> None:
    part = controls(idle_studio, Mode.TXT2IMG)
    untouched = {each: getattr(each, "value", None) for each in part.inputs}
    steps = {control(part, "options.y.axis"): "steps", control(part, "options.y.values"): "5, 6"}
    draft = part.draft({**untouched, control(part, "kind"): "xyz", **steps})
    shown = part.values(json.loads(json.dumps(draft)))
    assert shown.items() >= {control(part, "kind"): "xyz", **steps}.items()
    assert part.values(part.draft(untouched)) == {}
    assert part.values({"kind": "gone", "fields": {"margin": 4}}) == {}


def test_a_plot_is_asked_for_as_it_is_written(idle_studio: Studio) -> None:
    part = controls(idle_studio, Mode.TXT2IMG)
    plan = asked(part, "xyz", x__values="1-3", y__axis="steps", y__values="5, 6")
    assert plan is not None
    assert plan.options["x"] == {"axis": "seed", "values": "1-3"}
    assert plan.options["y"] == {"axis": "steps", "values": "5, 6"}
    assert idle_studio.plans.begin(plan).cells == 6


@pytest.mark.parametrize(
    ("mode", "scripts"),
    [
        (Mode.TXT2IMG, ["", "xyz", "matrix", "lines", "many"]),
        (Mode.IMG2IMG, ["", "xyz", "matrix", "lines", "many", "loopback", "folder"]),
        (Mode.INPAINT, ["", "xyz", "matrix", "lines", "many", "loopback", "folder"]),
    ],
)
def test_each_tab_offers_what_it_can_do(
    idle_studio: Studio, mode: Mode, scripts: list[str]
) -> None:
    script = control(controls(idle_studio, mode), "kind")
    assert [value for _, value in getattr(script, "choices", [])] == scripts


def test_a_folder_becomes_inputs_with_their_names(idle_studio: Studio, tmp_path: Path) -> None:
    for name, colour in (("a.png", "red"), ("b.png", "blue")):
        (tmp_path / name).write_bytes(png(colour=colour))
    part = controls(idle_studio, Mode.IMG2IMG)
    files = [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    plan = asked(part, "folder", images=files)
    assert plan is not None
    assert [image["name"] for image in plan.options["images"]] == ["a.png", "b.png"]
    assert plan.request.source is not None
    assert plan.request.source.image == plan.options["images"][0]["image"]


def test_a_folder_in_inpaint_needs_no_picture_on_the_canvas(
    idle_studio: Studio, tmp_path: Path
) -> None:
    for name, colour in (("a.png", "red"), ("mask.png", "white")):
        (tmp_path / name).write_bytes(png(colour=colour))
    part = controls(idle_studio, Mode.INPAINT)
    files, masks = [str(tmp_path / "a.png")], [str(tmp_path / "mask.png")]
    plan = asked(part, "folder", images=files, masks=masks)
    assert plan is not None
    assert plan.request.mask is not None
    assert plan.request.mask.image == plan.options["masks"][0]["image"]
    assert idle_studio.plans.begin(plan).cells == 1


def test_a_damaged_file_of_a_folder_is_named(idle_studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(colour="red"))
    (tmp_path / "half.png").write_bytes(b"no picture")
    part = controls(idle_studio, Mode.IMG2IMG)
    files = [str(tmp_path / "a.png"), str(tmp_path / "half.png")]
    with pytest.raises(InvalidRequest, match=r"“half\.png”: The file is not a picture") as fault:
        asked(part, "folder", images=files)
    assert fault.value.field == "options.images"
