"""On a server with accounts, clients of OpenAI's API and agents come in with their key."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from mcp import Client as Agent
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from openai import AuthenticationError, OpenAI, PermissionDeniedError, RateLimitError

from tests.api.accounts import House, open_house


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One house with an owner, for all tests here."""
    with open_house(tmp_path_factory.mktemp("keys")) as opened:
        opened.owner()
        yield opened


def key_of(house: House, role: str) -> str:
    made = house.owner().json("POST", "/api/v1/keys", {"name": role, "role": role}, 201)
    return str(made["secret"])


def openai_of(house: House, key: str) -> OpenAI:
    return OpenAI(base_url=f"{house.site.origin}/v1", api_key=key, max_retries=0)


def test_a_key_lets_a_client_make_pictures(house: House) -> None:
    with openai_of(house, key_of(house, "artist")) as openai:
        answer = openai.images.generate(prompt="x", size="64x64", response_format="url")
    assert answer.data is not None
    with urllib.request.urlopen(answer.data[0].url or "") as picture:
        assert picture.headers["Content-Type"] == "image/png"


def test_a_wrong_key_is_an_authentication_error(house: House) -> None:
    with openai_of(house, "gesso_wrong") as openai, pytest.raises(AuthenticationError) as raised:
        openai.models.list()
    assert raised.value.code == "invalid_api_key"
    assert "API key" in raised.value.message


def test_a_key_for_looking_makes_nothing(house: House) -> None:
    with openai_of(house, key_of(house, "viewer")) as openai:
        assert openai.models.list().data
        with pytest.raises(PermissionDeniedError):
            openai.images.generate(prompt="x")


def ask(house: House, key: str, tool: str, **arguments: Any) -> Any:
    """What a tool says to an agent with a key."""

    async def converse() -> Any:
        http = create_mcp_http_client(headers={"Authorization": f"Bearer {key}"})
        async with (
            http,
            Agent(streamable_http_client(f"{house.site.origin}/mcp", http_client=http)) as agent,
        ):
            return await agent.call_tool(tool, arguments)

    return asyncio.run(converse())


def test_an_agent_comes_in_with_its_key(house: House) -> None:
    made = ask(house, key_of(house, "artist"), "generate_image", prompt="x", width=64, height=64)
    assert made.structured_content["state"] == "done"
    looked = ask(house, key_of(house, "viewer"), "list_models")
    assert looked.structured_content["models"]
    refused = ask(house, key_of(house, "viewer"), "generate_image", prompt="x")
    assert refused.is_error
    assert "key with the role artist" in refused.content[0].text


def test_an_agent_without_a_key_stays_outside(house: House) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
    kind = ("Content-Type", "application/json")
    answer = house.site.ask("POST", "/mcp", [kind], body)
    assert (answer.status, b"API key" in answer.body) == (401, True)


def test_nobody_hears_events_without_a_key(house: House) -> None:
    answer = house.site.get("/api/v1/events")
    assert answer.status == 401
    assert json.loads(answer.body)["error"]["message"]


def test_a_limit_is_a_rate_limit_error(house: House) -> None:
    bob = house.joined("Bob")
    key = bob.json("POST", "/api/v1/keys", {"name": "program"}, 201)["secret"]
    person = bob.json("GET", "/api/v1/session")["id"]
    house.owner().json("PATCH", f"/api/v1/limits/people/{person}", {"queued_jobs": 0})
    with openai_of(house, key) as openai, pytest.raises(RateLimitError) as raised:
        openai.images.generate(prompt="x", size="64x64")
    assert (raised.value.code, raised.value.type) == ("rate_limit_exceeded", "rate_limit_error")
    refused = ask(house, key, "generate_image", prompt="x")
    assert refused.is_error
    assert "the limit for you is 0" in refused.content[0].text
