"""Textual inversions in all their files, and that none of them runs anything."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from webui.core.errors import ModelUnreadable
from webui.networks import inert_pickle
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


@pytest.mark.parametrize("is_zipped", [True, False])
def test_a1111s_pickles_are_read(tmp_path: Path, is_zipped: bool) -> None:
    path = tmp_path / "cat.pt"
    torch.save(a1111(VECTORS.half()), path, _use_new_zipfile_serialization=is_zipped)
    assert torch.equal(read_embedding(path)["text_encoder"], VECTORS.half().float())


def test_the_first_trainers_pickles_are_read(tmp_path: Path) -> None:
    """They hold a ParameterDict, which torch's safe reader refuses."""
    parameters = torch.nn.ParameterDict({"*": torch.nn.Parameter(VECTORS)})
    value = {**a1111(), "string_to_param": parameters, "callback": Callback()}
    torch.save(value, tmp_path / "cat.pt")
    assert torch.equal(read_embedding(tmp_path / "cat.pt")["text_encoder"], VECTORS)


def test_diffusers_pickles_are_read(tmp_path: Path) -> None:
    torch.save({"<cat>": VECTORS[0]}, tmp_path / "learned_embeds.bin")
    found = read_embedding(tmp_path / "learned_embeds.bin")
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
    if is_zipped:  # what is no tensor is left inert, the rest is fine
        assert torch.equal(read_embedding(path)["text_encoder"], VECTORS)
    else:
        with pytest.raises(ModelUnreadable):
            read_embedding(path)
    assert not canary.exists()
    torch.load(path, weights_only=False)  # the trap itself works
    assert canary.exists()


@pytest.mark.parametrize(
    "name", ["os system", "builtins eval", "torch.hub load", "torch._utils _import_dotted_name"]
)
@pytest.mark.parametrize("opcode", ["reduce", "object", "stack"])
def test_no_name_in_a_pickle_is_imported(tmp_path: Path, name: str, opcode: str) -> None:
    module, attribute = name.split()
    path = tmp_path / "cat.pt"
    argument = pickle.dumps("1 + 1", 0)[:-1]
    program = {
        "reduce": f"c{module}\n{attribute}\n(".encode() + argument + b"tR.",
        "object": b"(" + argument + f"i{module}\n{attribute}\n.".encode(),
        "stack": b"\x80\x04" + pickle.dumps(module, 4)[2:-1] + pickle.dumps(attribute, 4)[2:-1]
        + b"\x93(" + argument + b"tR.",
    }[opcode]  # fmt: skip
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cat/data.pkl", program)
    found = inert_pickle.load_inert(path)
    assert type(found) is inert_pickle.Inert


def test_a_tensor_that_claims_to_be_huge_is_refused(tmp_path: Path) -> None:
    torch.save(a1111(torch.zeros(1).expand(10**9, 64)), tmp_path / "cat.pt")
    with pytest.raises(ModelUnreadable, match="holds no vectors"):
        read_embedding(tmp_path / "cat.pt")


def test_a_packed_archive_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "cat.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/data.pkl", bytes(2**24))
    with pytest.raises(ModelUnreadable, match="packed"):
        read_embedding(tmp_path / "cat.pt")


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, {"string_to_param": 3}, "x", {}])
def test_what_holds_no_vectors_is_refused(tmp_path: Path, value: object) -> None:
    torch.save(value, tmp_path / "cat.pt")
    with pytest.raises(ModelUnreadable, match="holds no vectors"):
        read_embedding(tmp_path / "cat.pt")


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
    zipped = path.with_suffix(".bin")
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("a/data.pkl", data)
    with pytest.raises(ModelUnreadable):
        read_embedding(zipped)
