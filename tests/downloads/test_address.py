"""What people write to name a model."""

from __future__ import annotations

import pytest

from webui.downloads.address import CivitaiRef, HuggingFaceRef, Ref, UrlRef, read_address
from webui.net.faults import FetchRefused

HF, CIVITAI = "https://huggingface.co", "https://civitai.com"
INK = HuggingFaceRef(repository="mia/ink.v2")
FILE = HuggingFaceRef(repository="mia/ink.v2", path="sub/a.safetensors")


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("mia/ink.v2", INK),
        (" hf:mia/ink.v2 ", INK),
        ("https://huggingface.co/mia/ink.v2", INK),
        ("https://hf.co/mia/ink.v2/tree/main/sub", INK),
        ("huggingface.co/mia/ink.v2", INK),
        ("mia/ink.v2/sub/a.safetensors", FILE),
        ("https://huggingface.co/mia/ink.v2/blob/main/sub/a.safetensors", FILE),
        ("https://huggingface.co/mia/ink.v2/resolve/main/sub/a.safetensors?download=true", FILE),
        (
            "https://huggingface.co/mia/ink.v2/resolve/refs%2Fpr%2F1/a.safetensors",
            HuggingFaceRef(repository="mia/ink.v2", revision="refs/pr/1", path="a.safetensors"),
        ),
        ("4201", CivitaiRef(model="4201")),
        ("civitai:4201@130072", CivitaiRef(model="4201", version="130072")),
        (
            "urn:air:sd1:checkpoint:civitai:4201@130072",
            CivitaiRef(model="4201", version="130072"),
        ),
        ("https://civitai.com/models/4201/realistic", CivitaiRef(model="4201")),
        (
            "https://civitai.com/models/4201?modelVersionId=130072",
            CivitaiRef(model="4201", version="130072"),
        ),
        (
            "https://civitai.com/api/download/models/130072?type=Model",
            CivitaiRef(version="130072"),
        ),
        (
            "https://models.example/a.safetensors",
            UrlRef(url="https://models.example/a.safetensors"),
        ),
        ("models.example/a.safetensors", UrlRef(url="https://models.example/a.safetensors")),
    ],
)
def test_addresses_and_ids_are_understood(text: str, ref: Ref) -> None:
    assert read_address(text, HF, CIVITAI) == ref


def test_a_mirror_is_asked_in_the_place_of_hugging_face() -> None:
    ref = read_address("https://mirror.example/mia/ink.v2", "https://mirror.example", CIVITAI)
    assert ref == INK


@pytest.mark.parametrize(
    "query", ["token=a", "API_KEY=a", "access_token=a", "type=Model&token=secret"]
)
def test_a_secret_in_an_address_is_refused(query: str) -> None:
    with pytest.raises(FetchRefused, match="has a secret in it"):
        read_address(f"https://civitai.com/api/download/models/1?{query}", HF, CIVITAI)
