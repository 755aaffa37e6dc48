"""A1111's txt2img and img2img: what a program asks for, what is made, what it gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.sdapi import SMALL, Program, alone, mask, opened, picture
from tests.conftest import until
from webui.core.job import LOCAL
from webui.core.request import MaskArea, MaskContent, ResizeMode, Tiling

INFO = {
    "prompt", "all_prompts", "negative_prompt", "all_negative_prompts", "seed", "all_seeds",
    "subseed", "all_subseeds", "subseed_strength", "width", "height", "sampler_name", "cfg_scale",
    "steps", "batch_size", "restore_faces", "face_restoration_model", "sd_model_name",
    "sd_model_hash", "sd_vae_name", "sd_vae_hash", "seed_resize_from_w", "seed_resize_from_h",
    "denoising_strength", "extra_generation_params", "index_of_first_image", "infotexts",
    "styles", "job_timestamp", "clip_skip", "is_using_inpainting_conditioning", "version",
}  # fmt: skip


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with alone(tmp_path_factory.mktemp("sdapi")) as made:
        yield made


def info_of(answer: dict[str, Any]) -> dict[str, Any]:
    info: dict[str, Any] = json.loads(answer["info"])
    return info


def prompts(program: Program, search: str) -> list[str]:
    """Of the pictures in the gallery."""
    return [found.recipe.prompt for found in program.studio.gallery.page(LOCAL, search=search)]


def test_an_empty_request_has_the_defaults_of_the_api(program: Program) -> None:
    answer = program.post("txt2img", {})
    assert set(answer) == {"images", "parameters", "info"}
    info = info_of(answer)
    assert set(info) == INFO
    assert (info["steps"], info["cfg_scale"], info["sampler_name"]) == (50, 7, "Euler")
    assert (info["width"], info["height"], info["index_of_first_image"]) == (512, 512, 0)
    assert opened(answer["images"][0]).size == (512, 512)
    assert answer["parameters"]["steps"] == 50
    assert answer["parameters"]["sampler_index"] == "Euler"
    assert answer["parameters"]["denoising_strength"] == 0.75


def test_pictures_carry_their_parameters(program: Program) -> None:
    answer = program.make(prompt="a cat", seed=7, batch_size=2, n_iter=2, negative_prompt="dog")
    info = info_of(answer)
    assert info["all_seeds"] == [7, 8, 9, 10]
    assert info["all_prompts"] == ["a cat"] * 4
    pictures = [opened(image) for image in answer["images"]]
    assert [picture.format for picture in pictures] == ["PNG"] * 4
    assert [picture.info["parameters"] for picture in pictures] == info["infotexts"]
    assert info["infotexts"][1].startswith("a cat\nNegative prompt: dog\nSteps: 2, Sampler: Euler,")
    assert "Seed: 8" in info["infotexts"][1]


def test_the_same_seed_gives_the_same_picture(program: Program) -> None:
    first, second = (program.make(prompt="a cat", seed=3) for _ in range(2))
    assert opened(first["images"][0]).tobytes() == opened(second["images"][0]).tobytes()


def test_pictures_are_kept_only_when_they_are_to_be_saved(program: Program) -> None:
    gone = info_of(program.make(prompt="not to be kept", seed=1))
    kept = info_of(program.make(prompt="to be kept", seed=1, save_images=True))
    assert gone["prompt"] == "not to be kept"
    until(lambda: prompts(program, "to be kept") == [kept["prompt"]])


def test_a_grid_comes_first_when_several_pictures_are_saved(program: Program) -> None:
    answer = program.make(batch_size=4, save_images=True)
    assert info_of(answer)["index_of_first_image"] == 1
    assert len(info_of(answer)["infotexts"]) == 5
    sizes = [opened(image).size for image in answer["images"]]
    assert sizes == [(128, 128), *[(64, 64)] * 4]


def test_pictures_need_not_be_sent(program: Program) -> None:
    answer = program.make(send_images=False, seed=5)
    assert answer["images"] == []
    assert info_of(answer)["all_seeds"] == [5]


def test_null_stands_for_the_default(program: Program) -> None:
    fields = program.make().get("parameters")
    answer = program.make(**{name: None for name in fields if name not in SMALL})
    assert info_of(answer)["sampler_name"] == "Euler"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"sampler_name": "DPM++ 2M", "scheduler": "Karras"}, ("dpmpp_2m", "karras")),
        ({"sampler_name": "DPM++ 2M Karras"}, ("dpmpp_2m", "karras")),
        ({"sampler_name": "DPM++ 2M Karras", "scheduler": "automatic"}, ("dpmpp_2m", "karras")),
        ({"sampler_name": "Euler a", "scheduler": "automatic"}, ("euler_a", "automatic")),
        ({"sampler_name": None, "sampler_index": "Heun"}, ("heun", "automatic")),
        ({"sampler_name": "", "sampler_index": "DDIM"}, ("ddim", "automatic")),
        ({"sampler_name": "k_euler_a", "scheduler": "SGM Uniform"}, ("euler_a", "sgm_uniform")),
    ],
)
def test_samplers_go_by_all_their_names(
    program: Program, fields: dict[str, Any], expected: tuple[str, str]
) -> None:
    program.make(**fields)
    assert (program.asked().sampling.sampler, program.asked().sampling.schedule) == expected


def test_fine_points_reach_the_sampler(program: Program) -> None:
    program.make(eta=1.0, s_churn=3, s_tmin=0.1, s_tmax=0, s_noise=1.1, s_min_uncond=0.5, tiling=1)
    asked = program.asked()
    parameters = asked.sampling.parameters
    assert (parameters.eta, parameters.churn, parameters.churn_from) == (1.0, 3, 0.1)
    assert (parameters.churn_to, parameters.noise_factor) == (None, 1.1)
    assert (asked.guidance.skip_below, asked.tiling) == (0.5, Tiling.BOTH)


def test_variation_and_resized_seeds(program: Program) -> None:
    answer = program.make(
        seed=5, subseed=9, subseed_strength=0.3, batch_size=2,
        seed_resize_from_w=128, seed_resize_from_h=64,
    )  # fmt: skip
    info = info_of(answer)
    assert (info["all_seeds"], info["all_subseeds"]) == ([5, 5], [9, 10])
    assert (info["seed_resize_from_w"], info["seed_resize_from_h"]) == (128, 64)
    assert program.asked().noise.variation_strength == 0.3


def test_hires_fields_mean_a_second_pass(program: Program) -> None:
    answer = program.make(
        enable_hr=True, hr_scale=2, hr_upscaler="Latent (nearest)", hr_second_pass_steps=3,
        denoising_strength=0.6, hr_sampler_name="Heun", hr_scheduler="Use same scheduler",
        hr_checkpoint_name="Use same checkpoint", hr_prompt="", hr_negative_prompt="blurred",
        hr_cfg=4, hr_additional_modules=["Use same choices"],
    )  # fmt: skip
    hires = program.asked().hires
    assert opened(answer["images"][0]).size == (128, 128)
    assert (hires.upscaler, hires.steps, hires.denoising_strength) == ("Latent (nearest)", 3, 0.6)
    assert (hires.sampler, hires.checkpoint, hires.prompt) == ("heun", None, None)
    assert (hires.negative_prompt, hires.guidance_scale) == ("blurred", 4)
    assert info_of(answer)["denoising_strength"] == 0.6


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"hr_resize_x": 128, "hr_resize_y": 96}, (128, 96)),
        ({"hr_resize_x": 128}, (128, 128)),
        ({"hr_upscaler": "None", "hr_scale": 1.5}, (96, 96)),
        (
            {"firstphase_width": 64, "firstphase_height": 64, "width": 128, "height": 128},
            (128, 128),
        ),
    ],
)
def test_the_size_of_a_second_pass(
    program: Program, fields: dict[str, Any], size: tuple[int, int]
) -> None:
    assert opened(program.make(enable_hr=True, **fields)["images"][0]).size == size


def test_hires_fields_count_for_nothing_when_it_is_off(program: Program) -> None:
    program.make(enable_hr=False, hr_upscaler="string", hr_checkpoint_name="string")
    assert program.asked().hires is None


def test_a_refiner_takes_over(program: Program) -> None:
    program.make(refiner_checkpoint="starter", refiner_switch_at=0.6)
    refiner = program.asked().refiner
    assert (refiner.checkpoint, refiner.switch_at) == ("starter", 0.6)
    program.make(refiner_checkpoint="None")
    assert program.asked().refiner is None


def test_larger_batches_than_ours_are_made_in_parts(program: Program) -> None:
    answer = program.make(batch_size=10, seed=1, steps=1)
    assert info_of(answer)["all_seeds"] == list(range(1, 11))
    assert info_of(answer)["batch_size"] == 10


def test_sizes_are_rounded_down_to_whole_cells(program: Program) -> None:
    assert opened(program.make(width=71, height=100)["images"][0]).size == (64, 96)


def test_networks_can_be_switched_off(program: Program) -> None:
    program.make(prompt="a cat <lora:nowhere:1>", disable_extra_networks=True)
    assert "lora" not in program.asked().prompt
    assert program.refused("txt2img", {**SMALL, "prompt": "<lora:nowhere:1>"})[0] == 422


def test_an_infotext_fills_only_what_is_not_sent(program: Program) -> None:
    text = (
        "a red apple\nNegative prompt: pear\nSteps: 3, Sampler: Heun, Schedule type: Karras, "
        "CFG scale: 4.5, Seed: 42, Size: 96x64, Model: starter, Clip skip: 2, "
        "Denoising strength: 0.4, Hires upscale: 2, Hires upscaler: Latent"
    )
    answer = program.post("txt2img", {"infotext": text, "steps": 2, "enable_hr": False})
    info, asked = info_of(answer), program.asked()
    assert (info["prompt"], info["negative_prompt"], info["seed"]) == ("a red apple", "pear", 42)
    assert (info["steps"], info["sampler_name"], info["cfg_scale"]) == (2, "Heun", 4.5)
    assert (info["width"], info["height"], info["clip_skip"]) == (96, 64, 2)
    assert (asked.sampling.schedule, asked.hires) == ("karras", None)


def test_what_an_infotext_says_without_sense_is_left_out(program: Program) -> None:
    text = (
        "a pear\nSteps: many, Sampler: Heun, CFG scale: x, Seed: 4, Size: 64x64, Hires upscale: y"
    )
    info = info_of(program.post("txt2img", {"infotext": text, "steps": 2, "enable_hr": False}))
    assert (info["prompt"], info["seed"], info["cfg_scale"]) == ("a pear", 4, 7)
    assert program.refused("txt2img", {"infotext": text, "cfg_scale": "y"})[0] == 422


def test_what_means_nothing_here_is_named(program: Program) -> None:
    body = {**SMALL, "restore_faces": True, "styles": ["no such style"], "hallo": 1}
    answer = program.ask("POST", "txt2img", body)
    named = answer.one("x-gesso-ignored")
    assert all(word in named for word in ("restore_faces", "no such style", "hallo"))
    assert info_of(json.loads(answer.body))["ignored"]


def test_a_source_is_painted_over(program: Program) -> None:
    body = {**SMALL, "init_images": [f"data:image/png;base64,{picture()}"], "prompt": "a cat",
            "denoising_strength": 0.5, "resize_mode": 1, "initial_noise_multiplier": 0.9,
            "image_cfg_scale": 2}  # fmt: skip
    answer = program.post("img2img", body)
    source = program.asked().source
    assert (source.denoising_strength, source.resize_mode) == (0.5, ResizeMode.CROP)
    assert (source.noise_multiplier, source.image_guidance) == (0.9, 2)
    assert answer["parameters"]["init_images"] is None
    red = opened(answer["images"][0]).getpixel((32, 32))
    assert isinstance(red, tuple)
    assert red[0] > 110
    shown = program.post("img2img", {**body, "include_init_images": True})
    assert len(shown["parameters"]["init_images"]) == 1


def test_the_defaults_of_a_mask_are_those_of_the_api(program: Program) -> None:
    program.post("img2img", {**SMALL, "init_images": [picture()], "mask": mask()})
    found = program.asked().mask
    assert (found.blur, found.area, found.padding) == (4, MaskArea.MASKED, 0)
    assert (found.content, found.inverted) == (MaskContent.FILL, False)


def test_a_mask_as_it_is_asked_for(program: Program) -> None:
    answer = program.post(
        "img2img",
        {**SMALL, "init_images": [picture()], "mask": mask(), "mask_blur": 0, "seed": 1,
         "inpainting_fill": 1, "inpaint_full_res": False, "inpainting_mask_invert": 1},
    )  # fmt: skip
    found = program.asked().mask
    assert (found.blur, found.area, found.inverted) == (0, MaskArea.WHOLE, True)
    assert found.content is MaskContent.ORIGINAL
    made = opened(answer["images"][0]).convert("RGB")
    assert made.getpixel((32, 32)) == (255, 0, 0)
    assert made.getpixel((2, 2)) != (255, 0, 0)


def test_several_sources_make_one_picture_each(program: Program) -> None:
    images = [picture(colour="red"), picture(colour="blue")]
    answer = program.post("img2img", {**SMALL, "init_images": images, "denoising_strength": 0})
    first, second = (opened(image).convert("RGB").getpixel((9, 9)) for image in answer["images"])
    assert (first, second) == ((255, 0, 0), (0, 0, 255))
    one, two = info_of(answer)["all_seeds"]
    assert two == (one + 1) % 2**32


def test_soft_inpainting_is_an_always_on_script(program: Program) -> None:
    scripts = {"soft inpainting": {"args": [True, 2.0, 0.25]}}
    body = {**SMALL, "init_images": [picture()], "mask": mask(), "alwayson_scripts": scripts}
    program.post("img2img", body)
    soft = program.asked().mask.soft
    assert (soft.schedule_bias, soft.preservation_strength) == (2.0, 0.25)


def test_guidance_comes_by_forges_scripts(program: Program) -> None:
    scripts = {
        "FreeU Integrated (SD 1.x, SD 2.x, SDXL)": [True, 1.3, 1.4, 0.9, 0.2, 0, 0.8],
        "SelfAttentionGuidance Integrated (SD 1.x, SD 2.x, SDXL)": [True, 0.6, 3, 1],
        "PerturbedAttentionGuidance Integrated": [True, 2.5, 0, 0],
        "DynamicThresholding (CFG-Fix) Integrated": [
            True, 7, 0.9, "Constant", 0, "Constant", 0, 1, "enable", "MEAN", "AD", 1
        ],
    }  # fmt: skip
    program.make(alwayson_scripts={name: {"args": args} for name, args in scripts.items()})
    guidance = program.asked().guidance
    assert (guidance.freeu.b1, guidance.freeu.end) == (1.3, 0.8)
    assert (guidance.self_attention, guidance.self_attention_blur) == (0.6, 3)
    assert (guidance.perturbed_attention, guidance.mimic_scale) == (2.5, 7)
    assert guidance.mimic_percentile == 0.9


def test_all_of_a_page_may_be_sent_switched_off(program: Program) -> None:
    """Programs copy whole requests from A1111's page, with every script that it had."""
    scripts = {
        "ADetailer": [False, True, {"ad_model": "face_yolov8n.pt"}],
        "Comments": [],
        "ControlNet": [{"enabled": False, "image": None, "module": "None"}] * 3,
        "DynamicThresholding (CFG-Fix) Integrated": [False, 7, 1, "Half Cosine Up", 0],
        "Extra options": [],
        "FreeU Integrated (SD 1.x, SD 2.x, SDXL)": [False, 1.01, 1.02, 0.99, 0.95, 0, 1],
        "HyperTile Integrated": [False, 256, 2, 0, False],
        "Kohya HRFix Integrated": [False, 3, 2, 0, 0.35, True, "bicubic", "bicubic"],
        "LatentModifier Integrated": [False, 0, "anisotropic"],
        "MultiDiffusion Integrated": [False, "MultiDiffusion", 768, 768, 64, 4],
        "Never OOM Integrated": [False, False],
        "Refiner": [False, "", 0.8],
        "Sampler": [20, "DPM++ 2M", "Automatic"],
        "Seed": [-1, False, -1, 0, 0, 0],
        "Soft inpainting": [False, 1, 0.5, 4, 0, 0.5, 2],
        "StyleAlign Integrated": [False, 1],
    }
    body = {"alwayson_scripts": {name: {"args": args} for name, args in scripts.items()}}
    program.make(**body, seed=3, steps=2)
    asked = program.asked()
    assert (asked.seed, asked.sampling.steps, asked.sampling.sampler) == (3, 2, "euler")
    assert (asked.refiner, asked.guidance.freeu) == (None, None)


@pytest.mark.parametrize(
    ("path", "fields", "status", "words"),
    [
        ("txt2img", {"sampler_name": "nope"}, 400, "Sampler not found"),
        ("txt2img", {"scheduler": "nope"}, 400, "Scheduler not found"),
        ("txt2img", {"script_name": "nope"}, 422, "Script “nope” not found"),
        ("txt2img", {"script_name": "loopback"}, 422, "not found"),
        ("txt2img", {"alwayson_scripts": {"nope": {"args": []}}}, 422, "Always on script"),
        ("txt2img", {"alwayson_scripts": {"Prompt matrix": {"args": []}}}, 422, "selectable"),
        (
            "txt2img",
            {"alwayson_scripts": {"ADetailer": {"args": [True, {"ad_model": "face"}]}}},
            422,
            "Always on script",
        ),
        (
            "txt2img",
            {"alwayson_scripts": {"Kohya HRFix Integrated": {"args": [True, 3]}}},
            422,
            "Always on script",
        ),
        ("txt2img", {"alwayson_scripts": {"FreeU Integrated": {"args": [1, "x"]}}}, 422, "B1"),
        ("txt2img", {"alwayson_scripts": {"FreeU Integrated": {"args": [1, 9]}}}, 422, "9"),
        ("txt2img", {"alwayson_scripts": {"Soft inpainting": {"args": [True]}}}, 422, "txt2img"),
        ("txt2img", {"steps": "many"}, 422, "steps"),
        ("txt2img", {"steps": 151}, 422, "151"),
        ("txt2img", {"width": 4096}, 422, "4096"),
        ("txt2img", {"seed": 2**32}, 422, "too large"),
        ("txt2img", {"prompt": "(a:1.2:3"}, 200, ""),
        ("txt2img", {"override_settings": {"sd_model_checkpoint": "nope"}}, 422, "nope"),
        ("txt2img", {"override_settings": {"randn_source": "moon"}}, 422, "moon"),
        ("img2img", {}, 404, "Init image not found"),
        ("img2img", {"init_images": []}, 404, "Init image not found"),
        ("img2img", {"init_images": ["%%%"]}, 500, "Invalid encoded image"),
        ("img2img", {"init_images": ["aGVsbG8="]}, 500, "Invalid encoded image"),
        ("img2img", {"init_images": ["http://127.0.0.1/a.png"]}, 500, "address"),
        ("img2img", {"init_images": [""]}, 500, "empty"),
        ("img2img", {"init_images": ["x"] * 65}, 422, "too many"),
    ],
)
def test_refusals_have_the_statuses_of_a1111(
    program: Program, path: str, fields: dict[str, Any], status: int, words: str
) -> None:
    if status == 200:
        program.make(**fields)
        return
    answered, detail = program.refused(path, {**SMALL, **fields})
    assert (answered, words in detail) == (status, True), detail


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'"x"',
        b"\xff",
        b'{"steps": NaN}',
        rb'{"image": "\ud83d"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_json_object_is_refused(program: Program, body: bytes) -> None:
    for path in ("txt2img", "img2img", "extra-single-image", "png-info", "options"):
        assert program.refused(path, body)[0] == 422


@pytest.mark.parametrize(
    "fields",
    [
        {"width": 2048, "height": 2048, "batch_size": 8, "n_iter": 4},
        {"enable_hr": True, "hr_scale": 8, "width": 1024, "height": 1024, "batch_size": 2},
        {"script_name": "x/y/z plot", "width": 512, "height": 512,
         "script_args": [1, "1-600", [], 0, "", [], 0, "", [], False, True]},
    ],
)  # fmt: skip
def test_more_than_fits_into_an_answer_is_refused(program: Program, fields: dict[str, Any]) -> None:
    status, detail = program.refused("txt2img", {**SMALL, **fields})
    assert (status, "send_images" in detail) == (422, True)
    until(lambda: program.get("progress")["state"]["job_count"] == 0)


def test_nothing_is_left_in_the_queue_of_what_was_refused(program: Program) -> None:
    program.make(prompt="the last one")
    program.refused("txt2img", {"width": 4096})
    assert program.asked().prompt == "the last one"


@pytest.mark.parametrize(
    "args",
    [[], [False], [False, {}], [{"enabled": False, "image": None}], [{"enabled": False}] * 3],
)
@pytest.mark.parametrize("name", ["ADetailer", "ControlNet", "AnimateDiff"])
def test_scripts_that_are_off_may_be_named(program: Program, name: str, args: list[Any]) -> None:
    program.make(alwayson_scripts={name: {"args": args}}, steps=1)


def test_empty_objects_may_be_lists(program: Program) -> None:
    program.make(alwayson_scripts=[], override_settings=[], steps=1)


def test_overrides_count_for_one_request(program: Program) -> None:
    settings = {
        "sd_model_checkpoint": "starter", "CLIP_stop_at_last_layers": 3, "randn_source": "NV",
        "eta_noise_seed_delta": 31337, "sd_vae": "None", "samples_format": "webp",
    }  # fmt: skip
    program.make(override_settings=settings)
    asked = program.asked()
    assert (asked.checkpoint, asked.sampling.clip_skip, asked.vae) == ("starter", 3, "none")
    assert (asked.noise.source, asked.noise.seed_delta) == ("nv", 31337)
    program.make()
    assert program.asked().noise.source == "cpu"


def test_overrides_may_stay(program: Program) -> None:
    settings = {"CLIP_stop_at_last_layers": 2}
    program.make(override_settings=settings, override_settings_restore_afterwards=False)
    program.make()
    assert program.asked().sampling.clip_skip == 2
    program.post("options", {"CLIP_stop_at_last_layers": 1})
    program.make()
    assert program.asked().sampling.clip_skip == 1


def test_matrix_lines_and_plot_make_many(program: Program) -> None:
    matrix = program.make(prompt="a cat|red|old", script_name="Prompt matrix", seed=1)
    assert len(matrix["images"]) == 5
    assert info_of(matrix)["index_of_first_image"] == 1
    lines = program.make(
        script_name="prompts from file or textbox",
        script_args=[False, False, "start", "one\n--prompt two --steps 1"],
    )
    assert info_of(lines)["all_prompts"] == ["one", "two"]
    assert len(lines["images"]) == 2
    plot = program.make(
        script_name="X/Y/Z plot",
        script_args=[4, "1,2", [], "CFG Scale", "4,5,6", [], 0, "", [], True, True],
    )
    assert len(plot["images"]) == 7
    until(lambda: not prompts(program, "red old"))


def test_a_loop_starts_from_its_own_pictures(program: Program) -> None:
    body = {**SMALL, "init_images": [picture()], "script_name": "loopback", "script_args": [3, 0.5]}
    assert len(program.post("img2img", body)["images"]) == 4


@pytest.mark.parametrize(
    "args",
    [["x"], [999], [-1], [{"a": 1}], [4, {"a": 1}], [4, "x"], [4, "1,2", [], 0, "", [], 0, "", [],
     0, 0, 0, 0, 0, 0, 0, "wide"]],
)  # fmt: skip
def test_arguments_without_sense_are_refused(program: Program, args: list[Any]) -> None:
    body = {**SMALL, "script_name": "x/y/z plot", "script_args": args}
    assert program.refused("txt2img", body)[0] == 422
