"""What the API says of a prompt, and the styles and wildcards it may name."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.api.conftest import Client, error_of


def ask(client: Client, prompt: str, **more: object) -> Any:
    return client.post("/api/v1/prompt", {"prompt": prompt, **more}, status=200)


def test_a_plain_prompt_is_counted(empty_client: Client) -> None:
    assert ask(empty_client, "apple, apple") == {
        "tokens": 3,
        "limit": 75,
        "warnings": [],
        "error": None,
        "networks": [],
    }


def test_a_long_prompt_takes_another_chunk(empty_client: Client) -> None:
    read = ask(empty_client, "apple " * 80)
    assert (read["tokens"], read["limit"]) == (80, 150)


def test_the_steps_decide_what_a_schedule_says(empty_client: Client) -> None:
    prompt = "[apple:" + "apple " * 80 + ":15]"
    assert ask(empty_client, prompt, steps=20)["limit"] == 150
    assert ask(empty_client, prompt, steps=10)["limit"] == 75


def test_networks_are_listed_and_missing_ones_remarked(empty_client: Client) -> None:
    read = ask(empty_client, "apple <lora:glow:0.8:0.5>")
    assert read["networks"] == [
        {"name": "glow", "id": None, "text_weight": 0.8, "unet_weight": 0.5, "position": 6}
    ]
    (warning,) = read["warnings"]
    assert warning["position"] == 6
    assert "“glow”" in warning["message"]


def test_doubtful_brackets_are_warned_of(empty_client: Client) -> None:
    (warning,) = ask(empty_client, "an (apple")["warnings"]
    assert warning == {"position": 3, "message": "“(” is never closed: it reaches to the end."}


def test_not_every_bracket_is_warned_of(empty_client: Client) -> None:
    assert len(ask(empty_client, "(" * 500)["warnings"]) == 20


@pytest.mark.parametrize(
    ("prompt", "position", "words"),
    [("an (apple:500)", 3, "weight 500"), ("an __apple__", 3, "no wildcard “apple”")],
)
def test_a_wrong_prompt_is_an_answer_not_a_refusal(
    empty_client: Client, prompt: str, position: int, words: str
) -> None:
    error = ask(empty_client, prompt, is_negative=True)["error"]
    assert error["position"] == position
    assert words in error["message"]


def test_styles_and_wildcards_count(client: Client) -> None:
    folder = client.studio.wildcards
    folder.mkdir(parents=True)
    (folder / "fruit.txt").write_text("apple apple apple\n")
    client.post("/api/v1/styles", {"name": "Twice", "prompt": "{prompt} {prompt}"}, status=200)
    assert ask(client, "__fruit__")["tokens"] == 3
    assert ask(client, "__fruit__", styles=["Twice"])["tokens"] == 6
    assert "no style" in ask(client, "x", styles=["Nope"])["error"]["message"]
    assert client.json("/api/v1/wildcards") == ["fruit"]


def test_an_embedding_counts_its_vectors(client: Client) -> None:
    catalog = client.studio.catalog
    catalog.folder.mkdir(parents=True, exist_ok=True)
    vectors = {"emb_params": np.zeros((7, 768), np.float32)}
    save_file(vectors, str(catalog.folder / "shiny.safetensors"))
    catalog.refresh()
    assert ask(client, "apple, Shiny")["tokens"] == 2 + 7


def test_an_unknown_checkpoint_is_counted_like_the_chosen_one(empty_client: Client) -> None:
    assert ask(empty_client, "apple", checkpoint="gone")["tokens"] == 1


def test_a_misspelt_field_is_refused(empty_client: Client) -> None:
    answer = empty_client.site.ask(
        "POST",
        "/api/v1/prompt",
        [("Content-Type", "application/json")],
        b'{"prompt": "x", "step": 3}',
    )
    status, field, _ = error_of(answer)
    assert (status, field) == (422, "step")


def test_a_model_without_weights_says_so(empty_client: Client) -> None:
    from tests.catalog.test_told import QWEN
    from tests.model_files import safetensors

    studio = empty_client.studio
    safetensors(studio.catalog.folder / "words.safetensors", QWEN)
    studio.catalog.refresh()
    (warning,) = ask(empty_client, "a (red:1.2) cat", checkpoint="words")["warnings"]
    assert warning == {
        "position": 2,
        "message": "Qwen-Image hears no weights: brackets around words change nothing.",
    }
    for prompt in ("a cat", "[a cat:a dog:0.5]", "a \\(red\\) cat"):
        assert ask(empty_client, prompt, checkpoint="words")["warnings"] == []
    assert ask(empty_client, "a (red:1.2) cat", checkpoint="starter")["warnings"] == []
    assert ask(empty_client, "a (cat)", checkpoint="words", emphasis="ignore")["warnings"] == []


def test_there_are_no_wildcards_at_first(empty_client: Client) -> None:
    assert empty_client.json("/api/v1/wildcards") == []


def test_a_style_is_kept_and_removed(client: Client) -> None:
    assert client.json("/api/v1/styles") == []
    style = {"name": "Öl / a?b", "prompt": "oil", "negative_prompt": "photo"}
    assert client.post("/api/v1/styles", style, status=200) == [style]
    changed = style | {"prompt": "oils"}
    client.post("/api/v1/styles", changed, status=200)
    assert client.json("/api/v1/styles") == [changed]
    answer = client.site.ask("DELETE", "/api/v1/styles?name=%C3%96l%20%2F%20a%3Fb")
    assert json.loads(answer.body) == []
    again = client.site.ask("DELETE", "/api/v1/styles?name=%C3%96l%20%2F%20a%3Fb")
    assert error_of(again)[0] == 404


def test_a_style_without_name_is_refused(empty_client: Client) -> None:
    answer = empty_client.site.ask(
        "POST", "/api/v1/styles", [("Content-Type", "application/json")], b'{"name": " "}'
    )
    assert error_of(answer)[:2] == (422, "name")
