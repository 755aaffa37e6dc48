"""Agents use the studio through the official client of the Model Context Protocol, over HTTP."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import subprocess
import sys
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from mcp import Client as Agent
from mcp.shared.exceptions import MCPError
from PIL import Image

from tests.api.conftest import Client
from tests.conftest import finished, png, until
from webui.core.job import JobState, PersonId
from webui.core.request import GenerationRequest

T = TypeVar("T")


@pytest.fixture
def client(shared_client: Client) -> Client:
    """One studio for all tests here."""
    return shared_client


def ask(client: Client, talk: Callable[[Agent], Awaitable[T]], **options: Any) -> T:
    """What an agent finds out in one conversation."""

    async def converse() -> T:
        async with Agent(f"{client.site.origin}/mcp", **options) as agent:
            return await talk(agent)

    return asyncio.run(converse())


def call(client: Client, tool: str, **arguments: Any) -> Any:
    return ask(client, lambda agent: agent.call_tool(tool, arguments))


def kinds(result: Any) -> list[str]:
    return [block.type for block in result.content]


def look(result: Any) -> Image.Image:
    (block,) = [block for block in result.content if block.type == "image"]
    return Image.open(io.BytesIO(base64.b64decode(block.data)))


BOTH = pytest.mark.parametrize("mode", ["auto", pytest.param("legacy", marks=pytest.mark.slow)])
"""The protocol's dialects: the newest, and the one with a handshake."""


@BOTH
def test_agents_are_told_what_there_is_to_do(client: Client, mode: str) -> None:
    tools = ask(client, lambda agent: agent.list_tools(), mode=mode).tools
    assert [tool.name for tool in tools] == [
        "generate_image",
        "edit_image",
        "list_models",
        "get_picture",
        "job_status",
        "cancel_job",
    ]
    make = tools[0]
    assert make.input_schema["required"] == ["prompt"]
    assert make.input_schema["properties"]["count"]["maximum"] == 10
    assert make.output_schema is not None
    assert "pictures" in make.output_schema["properties"]
    for tool in tools:
        assert len(tool.description or "") > 30
        described = tool.input_schema["properties"].values()
        assert all("description" in field for field in described), tool.name


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_agent_makes_a_picture_and_looks_at_it(client: Client, mode: str) -> None:
    arguments = {"prompt": "a red apple", "width": 1024, "height": 512, "seed": 5}
    result = ask(client, lambda agent: agent.call_tool("generate_image", arguments), mode=mode)
    assert not result.is_error
    assert kinds(result) == ["text", "image", "resource_link"]
    assert (look(result).size, look(result).format) == ((512, 256), "JPEG")
    (picture,) = result.structured_content["pictures"]
    assert (picture["width"], picture["seed"]) == (1024, 5)
    with urllib.request.urlopen(picture["url"]) as response:
        assert Image.open(io.BytesIO(response.read())).size == (1024, 512)


def test_the_whole_picture_is_a_resource(client: Client) -> None:
    async def talk(agent: Agent) -> Any:
        made = await agent.call_tool("generate_image", {"prompt": "x", "width": 64, "height": 64})
        return await agent.read_resource(made.structured_content["pictures"][0]["resource"])

    (content,) = ask(client, talk).contents
    assert Image.open(io.BytesIO(base64.b64decode(content.blob))).size == (64, 64)


def test_an_agent_changes_a_picture_of_its_own(client: Client) -> None:
    job = client.make(prompt="x", width=64, height=64)
    result = call(
        client, "edit_image", prompt="y", picture_id=job["pictures"][0]["id"], strength=0.5
    )
    (picture,) = result.structured_content["pictures"]
    detail = client.json(f"/api/v1/pictures/{picture['picture_id']}")
    assert (detail["mode"], detail["request"]["source"]["denoising_strength"]) == ("img2img", 0.5)


def test_an_agent_repaints_where_its_mask_is_transparent(client: Client) -> None:
    hole = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    hole.paste((0, 0, 0, 255), (0, 0, 32, 64))
    buffer = io.BytesIO()
    hole.save(buffer, "PNG")
    result = call(
        client,
        "edit_image",
        prompt="y",
        image_base64=f"data:image/png;base64,{base64.b64encode(png()).decode()}",
        mask_base64=base64.b64encode(buffer.getvalue()).decode(),
    )
    assert not result.is_error
    with urllib.request.urlopen(result.structured_content["pictures"][0]["url"]) as response:
        image = Image.open(io.BytesIO(response.read())).convert("RGB")
    assert image.getpixel((4, 32)) == (255, 0, 0)
    assert image.getpixel((60, 32)) != (255, 0, 0)


def test_an_agent_looks_at_models_and_pictures(client: Client) -> None:
    (model,) = call(client, "list_models").structured_content["models"]
    assert model["is_default"]
    job = client.make(prompt="a pear", width=64, height=64, seed=3)
    result = call(client, "get_picture", picture_id=job["pictures"][0]["id"])
    assert result.structured_content["picture"]["prompt"] == "a pear"
    assert "Seed: 3" in result.structured_content["settings"]
    assert look(result).size == (64, 64)


def test_an_agent_hears_how_far_its_picture_is(slow_client: Client) -> None:
    told: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        assert (total, message is None) == (1.0, False)
        told.append(progress)

    result = ask(
        slow_client,
        lambda agent: agent.call_tool(
            "generate_image",
            {"prompt": "x", "width": 64, "height": 64, "steps": 8},
            progress_callback=hear,
        ),
    )
    assert result.structured_content["state"] == "done"
    assert len(told) > 2
    assert told == sorted(told)


def test_an_agent_may_leave_a_job_alone_and_come_back(slow_client: Client) -> None:
    made = call(slow_client, "generate_image", prompt="x", steps=8, wait_s=0)
    job_id = made.structured_content["job_id"]
    assert made.structured_content["state"] in ("queued", "running")
    assert kinds(made) == ["text"]
    later = call(slow_client, "job_status", job_id=job_id)
    assert later.structured_content["state"] == "done"
    assert kinds(later) == ["text", "image", "resource_link"]


def test_an_agent_ends_its_job(slow_client: Client) -> None:
    made = call(slow_client, "generate_image", prompt="x", steps=150, wait_s=0)
    job_id = made.structured_content["job_id"]
    assert not call(slow_client, "cancel_job", job_id=job_id).is_error
    over = call(slow_client, "job_status", job_id=job_id)
    assert over.structured_content["state"] == "cancelled"


@BOTH
def test_a_call_that_is_given_up_ends_its_job(slow_client: Client, mode: str) -> None:
    async def give_up(agent: Agent) -> None:
        asking = asyncio.ensure_future(
            agent.call_tool("generate_image", {"prompt": "x", "steps": 150})
        )
        while not (jobs := await asyncio.to_thread(slow_client.json, "/api/v1/jobs")):
            pass
        assert len(jobs) == 1
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    ask(slow_client, give_up, mode=mode)
    (job,) = until(lambda: slow_client.json("/api/v1/jobs"))
    assert finished(slow_client.studio, job["id"]).state is JobState.CANCELLED


def test_what_is_somebody_elses_does_not_exist(client: Client) -> None:
    other = client.studio.submit(GenerationRequest(width=64, height=64), PersonId("other"))
    finished(client.studio, other.id)
    (picture,) = client.studio.gallery.of_job(other.id)
    for tool, arguments in (
        ("job_status", {"job_id": other.id}),
        ("cancel_job", {"job_id": other.id}),
        ("get_picture", {"picture_id": picture.id}),
        ("edit_image", {"prompt": "x", "picture_id": picture.id}),
    ):
        result = call(client, tool, **arguments)
        assert result.is_error
        assert "There is no" in result.content[0].text

    async def read(agent: Agent) -> None:
        with pytest.raises(MCPError, match="There is no picture"):
            await agent.read_resource(f"gesso://pictures/{picture.id}")

    ask(client, read)


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("generate_image", {"prompt": ""}, "prompt"),
        ("generate_image", {"prompt": "x", "model": "none-such"}, "There is no model"),
        ("generate_image", {"prompt": "x", "width": 513}, "multiple of 8"),
        ("generate_image", {"prompt": "x", "count": 99}, "count"),
        ("edit_image", {"prompt": "x"}, "Which picture?"),
        ("edit_image", {"prompt": "x", "image_base64": "?"}, "not base64"),
        ("edit_image", {"prompt": "x", "image_base64": "AAAA"}, "not a picture"),
    ],
)
def test_a_fault_is_told_in_words(
    empty_client: Client, tool: str, arguments: dict[str, Any], words: str
) -> None:
    result = call(empty_client, tool, **arguments)
    assert result.is_error
    assert words in result.content[0].text


def test_a_page_elsewhere_can_not_call_tools(empty_client: Client) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
    ]
    body = json.dumps(message).encode()
    site = empty_client.site
    for address in ("/mcp", "/mcp/"):
        assert site.ask("POST", address, headers, body).status == 200
    assert (
        site.ask("POST", "/mcp", [*headers, ("Origin", "http://evil.example")], body).status == 403
    )
    assert site.ask("POST", "/mcp", headers, body, hosts=["evil.example"]).status == 421
    assert site.get("/mcp").status == 405


def test_the_page_starts_without_the_library() -> None:
    code = (
        "import sys, webui.api.build, webui.studio, webui.gate.server; "
        "print([name for name in ('mcp', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
