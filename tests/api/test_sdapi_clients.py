"""Programs as they are: webuiapi itself, and the requests that others send."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping

import pytest
import webuiapi
from PIL import Image, ImageDraw

from tests.api.sdapi import PASSWORD, Program, alone, opened, picture, team


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Program]]:
    with team(tmp_path_factory.mktemp("sdapi-clients")) as made:
        yield made


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with alone(tmp_path_factory.mktemp("sdapi-client")) as made:
        yield made


@pytest.fixture(params=["without a password", "with a password", "with a key as password"])
def api(
    request: pytest.FixtureRequest, crew: Mapping[str, Program], single: Program
) -> Iterator[webuiapi.WebUIApi]:
    if request.param == "without a password":
        made = webuiapi.WebUIApi(port=single.site.port)
    else:
        key = crew["key"].credential.removeprefix("Bearer ")
        secret = PASSWORD if request.param == "with a password" else key
        made = webuiapi.WebUIApi(port=crew["ann"].site.port, username="ann", password=secret)
    yield made
    made.session.close()


def test_webuiapi_does_all_its_work(api: webuiapi.WebUIApi) -> None:
    words = api.txt2img(prompt="a cat", seed=1, width=64, height=64, batch_size=2, steps=2)
    assert [image.size for image in words.images] == [(64, 64)] * 2
    assert words.info["all_seeds"] == [1, 2]
    assert words.parameters["eta"] == 1.0
    painted = api.img2img(images=[words.image], prompt="a dog", width=64, height=64, steps=2)
    assert painted.image.size == (64, 64)
    mask = Image.new("RGB", (64, 64))
    ImageDraw.Draw(mask).rectangle((16, 16, 47, 47), fill="white")
    inpainted = api.img2img(
        images=[words.image], mask_image=mask, inpainting_fill=1, width=64, height=64, steps=2
    )
    assert inpainted.image.getpixel((2, 2)) == words.image.convert("RGB").getpixel((2, 2))
    larger = api.extra_single_image(words.image, upscaler_1=webuiapi.Upscaler.Lanczos)
    assert larger.image.size == (128, 128)
    several = api.extra_batch_images([words.image, painted.image], upscaler_1="Nearest")
    assert len(several.images) == 2
    assert api.png_info(words.image).info == words.info["infotexts"][0]
    assert api.get_progress()["progress"] == 0
    assert api.set_options(api.get_options()) is None
    assert api.interrupt() == {}
    assert api.skip() is None


def test_webuiapi_reads_all_its_lists(api: webuiapi.WebUIApi) -> None:
    names = [sampler["name"] for sampler in api.get_samplers()]
    assert "Euler a" in names
    assert api.get_sd_models()[-1]["model_name"] == "starter"
    assert api.get_scripts()["txt2img"]
    assert api.get_cmd_flags()["api"] is True
    lists = (
        api.get_upscalers, api.get_latent_upscale_modes, api.get_loras, api.get_hypernetworks,
        api.get_face_restorers, api.get_realesrgan_models, api.get_prompt_styles, api.get_sd_vae,
    )  # fmt: skip
    assert all(isinstance(read(), list) for read in lists)
    assert api.refresh_checkpoints() is None
    assert api.util_get_current_model().startswith("starter")
    assert api.util_get_model_names()[-1].startswith("starter")
    api.util_set_model("starter")
    api.util_wait_for_ready(check_interval=0.01)


def test_webuiapi_says_what_was_refused(api: webuiapi.WebUIApi) -> None:
    with pytest.raises(RuntimeError, match="Sampler not found"):
        api.txt2img(sampler_name="nope")
    with pytest.raises(RuntimeError, match="Model not found"):
        api.interrogate(Image.new("RGB", (8, 8)))


def test_open_webui_sets_a_model_and_makes_a_picture(crew: Mapping[str, Program]) -> None:
    """Its engine "automatic1111": the whole options back, then the fewest fields."""
    ann = crew["ann"]
    options = ann.get("options")
    names = [(model["title"], model["model_name"]) for model in ann.get("sd-models")]
    assert names
    options["sd_model_checkpoint"] = names[-1][0]
    ann.post("options", options)
    body = {"prompt": "a cat", "batch_size": 1, "width": 64, "height": 64, "steps": 2}
    answer = ann.post("txt2img", {**body, "negative_prompt": "dog", "sampler_name": "Euler a"})
    assert base64.b64decode(answer["images"][0]).startswith(b"\x89PNG")
    assert json.loads(answer["info"])["seed"] >= 0


def test_a_chat_program_makes_a_picture(single: Program) -> None:
    """SillyTavern: asks for lists and options, sets a model, watches until it is idle, makes."""
    assert single.get("options")["sd_model_checkpoint"]
    assert single.get("upscalers") + single.get("latent-upscale-modes")
    single.post("options", {"sd_model_checkpoint": single.get("sd-models")[0]["title"]})
    assert single.get("progress")["state"]["job_count"] == 0
    answer = single.post(
        "txt2img",
        {
            "prompt": "a cat", "negative_prompt": "", "sampler_name": "DPM++ 2M",
            "scheduler": "Karras", "steps": 2, "cfg_scale": 7, "width": 64, "height": 64,
            "restore_faces": False, "enable_hr": True, "hr_upscaler": "Latent", "hr_scale": 1.5,
            "hr_additional_modules": [], "denoising_strength": 0.7, "hr_second_pass_steps": 0,
            "seed": -1, "override_settings": {"CLIP_stop_at_last_layers": 1, "sd_vae": "Automatic",
            "forge_additional_modules": []}, "override_settings_restore_afterwards": True,
            "clip_skip": 1, "save_images": True, "send_images": True, "do_not_save_grid": False,
            "do_not_save_samples": False,
        },
    )  # fmt: skip
    assert opened(answer["images"][0]).size == (96, 96)


def test_the_example_of_an_old_page_about_the_api(single: Program) -> None:
    """What many small programs send: every field of the page that A1111 makes of its API."""
    body = {
        "enable_hr": False, "denoising_strength": 0, "firstphase_width": 0, "firstphase_height": 0,
        "hr_scale": 2, "hr_upscaler": "string", "hr_second_pass_steps": 0, "hr_resize_x": 0,
        "hr_resize_y": 0, "hr_sampler_name": "string", "hr_prompt": "", "prompt": "a cat",
        "styles": ["string"], "seed": -1, "subseed": -1, "subseed_strength": 0,
        "seed_resize_from_h": -1, "seed_resize_from_w": -1, "sampler_name": "Euler a",
        "batch_size": 1, "n_iter": 1, "steps": 2, "cfg_scale": 7, "width": 64, "height": 64,
        "restore_faces": True, "tiling": False, "do_not_save_samples": False,
        "do_not_save_grid": False, "negative_prompt": "string", "eta": 0, "s_min_uncond": 0,
        "s_churn": 0, "s_tmax": 0, "s_tmin": 0, "s_noise": 1, "override_settings": {},
        "override_settings_restore_afterwards": True, "script_args": [], "sampler_index": "Euler",
        "script_name": "", "send_images": True, "save_images": False, "alwayson_scripts": {},
    }  # fmt: skip
    assert len(single.post("txt2img", body)["images"]) == 1
    source = {"init_images": [picture()], "mask": None, "mask_blur": None, "latent_mask": None}
    assert len(single.post("img2img", {**body, **source, "resize_mode": 0})["images"]) == 1
