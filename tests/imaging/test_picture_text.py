"""Texts inside picture files: they come back, others can read them, hostile ones do no harm."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sd_parsers import ParserManager

from webui.core.errors import UnreadablePicture
from webui.core.job import JobId
from webui.core.recipe import ModelRef, Recipe
from webui.core.request import InputId, Mask, Source
from webui.imaging.infotext import Labels, write_infotext
from webui.imaging.picture_text import (
    PictureFormat,
    PictureRecord,
    encode_picture,
    read_picture_text,
    read_recipe,
)

LABELS = Labels(samplers={"dpmpp_2m": "DPM++ 2M"}, schedules={"karras": "Karras"})
RECIPE = Recipe(
    prompt="a red apple, “3d style”\non a table, 卓上の林檎 🍎",
    negative_prompt='blurry, "bad"',
    model=ModelRef(id="starter", name="starter", family="sd15", hash="0123456789abcdef" * 4),
    width=64,
    height=64,
    seed=1234567890,
    sampler="dpmpp_2m",
    schedule="karras",
    steps=17,
    guidance_scale=6.5,
    clip_skip=2,
    source=Source(image=InputId("a" * 64), denoising_strength=0.35),
    mask=Mask(image=InputId("b" * 64), blur=7),
    version="0.1.0",
)
RECORD = PictureRecord(
    recipe=RECIPE,
    job_id=JobId("job-1"),
    index=3,
    created_at=1_700_000_000.25,
    facts={"device": "CPU <&\"'>"},
)
FORMATS = [PictureFormat(name=name) for name in ("png", "jpeg", "webp")]
formats = pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)


def picture(size: int = 64) -> Image.Image:
    ramp = np.linspace(0, 255, size * size * 3).reshape(size, size, 3)
    return Image.fromarray(ramp.astype(np.uint8))


def encode(recipe: Recipe, format: PictureFormat) -> bytes:
    return encode_picture(picture(), replace(RECORD, recipe=recipe), LABELS, format).data


def saved(format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture().save(buffer, format, **options)
    return buffer.getvalue()


@formats
def test_record_and_infotext_come_back(format: PictureFormat) -> None:
    text = read_picture_text(encode(RECIPE, format))
    assert text.record == RECORD
    assert text.infotext == write_infotext(RECIPE, LABELS)


prompts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@formats
@given(prompt=prompts, negative=prompts)
@settings(max_examples=60)
def test_any_prompt_comes_back_exactly(format: PictureFormat, prompt: str, negative: str) -> None:
    recipe = replace(RECIPE, prompt=prompt, negative_prompt=negative)
    assert read_recipe(encode(recipe, format)) == recipe


@formats
def test_independent_reader_understands_the_file(format: PictureFormat) -> None:
    """sd-parsers is how other programs see it; it splits at commas, so it gets a plain prompt."""
    recipe = replace(RECIPE, prompt="a red apple, 3d style, 林檎", negative_prompt="blurry, dark")
    info = ParserManager().parse(io.BytesIO(encode(recipe, format)))
    assert info is not None
    (sampler,) = info.samplers
    assert [prompt.value for prompt in info.prompts] == ["a red apple, 3d style, 林檎"]
    assert [prompt.value for prompt in info.negative_prompts] == ["blurry, dark"]
    assert sampler.name == "DPM++ 2M"
    assert sampler.parameters["seed"] == "1234567890"
    assert sampler.parameters["steps"] == "17"
    assert sampler.parameters["scheduler"] == "Karras"
    assert sampler.model is not None
    assert sampler.model.name == "starter"


def test_png_keeps_every_pixel() -> None:
    data = encode(RECIPE, PictureFormat(name="png"))
    assert Image.open(io.BytesIO(data)).tobytes() == picture().tobytes()


def test_same_picture_and_recipe_give_the_same_bytes() -> None:
    assert encode(RECIPE, FORMATS[0]) == encode(RECIPE, FORMATS[0])


@pytest.mark.parametrize(("name", "suffix"), [("png", "png"), ("jpeg", "jpg"), ("webp", "webp")])
def test_suffix_says_what_the_file_is(name: str, suffix: str) -> None:
    encoded = encode_picture(picture(), RECORD, LABELS, PictureFormat(name=name))
    assert encoded.suffix == f".{suffix}"
    assert Image.open(io.BytesIO(encoded.data)).format == name.upper()


def test_quality_makes_the_file_larger() -> None:
    low, high = (encode(RECIPE, PictureFormat(name="webp", quality=q)) for q in (20, 95))
    assert len(low) < len(high)


@formats
def test_longest_prompts_are_never_lost(format: PictureFormat) -> None:
    recipe = replace(RECIPE, prompt="林" * 20_000, negative_prompt="🍎" * 20_000)
    encoded = encode_picture(picture(), replace(RECORD, recipe=recipe), LABELS, format)
    assert read_recipe(encoded.data) == recipe
    assert encoded.suffix == (".webp" if format.name == "webp" else ".png")


def test_a1111s_png_is_read() -> None:
    texts = PngInfo()
    texts.add_text("parameters", "a cat\nSteps: 20, Sampler: Euler, Seed: 1")
    text = read_picture_text(saved("PNG", pnginfo=texts))
    assert text.infotext.startswith("a cat\n")
    assert text.record is None


@pytest.mark.parametrize(
    "comment",
    [
        b"UNICODE\0" + "a cät".encode("utf-16-be"),
        b"UNICODE\0" + "a cät".encode("utf-16-le"),
    ],
)
def test_user_comments_of_other_programs_are_read(comment: bytes) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = comment
    assert read_picture_text(saved("JPEG", exif=exif.tobytes())).infotext == "a cät"


def test_ascii_user_comment_is_read() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0a cat"
    assert read_picture_text(saved("WEBP", exif=exif.tobytes())).infotext == "a cat"


def test_record_is_found_when_an_editor_rewrote_the_xmp() -> None:
    original = Image.open(io.BytesIO(encode(RECIPE, PictureFormat(name="jpeg"))))
    xmp = original.info["xmp"].decode()
    json = xmp.split("gesso:record=")[1].split("/>")[0][1:-1]
    rewritten = xmp.replace(xmp[xmp.index(" gesso:record=") : xmp.index("/></rdf:RDF>")], "")
    rewritten = rewritten.replace(
        "/></rdf:RDF>", f"><gesso:record>{json}</gesso:record></rdf:Description></rdf:RDF>"
    )
    assert read_picture_text(saved("JPEG", xmp=rewritten.encode())).record == RECORD


def test_picture_without_texts_has_none() -> None:
    for format in ("PNG", "JPEG", "WEBP"):
        text = read_picture_text(saved(format))
        assert (text.record, text.infotext) == (None, "")


@pytest.mark.parametrize(
    "json",
    [
        "{",
        "[]",
        "{}",
        '{"schema": 1, "recipe": {}}',
        "[" * 200_000,
        '{"recipe":' * 20_000,
        '"' + "x" * 255_000 + '"',
        "x" * 256_001,
    ],
)
def test_senseless_record_counts_as_none(json: str) -> None:
    texts = PngInfo()
    texts.add_text("gesso", json)
    assert read_picture_text(saved("PNG", pnginfo=texts)).record is None


def test_record_of_a_newer_version_is_left_alone() -> None:
    data = encode_picture(picture(), replace(RECORD, schema=2), LABELS, FORMATS[0]).data
    assert read_picture_text(data).record is None


def test_record_with_values_out_of_range_counts_as_none() -> None:
    recipe = replace(RECIPE, steps=100_000)
    assert read_recipe(encode(recipe, FORMATS[0])) is None


def test_entities_in_xmp_are_not_expanded() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'
    assert read_picture_text(saved("WEBP", xmp=bomb)).record is None


@pytest.mark.parametrize(
    "xmp", [b"", b"<x", b"\xff\xfe<", b"<?xml version='1.0' encoding='x'?><x/>"]
)
def test_broken_xmp_counts_as_none(xmp: bytes) -> None:
    assert read_picture_text(saved("WEBP", xmp=xmp)).record is None


def test_infotext_beyond_the_limit_is_not_read() -> None:
    texts = PngInfo()
    texts.add_text("parameters", "x" * 256_001)
    assert read_picture_text(saved("PNG", pnginfo=texts)).infotext == ""


@formats
@given(st.data())
@settings(max_examples=150)
def test_damaged_files_are_read_or_refused(format: PictureFormat, data: st.DataObject) -> None:
    whole = bytearray(encode(RECIPE, format))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.just(len(whole)), st.integers(0, len(whole))))
    with contextlib.suppress(UnreadablePicture):
        read_picture_text(bytes(whole[:cut]))
