"""Options and lists of A1111's API: one flat object, and who may change what for whom."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.api.sdapi import Program, alone, team
from webui.catalog.catalog import SHIPPED
from webui.core.model import ModelKind
from webui.prompting.styles import Style

MODEL = "toys/little-one"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with alone(tmp_path_factory.mktemp("sdapi-options")) as made:
        _add_model(made)
        yield made


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Program]]:
    with team(tmp_path_factory.mktemp("sdapi-owners")) as made:
        _add_model(made["olga"])
        made["olga"].post("options", {"sd_model_checkpoint": "starter"})
        yield made


def _add_model(program: Program) -> None:
    """A second checkpoint, in a folder of its own."""
    shutil.copytree(SHIPPED, program.studio.catalog.folder / MODEL, copy_function=os.link)
    assert program.post("refresh-checkpoints") is None


def test_the_whole_object_can_be_sent_back(program: Program) -> None:
    """open-webui changes one option by sending all of them."""
    options = program.get("options")
    answer = program.ask("POST", "options", options)
    assert (answer.status, answer.body) == (200, b"null")
    assert answer.all("x-gesso-ignored") == []
    assert program.get("options") == options
    chosen = {**options, "sd_model_checkpoint": MODEL}
    assert program.ask("POST", "options", chosen).status == 200
    assert program.get("options")["sd_model_checkpoint"].startswith(MODEL)
    program.post("options", {"sd_model_checkpoint": "starter"})


def test_a_checkpoint_goes_by_all_its_names(program: Program) -> None:
    program.make(override_settings={"sd_model_checkpoint": MODEL}, steps=1)  # its hash is known now
    program.post("refresh-checkpoints")
    found = next(m for m in program.get("sd-models") if m["model_name"] == "toys_little-one")
    assert found["title"] == f"{MODEL} [{found['sha256'][:10]}]"
    names = (
        found["title"],
        found["model_name"],
        "little-one",
        found["hash"],
        found["sha256"],
        "toy",
    )
    for name in names:
        program.post("options", {"sd_model_checkpoint": "starter"})
        program.post("options", {"sd_model_checkpoint": name})
        assert program.get("options")["sd_model_checkpoint"] == found["title"], name
    program.post("options", {"sd_model_checkpoint": "starter"})


def test_a_checkpoint_that_is_not_here_is_refused_as_a1111_does(program: Program) -> None:
    status, detail = program.refused("options", {"sd_model_checkpoint": "nope.safetensors"})
    assert (status, "not found" in detail) == (500, True)
    assert program.get("options")["sd_model_checkpoint"].startswith("starter")


def test_what_is_not_known_is_accepted_and_named(program: Program) -> None:
    answer = program.ask("POST", "options", {"no_such": 1, "CLIP_stop_at_last_layers": 2})
    assert (answer.status, answer.body) == (200, b"null")
    assert answer.one("x-gesso-ignored") == "no_such"
    program.make(steps=1)
    assert program.asked().sampling.clip_skip == 2
    program.post("options", {"CLIP_stop_at_last_layers": 1})


def test_null_changes_nothing(program: Program) -> None:
    options = program.get("options")
    program.post("options", {"sd_model_checkpoint": None, "sd_vae": None, "no_such": None})
    assert program.get("options") == options


def test_settings_of_the_server_are_its_settings(program: Program) -> None:
    program.post("options", {"samples_format": "jpg", "live_preview_refresh_period": 1000})
    settings = program.studio.settings.current
    assert (settings.picture_format, settings.preview_interval_s) == ("jpeg", 1.0)
    assert program.get("options")["samples_format"] == "jpg"
    program.post("options", {"samples_format": "png"})


@pytest.mark.parametrize(
    "options",
    [{"samples_format": "gif"}, {"jpeg_quality": 0}, {"jpeg_quality": "high"},
     {"CLIP_stop_at_last_layers": "x"}, {"randn_source": "moon"}, {"sd_vae": "nope"}],
)  # fmt: skip
def test_values_without_sense_change_nothing(program: Program, options: dict[str, Any]) -> None:
    before = program.get("options")
    assert program.refused("options", {"s_noise": 1.01, **options})[0] == 422
    assert program.get("options") == before


def test_others_choose_for_themselves_only(crew: Mapping[str, Program]) -> None:
    ann, bob, olga = crew["ann"], crew["bob"], crew["olga"]
    ann.post("options", {**ann.get("options"), "sd_model_checkpoint": MODEL, "sd_vae": "None"})
    assert ann.get("options")["sd_model_checkpoint"].startswith(MODEL)
    assert crew["key"].get("options")["sd_vae"] == "None"
    for other in (bob, olga):
        assert other.get("options")["sd_model_checkpoint"].startswith("starter")
    ann.make(steps=1)
    bob.make(steps=1)
    assert (ann.asked().checkpoint, bob.asked().checkpoint) == (MODEL, None)


@pytest.mark.parametrize("name", ["", None, "None"])
def test_no_checkpoint_in_a_request_is_the_chosen_one(
    crew: Mapping[str, Program], name: str | None
) -> None:
    """Dify's tool sends a blank one. A person's own choice stays, also where it is to last."""
    bob = crew["bob"]
    bob.post("options", {"sd_model_checkpoint": MODEL})
    bob.make(steps=1, override_settings={"sd_model_checkpoint": name})
    assert bob.asked().checkpoint == MODEL
    blank = {"sd_model_checkpoint": name, "s_noise": None}
    bob.make(steps=1, override_settings=blank, override_settings_restore_afterwards=False)
    assert bob.get("options")["sd_model_checkpoint"].startswith(MODEL)


def test_only_the_owner_changes_the_server(crew: Mapping[str, Program]) -> None:
    status, detail = crew["ann"].refused("options", {"jpeg_quality": 50, "s_noise": 1.02})
    assert (status, "jpeg_quality" in detail) == (403, True)
    assert crew["ann"].get("options")["s_noise"] == 1
    crew["olga"].post("options", {"jpeg_quality": 50})
    assert crew["ann"].get("options")["jpeg_quality"] == 50


def test_lists_have_the_shapes_of_a1111(program: Program) -> None:
    shapes = {
        "samplers": {"name", "aliases", "options"},
        "schedulers": {"name", "label", "aliases", "default_rho", "need_inner_model"},
        "upscalers": {"name", "model_name", "model_path", "model_url", "scale"},
        "latent-upscale-modes": {"name"},
        "sd-models": {"title", "model_name", "hash", "sha256", "filename", "config"},
        "script-info": {"name", "is_alwayson", "is_img2img", "args"},
    }
    for path, shape in shapes.items():
        found = program.get(path)
        assert found
        assert all(set(row) == shape for row in found), path
    argument = program.get("script-info")[0]["args"][0]
    assert set(argument) == {"label", "value", "minimum", "maximum", "step", "choices"}


def test_every_name_in_a_list_can_be_used(program: Program) -> None:
    for sampler in program.get("samplers"):
        assert program.studio.samplers.find(sampler["name"]), sampler
    assert [sampler["name"] for sampler in program.get("samplers")][:2] == ["DPM++ 2M", "DPM++ SDE"]
    upscalers = [row["name"] for row in program.get("upscalers")]
    assert upscalers[:2] == ["None", "Lanczos"]
    for schedule in program.get("schedulers"):
        program.make(scheduler=schedule["label"], steps=3)
    assert {"Automatic", "Karras", "Beta"} <= {s["label"] for s in program.get("schedulers")}


def test_titles_of_scripts_are_in_lower_case(program: Program) -> None:
    found = program.get("scripts")
    assert set(found) == {"txt2img", "img2img"}
    assert "x/y/z plot" in found["txt2img"]
    assert "soft inpainting" in found["img2img"]
    assert not {"controlnet m2m", "adetailer", "animatediff"} & {*found["txt2img"]}
    assert all(title == title.lower() for titles in found.values() for title in titles)


def test_styles_are_listed_and_used(program: Program) -> None:
    program.studio.styles.save(Style(name="old", prompt="{prompt}, old", negative_prompt="new"))
    listed = {"name": "old", "prompt": "{prompt}, old", "negative_prompt": "new"}
    assert listed in program.get("prompt-styles")
    info = json.loads(program.make(prompt="a cat", styles=["old"], steps=1)["info"])
    assert (info["prompt"], info["negative_prompt"]) == ("a cat, old", "new")
    assert info["styles"] == ["old"]


def test_what_we_do_not_have_is_empty_or_absent(program: Program) -> None:
    for path in ("hypernetworks", "face-restorers", "realesrgan-models", "extensions", "sd-vae"):
        assert program.get(path) == []
    assert program.get("embeddings") == {"loaded": {}, "skipped": {}}
    absent = ("server-kill", "server-restart", "server-stop", "artists", "/controlnet/model_list",
              "/controlnet/detect", "/internal/sysinfo", "/sd_extra_networks/thumb")  # fmt: skip
    for path in absent:
        for method in ("GET", "POST"):
            assert program.ask(method, path, {}).status in (404, 405), path


def test_a_model_is_unloaded_and_loaded_again(program: Program) -> None:
    (engine,) = program.studio.engines
    program.post("txt2img", {"prompt": "an owl", "steps": 1})
    assert engine.status().model != ""
    assert program.post("unload-checkpoint") == {}
    assert engine.status().model == ""
    assert program.post("reload-checkpoint") == {}
    assert program.post("txt2img", {"prompt": "an owl", "steps": 1})["images"]


def test_nothing_is_trained(program: Program) -> None:
    for path in ("create/embedding", "create/hypernetwork", "train/embedding"):
        assert program.refused(path, {})[0] == 422
    for path in ("refresh-checkpoints", "refresh-vae", "refresh-loras", "refresh-embeddings"):
        assert program.ask("POST", path).body == b"null"


def test_nothing_tells_where_files_lie(program: Program) -> None:
    root = program.studio.settings.current.root
    paths = ("options", "cmd-flags", "sd-models", "upscalers", "loras", "sd-modules", "memory",
             "script-info", "embeddings", "progress")  # fmt: skip
    for path in paths:
        text = program.ask("GET", path).body.decode()
        assert str(root) not in text, path
        assert str(Path.home()) not in text, path
        assert str(SHIPPED.parent) not in text, path
    assert [m["filename"] for m in program.get("sd-models")] == [
        f"models/{MODEL}",
        "models/starter",
    ]


def test_an_address_may_end_in_a_slash(program: Program) -> None:
    assert program.get("options/") == program.get("options")
    assert program.post("options/", {}) is None


def test_memory_is_told_in_bytes(program: Program) -> None:
    found = program.get("memory")
    assert set(found) == {"ram", "cuda"}
    assert set(found["ram"]) == {"free", "used", "total"}
    assert found["ram"]["total"] >= found["ram"]["used"] > 10_000_000


def test_a_chosen_vae_that_is_gone_is_told(program: Program) -> None:
    assert program.studio.catalog.models(ModelKind.VAE) == ()
    assert program.refused("txt2img", {"override_settings": {"sd_vae": "gone.pt"}})[0] == 422
