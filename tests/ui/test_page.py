"""The page as it is sent: tabs, element ids, nothing public, nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.ui.parts import config_of
from webui.studio import Studio
from webui.ui.build import load_tabs

COMMON = (
    "prompt", "neg_prompt", "generate", "steps", "sampling", "scheduler", "width", "height",
    "res_switch_btn", "cfg_scale", "batch_count", "batch_size", "seed", "random_seed",
    "reuse_seed", "gallery", "results", "settings", "toprow", "generate_box",
)  # fmt: skip
SINGLE = (
    "tabs", "tab_txt2img", "tab_img2img", "quicksettings", "setting_sd_model_checkpoint",
    "img2img_image", "img2maskimg", "img_inpaint_mask", "img2img_denoising_strength",
    "resize_mode", "img2img_mask_blur", "img2img_mask_mode", "img2img_inpaint_full_res",
    "img2img_inpaint_full_res_padding", "settings", "settings_submit", "setting_filename_pattern",
)  # fmt: skip
BUILD_LIMIT_S = 1.5


@pytest.fixture(scope="module")
def config(idle_studio: Studio) -> dict[str, Any]:
    """What the browser is told about the page."""
    return config_of(idle_studio)


def element_ids(config: dict[str, Any]) -> list[str]:
    return [id for part in config["components"] if (id := part["props"].get("elem_id"))]


def test_tabs_are_found_in_their_order() -> None:
    assert [tab.id for tab in load_tabs()] == [
        "txt2img",
        "img2img",
        "inpaint",
        "extras",
        "history",
        "pnginfo",
        "models",
        "extensions",
        "team",
        "settings",
    ]


def test_element_ids_are_a1111s(config: dict[str, Any]) -> None:
    ids = set(element_ids(config))
    tabs = ("txt2img", "img2img", "inpaint")
    wanted = {f"{tab}_{name}" for tab in tabs for name in COMMON} | set(SINGLE)
    assert wanted - ids == set()


def test_no_element_id_is_used_twice(config: dict[str, Any]) -> None:
    ids = element_ids(config)
    assert sorted(ids) == sorted(set(ids))


def test_no_event_is_public(config: dict[str, Any]) -> None:
    assert {event["api_visibility"] for event in config["dependencies"]} == {"private"}


def test_a_window_holds_no_connection_for_gradio(config: dict[str, Any]) -> None:
    assert config["connect_heartbeat"] is False


def test_every_input_has_a_label(config: dict[str, Any]) -> None:
    kinds = {"textbox", "dropdown", "slider", "number", "radio", "checkbox", "image", "imageeditor"}
    inputs = [part for part in config["components"] if part["type"] in kinds]
    assert len(inputs) > 40
    assert [part["props"].get("elem_id") for part in inputs if not part["props"]["label"]] == []


def test_the_starter_model_is_named_with_the_folder_for_real_ones(
    config: dict[str, Any], idle_studio: Studio
) -> None:
    (notice,) = [
        part for part in config["components"] if part["props"].get("elem_id") == "starter_notice"
    ]
    assert "Starter model" in notice["props"]["value"]
    assert str(idle_studio.catalog.folder) in notice["props"]["value"]


def test_the_page_is_built_fast_and_without_torch(tmp_path: Path) -> None:
    code = f"""
import json, sys, time
from pathlib import Path
from tests.conftest import make_studio
import gradio
from webui.ui.build import build_page
studio = make_studio(Path({str(tmp_path)!r}))
studio.catalog.refresh()
start = time.process_time()
build_page(studio)
print(json.dumps([time.process_time() - start, "torch" in sys.modules]))
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    seconds, has_torch = json.loads(done.stdout)
    assert seconds < BUILD_LIMIT_S
    assert not has_torch
