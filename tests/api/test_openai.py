"""The official openai library makes pictures here, unchanged, against a real server."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, InternalServerError, NotFoundError, OpenAI
from PIL import Image

from tests.api.conftest import Client
from tests.conftest import finished, png, until
from webui.core.events import Message, Queued
from webui.core.job import JobId, JobState
from webui.imaging.picture_text import read_picture_text

STARTER = "starter"


@pytest.fixture
def client(shared_client: Client) -> Client:
    """One studio for all tests here."""
    return shared_client


@pytest.fixture
def openai(client: Client) -> Iterator[OpenAI]:
    """The library as people set it up: a base address, and any key."""
    with OpenAI(base_url=f"{client.site.origin}/v1", api_key="any") as made:
        yield made


def pixels(b64_json: str | None) -> Image.Image:
    assert b64_json is not None
    image = Image.open(io.BytesIO(base64.b64decode(b64_json)))
    image.load()
    return image


def transparent_left(width: int = 128, height: int = 64) -> bytes:
    """A mask whose left half is to be changed."""
    mask = Image.new("RGBA", (width, height), "black")
    mask.paste((0, 0, 0, 0), (0, 0, width // 2, height))
    buffer = io.BytesIO()
    mask.save(buffer, "PNG")
    return buffer.getvalue()


def test_a_prompt_becomes_a_picture(openai: OpenAI) -> None:
    answer = openai.images.generate(model="gpt-image-1", prompt="a red apple", size="256x128")
    assert answer.data is not None
    image = pixels(answer.data[0].b64_json)
    assert (image.size, image.format) == ((256, 128), "PNG")
    assert (answer.size, answer.output_format, answer.background) == ("256x128", "png", "opaque")
    assert answer.usage is not None
    assert answer.usage.output_tokens == 16 * 8
    assert answer.usage.input_tokens_details.text_tokens == 3


def test_the_pictures_keep_their_recipe_in_every_format(openai: OpenAI) -> None:
    for format in ("png", "jpeg", "webp"):
        answer = openai.images.generate(
            prompt="an apple", size="64x64", output_format=format, output_compression=80
        )
        assert answer.data is not None
        data = base64.b64decode(answer.data[0].b64_json or "")
        record = read_picture_text(data).record
        assert record is not None
        assert record.recipe.prompt == "an apple"
        assert pixels(answer.data[0].b64_json).format == format.upper()


def test_several_pictures_have_seeds_of_their_own(openai: OpenAI) -> None:
    answer = openai.images.generate(
        prompt="x", n=3, size="64x64", extra_body={"seed": 7, "steps": 2}
    )
    assert answer.data is not None
    assert len({image.b64_json for image in answer.data}) == 3
    again = openai.images.generate(prompt="x", size="64x64", extra_body={"seed": 7, "steps": 2})
    assert again.data is not None
    assert pixels(again.data[0].b64_json).tobytes() == pixels(answer.data[0].b64_json).tobytes()


def test_an_address_gives_the_picture_to_whoever_holds_it(openai: OpenAI) -> None:
    answer = openai.images.generate(model="dall-e-3", prompt="x", size="64x64")
    assert answer.data is not None
    assert answer.data[0].b64_json is None
    with urllib.request.urlopen(answer.data[0].url or "") as response:
        assert response.headers["Content-Type"] == "image/png"
        assert Image.open(io.BytesIO(response.read())).size == (64, 64)


def test_an_address_that_was_changed_gives_nothing(openai: OpenAI, client: Client) -> None:
    answer = openai.images.generate(prompt="x", size="64x64", response_format="url")
    assert answer.data is not None
    path = (answer.data[0].url or "").removeprefix(client.site.origin)
    for forged in (path[:-2] + "AA", path[:-10], path.rsplit("/", 1)[0] + "/x", path + "A"):
        assert client.get(forged).status == 404
    client.site.ask("DELETE", f"/api/v1/pictures/{newest(client)['id']}")
    assert client.get(path).status == 404


def newest(client: Client) -> Any:
    return client.json("/api/v1/pictures")["pictures"][0]


def test_the_asynchronous_library_works_too(client: Client) -> None:
    async def make() -> list[str]:
        async with AsyncOpenAI(base_url=f"{client.site.origin}/v1", api_key="any") as openai:
            answers = await asyncio.gather(
                *(openai.images.generate(prompt=f"{i}", size="64x64") for i in range(3))
            )
        return [image.b64_json or "" for answer in answers for image in answer.data or ()]

    assert len(set(asyncio.run(make()))) == 3


def test_a_mask_changes_what_is_transparent_in_it_only(openai: OpenAI) -> None:
    answer = openai.images.edit(
        image=png(128, 64, "red"), mask=transparent_left(), prompt="a pear", size="auto"
    )
    assert answer.data is not None
    image = pixels(answer.data[0].b64_json).convert("RGB")
    assert image.size == (128, 64)
    assert image.getpixel((120, 32)) == (255, 0, 0)
    assert image.getpixel((8, 32)) != (255, 0, 0)


def test_a_picture_without_a_mask_is_changed_whole(openai: OpenAI, client: Client) -> None:
    answer = openai.images.edit(
        image=[png(64, 64, "red")], prompt="a pear", extra_body={"denoising_strength": 0.25}
    )
    assert answer.data is not None
    detail = client.json(f"/api/v1/pictures/{newest(client)['id']}")
    assert detail["mode"] == "img2img"
    assert detail["request"]["source"]["denoising_strength"] == 0.25


def test_holes_of_the_picture_itself_are_a_mask(openai: OpenAI, client: Client) -> None:
    openai.images.edit(image=transparent_left(), prompt="a pear")
    assert newest(client)["mode"] == "inpaint"


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_a_variation_takes_the_prompt_that_the_picture_carries(
    openai: OpenAI, client: Client
) -> None:
    first = openai.images.generate(prompt="a plum", size="64x64")
    assert first.data is not None
    data = base64.b64decode(first.data[0].b64_json or "")
    openai.images.create_variation(image=data, n=2, response_format="b64_json")
    assert newest(client)["prompt"] == "a plum"
    assert newest(client)["mode"] == "img2img"
    openai.images.create_variation(image=png(), response_format="b64_json")
    assert newest(client)["prompt"] == ""


def streamed(openai: OpenAI, **more: Any) -> list[Any]:
    stream = openai.images.generate(prompt="x", size="64x64", stream=True, **more)
    with stream:
        return list(stream)


def test_a_stream_brings_the_picture(openai: OpenAI) -> None:
    events = streamed(openai, n=2, output_format="webp", quality="low")
    assert [event.type for event in events] == ["image_generation.completed"] * 2
    assert pixels(events[0].b64_json).format == "WEBP"
    assert (events[0].size, events[0].quality) == ("64x64", "low")
    assert events[0].usage.total_tokens == 1 + 16
    assert events[0].b64_json != events[1].b64_json


def test_a_stream_shows_the_picture_coming(slow_client: Client) -> None:
    openai = OpenAI(base_url=f"{slow_client.site.origin}/v1", api_key="any")
    slow_client.studio.settings.update({"preview_interval_s": 0.1})
    with openai:
        events = streamed(openai, partial_images=2, extra_body={"steps": 20})
    kinds = [event.type.removeprefix("image_generation.") for event in events]
    assert kinds == ["partial_image", "partial_image", "completed"]
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    assert pixels(events[0].b64_json).format == "PNG"


def test_an_edit_streams_under_its_own_name(openai: OpenAI) -> None:
    with openai.images.edit(image=png(), prompt="x", stream=True) as stream:
        assert [event.type for event in stream] == ["image_edit.completed"]


def test_a_client_that_goes_away_ends_its_job(slow_client: Client) -> None:
    openai = OpenAI(base_url=f"{slow_client.site.origin}/v1", api_key="any", max_retries=0)
    with openai, pytest.raises(Exception, match="timed out"):
        openai.images.generate(prompt="x", size="64x64", extra_body={"steps": 150}, timeout=3.0)
    (job,) = slow_client.json("/api/v1/jobs")
    assert finished(slow_client.studio, job["id"]).state is JobState.CANCELLED


def test_a_reader_of_a_stream_that_goes_away_ends_its_job(slow_client: Client) -> None:
    body = json.dumps({"prompt": "x", "steps": 150, "stream": True}).encode()
    with slow_client.site.connect() as connection:
        head = f"POST /v1/images/generations HTTP/1.1\r\nHost: {slow_client.site.host}\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        (job,) = until(lambda: slow_client.json("/api/v1/jobs"))
    assert finished(slow_client.studio, job["id"]).state is JobState.CANCELLED


def test_the_models_are_listed(openai: OpenAI) -> None:
    (model,) = openai.models.list()
    assert (model.object, model.owned_by) == ("model", "gesso")
    assert openai.models.retrieve(model.id) == model
    assert openai.models.retrieve("dall-e-3").id == "dall-e-3"
    with pytest.raises(NotFoundError) as raised:
        openai.models.retrieve("nothing-of-ours")
    assert raised.value.code == "model_not_found"


def test_the_list_of_models_may_end_in_a_slash(client: Client) -> None:
    assert client.json("/v1/models/") == client.json("/v1/models")


def test_blank_fields_of_a_form_say_nothing(client: Client) -> None:
    blanks = dict.fromkeys(("model", "size", "quality", "response_format", "output_format"), "")
    answer = client.post("/v1/images/generations", {**blanks, "prompt": "x", "n": "1"}, 200)
    assert pixels(answer["data"][0]["b64_json"]).format == "PNG"


def test_our_models_go_by_id_and_by_name(openai: OpenAI, client: Client) -> None:
    (model,) = client.json("/api/v1/models")
    for name in (model["id"], model["name"]):
        assert openai.images.generate(model=name, prompt="x", size="64x64").data


@pytest.mark.parametrize(
    ("asked", "param", "code"),
    [
        ({"prompt": ""}, "prompt", "missing_required_parameter"),
        ({"prompt": "x", "size": "huge"}, "size", "invalid_value"),
        ({"prompt": "x", "size": "4096x4096"}, "size", "invalid_value"),
        ({"prompt": "x", "n": 11}, "n", "invalid_value"),
        ({"prompt": "x", "output_format": "gif"}, "output_format", "invalid_value"),
        ({"prompt": "x", "extra_body": {"steps": 151}}, "steps", "invalid_value"),
        ({"prompt": "(x:1", "extra_body": {"denoising_strength": 2}}, "denoising_strength", None),
    ],
)
def test_a_fault_names_the_parameter(
    empty_client: Client, asked: dict[str, Any], param: str, code: str | None
) -> None:
    openai = OpenAI(base_url=f"{empty_client.site.origin}/v1", api_key="any")
    with openai, pytest.raises(BadRequestError) as raised:
        openai.images.generate(**asked)
    assert (raised.value.param, raised.value.type) == (param, "invalid_request_error")
    assert raised.value.code == (code or "invalid_value")


def test_an_unknown_model_is_said_to_be_unknown(empty_client: Client) -> None:
    """No 404: Nextcloud asks for one to learn whether pictures can be made at this address."""
    openai = OpenAI(base_url=f"{empty_client.site.origin}/v1", api_key="any")
    with openai, pytest.raises(BadRequestError) as raised:
        openai.images.generate(model="no-such-model", prompt="x")
    assert (raised.value.code, raised.value.param) == ("model_not_found", "model")


@pytest.mark.parametrize(
    ("image", "mask", "param"),
    [
        (b"no picture", None, "image"),
        (png(), b"no picture", "mask"),
        (png(), png(), "mask"),
        (png(), png(mode="RGBA"), "mask"),
        (png(), transparent_left(), "mask"),
        ([png(), png()], None, "image"),
    ],
)
def test_a_picture_that_will_not_do_is_refused(
    empty_client: Client, image: Any, mask: bytes | None, param: str
) -> None:
    openai = OpenAI(base_url=f"{empty_client.site.origin}/v1", api_key="any")
    with openai, pytest.raises(BadRequestError) as raised:
        openai.images.edit(image=image, prompt="x", **({"mask": mask} if mask else {}))
    assert raised.value.param == param


def test_a_body_that_is_no_json_is_refused(empty_client: Client) -> None:
    for body in (b"", b"[]", b"{", b"\xff", b"[" * 100_000):
        answer = empty_client.site.ask("POST", "/v1/images/generations", (), body)
        assert answer.status == 400
        assert json.loads(answer.body)["error"]["type"] == "invalid_request_error"
    answer = empty_client.site.ask("POST", "/v1/images/edits", (), b"{}")
    assert json.loads(answer.body)["error"]["code"] == "invalid_content_type"


def test_a_form_that_is_broken_is_refused(empty_client: Client) -> None:
    """What comes is no form, too much of one, or too large."""
    parts = "".join(
        f'--sep\r\nContent-Disposition: form-data; name="f{i}"\r\n\r\nx\r\n' for i in range(200)
    )
    for body in (b"x", b"--sep\r\n\r\n", parts.encode() + b"--sep--\r\n", b"--sep--\r\n"):
        kind = ("Content-Type", "multipart/form-data; boundary=sep")
        answer = empty_client.site.ask("POST", "/v1/images/edits", [kind], body)
        assert answer.status == 400
        assert json.loads(answer.body)["error"]["type"] == "invalid_request_error"


def test_a_job_that_fails_is_not_tried_again(client: Client) -> None:
    """Three jobs for one call would be the library's way with a fault of the server."""
    openai = OpenAI(base_url=f"{client.site.origin}/v1", api_key="any")
    before = client.json("/api/v1/jobs?limit=100")
    bus = client.studio.bus
    ended = bus.subscribe(lambda message: cancel_when_queued(client, message))
    with openai, pytest.raises(InternalServerError) as raised:
        openai.images.generate(prompt="x", extra_body={"steps": 150}, n=10)
    ended()
    assert raised.value.code == "image_generation_failed"
    assert len(client.json("/api/v1/jobs?limit=100")) == len(before) + 1


def cancel_when_queued(client: Client, message: Message) -> None:
    if isinstance(message.event, Queued):
        client.studio.cancel(JobId(message.job_id))


def test_what_has_no_meaning_here_is_named(client: Client) -> None:
    body = {"prompt": "x", "size": "64x64", "style": "vivid", "user": "me", "moderation": "low"}
    answer = client.site.ask(
        "POST", "/v1/images/generations", (), json.dumps({**body, "model": None}).encode()
    )
    assert answer.status == 200
    assert answer.one("x-gesso-ignored") == "moderation, style, user"


def test_a_made_up_name_can_not_break_the_answer(client: Client) -> None:
    names = {"\u5c0f": 1, "a\r\nSet-Cookie: x=1": 2, "\x00": 3, "x" * 5000: 4}
    body = json.dumps({"prompt": "x", "size": "64x64", **names}).encode()
    answer = client.site.ask("POST", "/v1/images/generations", (), body)
    assert answer.status == 200
    assert answer.all("set-cookie") == []
    assert answer.one("x-gesso-ignored").isascii()


def test_the_same_key_gives_the_same_pictures(openai: OpenAI, client: Client) -> None:
    headers = {"Idempotency-Key": "one"}
    answers = [
        openai.images.generate(prompt="x", size="64x64", extra_headers=headers) for _ in range(2)
    ]
    assert answers[0].data == answers[1].data


def test_open_webui_makes_and_edits_pictures(client: Client) -> None:
    """The requests of its image engine "openai", as they go over the wire."""
    made = client.site.ask(
        "POST",
        "/v1/images/generations",
        [("Authorization", "Bearer sk-any"), ("Content-Type", "application/json")],
        json.dumps(
            {
                "model": "starter",
                "prompt": "a cat",
                "n": 1,
                "size": "64x64",
                "response_format": "b64_json",
            }
        ).encode(),
    )
    (image,) = json.loads(made.body)["data"]
    for name in ("image", "image[]"):
        fields = {"model": "", "prompt": "a dog", "n": "1", "size": "64x64"}
        kind, body = form({**fields, "response_format": "b64_json"}, name, image["b64_json"])
        edited = client.site.ask("POST", "/v1/images/edits", [("Content-Type", kind)], body)
        assert edited.status == 200, edited.body
        assert pixels(json.loads(edited.body)["data"][0]["b64_json"]).size == (64, 64)


def form(fields: dict[str, str], name: str, b64: str) -> tuple[str, bytes]:
    parts = [
        f'--sep\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = f'--sep\r\nContent-Disposition: form-data; name="{name}"; filename="a.png"\r\n'
    parts.append(f"{head}Content-Type: image/png\r\n\r\n".encode() + base64.b64decode(b64))
    return "multipart/form-data; boundary=sep", b"".join(parts) + b"\r\n--sep--\r\n"
