"""Extras and png-info of A1111's API."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from tests.api.sdapi import Program, alone, opened, picture
from tests.conftest import until
from webui.core.job import LOCAL


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with alone(tmp_path_factory.mktemp("sdapi-extras")) as made:
        yield made


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"upscaler_1": "Lanczos"}, (128, 96)),
        ({"upscaler_1": "Nearest", "upscaling_resize": 1.5}, (96, 72)),
        ({"upscaler_1": "Lanczos", "upscaling_resize": 0.5}, (32, 24)),
        ({"upscaler_1": "None"}, (64, 48)),
        ({}, (64, 48)),
        (
            {"upscaler_1": "Lanczos", "resize_mode": 1, "upscaling_resize_w": 100,
             "upscaling_resize_h": 100},
            (100, 100),
        ),
        (
            {"upscaler_1": "Lanczos", "resize_mode": 1, "upscaling_resize_w": 128,
             "upscaling_resize_h": 128, "upscaling_crop": False},
            (170, 128),
        ),
        (
            {"upscaler_1": "Lanczos", "upscaler_2": "Nearest",
             "extras_upscaler_2_visibility": 0.5},
            (128, 96),
        ),
    ],
)  # fmt: skip
def test_a_picture_is_enlarged(
    program: Program, fields: dict[str, Any], size: tuple[int, int]
) -> None:
    answer = program.post("extra-single-image", {"image": picture(64, 48), **fields})
    assert set(answer) == {"html_info", "image"}
    assert opened(answer["image"]).size == size


def test_several_pictures_come_back_in_their_order(program: Program) -> None:
    listed = [
        {"data": f"data:image/png;base64,{picture(16 * n, 16)}", "name": f"{n}.png"}
        for n in (1, 2, 3)
    ]
    answer = program.post("extra-batch-images", {"imageList": listed, "upscaler_1": "Lanczos"})
    assert set(answer) == {"html_info", "images"}
    assert [opened(image).size for image in answer["images"]] == [(32, 32), (64, 32), (96, 32)]
    assert program.post("extra-batch-images", {"imageList": []})["images"] == []


def test_extras_are_not_kept(program: Program) -> None:
    program.post("extra-single-image", {"image": picture(24, 24), "upscaler_1": "Lanczos"})
    until(lambda: not [p for p in program.studio.gallery.page(LOCAL) if p.width == 48])


def test_what_a_picture_says_of_itself_is_shown_as_text_only(program: Program) -> None:
    made = program.make(prompt="<script>alert(1)</script>", steps=1)
    body = {"image": made["images"][0], "upscaler_1": "Lanczos"}
    assert "<script>" not in program.post("extra-single-image", body)["html_info"]


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"upscaler_1": "nope"}, 422, "nope"),
        ({"upscaler_1": "Latent"}, 422, "Latent"),
        ({"upscaler_1": "Lanczos", "upscaling_resize": 9}, 422, "upscaling_resize"),
        (
            {"upscaler_1": "Lanczos", "resize_mode": 1, "upscaling_resize_w": 16000,
             "upscaling_resize_h": 16000},
            422,
            "million pixels",
        ),
        ({"upscaler_1": "Lanczos", "image": ""}, 500, "Invalid encoded image"),
        ({"upscaler_1": "Lanczos", "image": "https://example.com/a.png"}, 500, "address"),
    ],
)  # fmt: skip
def test_refusals(program: Program, fields: dict[str, Any], status: int, words: str) -> None:
    found = program.refused("extra-single-image", {"image": picture(), **fields})
    assert (found[0], words in found[1]) == (status, True), found


def test_what_can_not_be_done_is_named(program: Program) -> None:
    body = {"image": picture(), "gfpgan_visibility": 1}
    assert program.ask("POST", "extra-single-image", body).one("x-gesso-ignored")


def test_a_picture_of_ours_says_how_it_was_made(program: Program) -> None:
    made = program.make(prompt="a cat", negative_prompt="dog", seed=5, steps=3)
    found = program.post("png-info", {"image": made["images"][0]})
    assert set(found) == {"info", "items", "parameters"}
    assert found["info"] == json.loads(made["info"])["infotexts"][0]
    parameters = found["parameters"]
    assert (parameters["Prompt"], parameters["Negative prompt"]) == ("a cat", "dog")
    assert (parameters["Seed"], parameters["Size-1"], parameters["Clip skip"]) == ("5", "64", "1")
    again = program.post("txt2img", {"infotext": found["info"]})
    assert opened(again["images"][0]).tobytes() == opened(made["images"][0]).tobytes()


def test_a_picture_that_says_nothing_is_no_error(program: Program) -> None:
    nothing = {"info": "", "items": {}, "parameters": {}}
    assert program.post("png-info", {"image": picture()}) == nothing
    assert program.post("png-info", {"image": ""}) == nothing
    assert program.post("png-info", {}) == nothing


def test_a_picture_that_is_none_is_an_error(program: Program) -> None:
    assert program.refused("png-info", {"image": "aGVsbG8="})[0] == 500


def test_there_is_nobody_to_describe_a_picture(program: Program) -> None:
    found = program.refused("interrogate", {"image": picture(), "model": "clip"})
    assert (found[0], "Model not found" in found[1]) == (404, True)
    assert program.refused("interrogate", {"model": "clip"})[0] == 404
    assert program.ask("GET", "interrogate").status == 404


def test_a_body_may_be_large_but_not_too_large(program: Program) -> None:
    noise = Image.effect_noise((1200, 1200), 80).convert("RGB")
    buffer = io.BytesIO()
    noise.save(buffer, "PNG", compress_level=0)
    body = {"image": base64.b64encode(buffer.getvalue()).decode()}
    assert len(body["image"]) > 5_000_000
    assert program.post("png-info", body)["info"] == ""
    with program.site.connect() as connection:
        head = f"POST /sdapi/v1/img2img HTTP/1.1\r\nHost: {program.site.host}\r\n"
        connection.sendall(f"{head}Content-Length: {129 << 20}\r\n\r\n".encode())
        assert b" 413 " in connection.recv(100)
