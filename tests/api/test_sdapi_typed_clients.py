"""Programs by the requests that they send: values that are not quite what the fields are for, and
answers that are read into the types of other languages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.sdapi import SMALL, Program, alone, mask, opened, picture

IGNORED = "x-gesso-ignored"


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with alone(tmp_path_factory.mktemp("sdapi-typed")) as made:
        yield made


def unity(**more: object) -> dict[str, Any]:
    """The fields that the Unity integration of A1111 always sends."""
    return {
        "enable_hr": False, "denoising_strength": 0.0, "firstphase_width": 0, "hr_scale": 2.0,
        "hr_upscaler": "", "hr_resize_x": 0, "prompt": "a cat", "styles": [""], "seed": -1,
        "subseed": -1, "subseed_strength": 0.0, "seed_resize_from_h": -1, "sampler_name": "Euler a",
        "batch_size": 1, "n_iter": 1, "steps": 2, "cfg_scale": 7.0, "width": 64, "height": 64,
        "restore_faces": False, "tiling": False, "negative_prompt": "", "eta": 0.0, "s_tmax": 0.0,
        "s_noise": 1.0, "override_settings_restore_afterwards": True, "sampler_index": "Euler",
        "override_settings": None, **more,
    }  # fmt: skip


def test_a_style_without_a_name_is_passed_over(single: Program) -> None:
    """Unity's sends one always. What is ignored goes into a header, which can't end in a blank."""
    assert single.post("txt2img", unity())["images"]
    init = {"init_images": [picture()], "script_args": [], "initial_noise_multiplier": 1}
    assert single.post("img2img", unity(**init))["images"]


@pytest.mark.parametrize("name", ["", " ", " warm ", "\t", "warm\n"])
def test_names_of_blanks_reach_the_header(single: Program, name: str) -> None:
    answer = single.ask("POST", "txt2img", {**SMALL, "styles": [name], name: 1})
    assert answer.status == 200
    assert answer.one(IGNORED)


def test_so_many_names_as_a_page_has_reach_the_header(single: Program) -> None:
    """Auto-Photoshop sends all that its panel holds. Wherever the list is cut, it can be sent."""
    for length in range(1, 12):
        fields = {f"{'x' * length}_{number:03}": 1 for number in range(400)}
        answer = single.ask("POST", "txt2img", {**SMALL, **fields})
        assert answer.status == 200
        assert answer.one(IGNORED)


def test_a_float_of_another_language_can_read_the_strength(single: Program) -> None:
    """C# throws where a number is null."""
    answer = single.post("txt2img", unity(denoising_strength=0.5))
    info = json.loads(answer["info"])
    assert info["denoising_strength"] == 0.5
    numbers = ("seed", "subseed", "subseed_strength", "cfg_scale", "steps", "clip_skip")
    assert all(isinstance(info[name], int | float) for name in numbers)


def test_whole_numbers_are_written_without_a_point(single: Program) -> None:
    """Rust's crate reads them into integers, in the request that is repeated as well."""
    answer = single.post("txt2img", unity(cfg_scale=4.5))
    info = json.loads(answer["info"])
    for told in (answer["parameters"], info):
        assert isinstance(told["subseed_strength"], int)
        assert told["cfg_scale"] == 4.5


def test_what_stands_behind_the_point_is_cut_off(single: Program) -> None:
    """aiyabot halves the steps for the second pass; openOutpaint multiplies sides."""
    body = {
        "width": 64.9, "height": "64", "steps": 5.0, "seed": 12.7, "enable_hr": True,
        "hr_second_pass_steps": 2.5, "hr_resize_x": 83.2, "hr_resize_y": 83.2,
        "hr_upscaler": "Latent", "styles": ["None"], "denoising_strength": 0.5,
        "override_settings": {"CLIP_stop_at_last_layers": 1.5},
    }  # fmt: skip
    answer = single.post("txt2img", body)
    assert opened(answer["images"][0]).size == (80, 80)
    asked = single.asked()
    assert (asked.width, asked.seed, asked.hires.steps) == (64, 12, 2)


def test_a_number_serves_as_a_text(single: Program) -> None:
    assert single.make(prompt=1984, force_task_id=5)["parameters"]["prompt"] == "1984"
    assert single.refused("txt2img", {**SMALL, "sampler_index": 0})[0] == 400
    assert single.refused("txt2img", {**SMALL, "prompt": True})[0] == 422


def test_a_clip_skip_of_nought_is_none(single: Program) -> None:
    single.make(override_settings={"CLIP_stop_at_last_layers": 0})
    assert single.asked().sampling.clip_skip == 1


def test_an_image_scale_for_other_models_is_told_and_passed_over(single: Program) -> None:
    """openOutpaint sends 0.5 with every picture."""
    body = {**SMALL, "init_images": [picture()], "mask": mask(), "image_cfg_scale": 0.5}
    answer = single.ask("POST", "img2img", body)
    assert answer.status == 200
    assert "image_cfg_scale" in answer.one(IGNORED)
    assert single.asked().source.image_guidance == 1.0


def test_a_batch_under_another_name_is_refused(single: Program) -> None:
    """The package stable-diffusion-api of npm says image_list, as an old A1111 did."""
    body = {"image_list": [{"image": picture(), "name": "a"}], "upscaler_1": "Nearest"}
    status, detail = single.refused("extra-batch-images", body)
    assert status == 422
    assert "imageList" in detail
