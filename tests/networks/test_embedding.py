"""Textual inversions in all their files, and that none of them runs anything."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from webui.core.errors import ModelUnreadable
from webui.modelfiles.conversion import Converter
from webui.networks.embedding import read_embedding

pytestmark = pytest.mark.torch

VECTORS: Final = torch.arange(96, dtype=torch.float32).reshape(3, 32) / 96


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (str(self._canary),)


class Callback:
    """Something of a trainer's that was saved along."""

    def __init__(self) -> None:
        self.best = 3


def a1111(vectors: object = VECTORS) -> dict[str, object]:
    """What A1111's trainer saves."""
    return {
        "string_to_token": {"*": 265},
        "string_to_param": {"*": vectors},
        "name": "cat",
        "step": 500,
        "sd_checkpoint": None,
    }


def read(path: Path) -> Mapping[str, torch.Tensor]:
    """The vectors of a pickle, by the way that the engine takes."""
    return read_embedding(Converter(path.parent / "converted").safe_path(path))


@pytest.mark.parametrize("is_zipped", [True, False])
def test_a1111s_pickles_are_read(tmp_path: Path, is_zipped: bool) -> None:
    path = tmp_path / "cat.pt"
    torch.save(a1111(VECTORS.half()), path, _use_new_zipfile_serialization=is_zipped)
    assert torch.equal(read(path)["text_encoder"], VECTORS.half().float())


def test_the_first_trainers_pickles_are_read(tmp_path: Path) -> None:
    """They hold a ParameterDict, which torch's safe reader refuses."""
    parameters = torch.nn.ParameterDict({"*": torch.nn.Parameter(VECTORS)})
    value = {**a1111(), "string_to_param": parameters, "callback": Callback()}
    torch.save(value, tmp_path / "cat.pt")
    assert torch.equal(read(tmp_path / "cat.pt")["text_encoder"], VECTORS)


def test_diffusers_pickles_are_read(tmp_path: Path) -> None:
    torch.save({"<cat>": VECTORS[0]}, tmp_path / "learned_embeds.bin")
    found = read(tmp_path / "learned_embeds.bin")
    assert torch.equal(found["text_encoder"], VECTORS[:1])


@pytest.mark.parametrize("key", ["emb_params", "<cat>", "*"])
def test_safetensors_are_read(tmp_path: Path, key: str) -> None:
    save_file({key: VECTORS}, tmp_path / "cat.safetensors")
    found = read_embedding(tmp_path / "cat.safetensors")
    assert found.keys() == {"text_encoder"}
    assert torch.equal(found["text_encoder"], VECTORS)


def test_those_of_sdxl_have_vectors_for_both_encoders(tmp_path: Path) -> None:
    save_file({"clip_l": VECTORS, "clip_g": torch.ones(3, 40)}, tmp_path / "cat.safetensors")
    found = read_embedding(tmp_path / "cat.safetensors")
    assert torch.equal(found["text_encoder"], VECTORS)
    assert found["text_encoder_2"].shape == (3, 40)


@pytest.mark.parametrize("is_zipped", [True, False])
def test_a_malicious_pickle_runs_nothing(tmp_path: Path, is_zipped: bool) -> None:
    canary, path = tmp_path / "canary", tmp_path / "cat.pt"
    value = {**a1111(), "trap": Trap(canary)}
    torch.save(value, path, _use_new_zipfile_serialization=is_zipped)
    for reader in (read, read_embedding):
        with pytest.raises(ModelUnreadable):
            reader(path)
    assert not canary.exists()
    torch.load(path, weights_only=False)  # the trap itself works
    assert canary.exists()


def test_a_tensor_that_claims_to_be_huge_is_refused(tmp_path: Path) -> None:
    torch.save(a1111(torch.zeros(1).expand(10**9, 64)), tmp_path / "cat.pt")
    with pytest.raises(ModelUnreadable, match="claims to hold"):
        read(tmp_path / "cat.pt")


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, {"string_to_param": 3}, "x", {}])
def test_what_holds_no_vectors_is_refused(tmp_path: Path, value: object) -> None:
    torch.save(value, tmp_path / "cat.pt")
    with pytest.raises(ModelUnreadable, match="holds no tensors"):
        read(tmp_path / "cat.pt")


def test_vectors_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    save_file({"emb_params": VECTORS / 0}, tmp_path / "cat.safetensors")
    with pytest.raises(ModelUnreadable, match="holds no vectors"):
        read_embedding(tmp_path / "cat.safetensors")


@given(data=st.binary(max_size=200), suffix=st.sampled_from([".pt", ".safetensors"]))
@settings(max_examples=60, deadline=None)
def test_any_other_bytes_are_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("any") / f"a{suffix}"
    path.write_bytes(data)
    with pytest.raises(ModelUnreadable):
        read_embedding(path)
