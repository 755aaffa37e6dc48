"""Pickles are followed as data: any bytes give tensors or a refusal, and nothing else."""

from __future__ import annotations

import pickle
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model_files import Packer, Raw, Tensor, tensors, torch_legacy, torch_zip
from webui.core.errors import ModelUnreadable
from webui.modelfiles.front import read_front
from webui.modelfiles.pickle_program import STEPS

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pickletools")
"""Python's reader of operations warns of odd escapes in texts."""

OPERATIONS: Final = st.one_of(
    st.sampled_from([bytes([code]) for code in b"(.012N]})lduetabRoQ\x81\x85\x86\x87\x88\x94"]),
    st.builds(lambda number: b"K" + bytes([number]), st.integers(0, 255)),
    st.builds(lambda place: b"h" + bytes([place]), st.integers(0, 9)),
    st.builds(lambda place: b"q" + bytes([place]), st.integers(0, 9)),
    st.sampled_from(
        [
            b"X\x01\x00\x00\x00a",
            b"ctorch._utils\n_rebuild_tensor_v2\n",
            b"ctorch\nFloatStorage\n",
            b"ccollections\nOrderedDict\n",
            Packer().pack(("storage", Raw(b"ctorch\nFloatStorage\n"), "0", "cpu", 4)) + b"Q",
            Packer().pack(Tensor([2, 2])),
        ]
    ),
)


def read(path: Path) -> None:
    """The tensors, or a refusal and nothing else."""
    with suppress(ModelUnreadable):
        assert read_front(path).tensors


@given(operations=st.lists(OPERATIONS, max_size=40), is_zip=st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_program_is_followed_to_an_end(
    tmp_path_factory: pytest.TempPathFactory, operations: list[bytes], is_zip: bool
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.pt"
    program = b"\x80\x02" + b"".join(operations) + b"."
    if is_zip:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/data.pkl", program)
            archive.writestr("a/data/0", bytes(16))
    else:
        path.write_bytes(program)
    read(path)


@given(place=st.integers(0, 5000), byte=st.integers(0, 255), is_zip=st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_flipped_byte_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int, is_zip: bool
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.pt"
    write = torch_zip if is_zip else torch_legacy
    data = bytearray(write(path, tensors({"a": [2, 3], "b": [4]})).read_bytes())
    data[place % len(data)] = byte
    path.write_bytes(data)
    read(path)


def test_every_operation_of_pickles_is_known_or_refused() -> None:
    """Those that call what others registered, or take buffers and texts from outside, are not."""
    import pickletools

    unknown = {operation.name for operation in pickletools.opcodes} - STEPS.keys()
    outside = {"PERSID", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"}
    assert unknown == {*outside, "STOP"}


@pytest.mark.parametrize("protocol", range(6))
def test_dictionaries_of_numbers_are_no_models(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "a.pt").write_bytes(pickle.dumps({"a": [1.5, 2]}, protocol))
    with pytest.raises(ModelUnreadable, match="none of PyTorch"):
        read_front(tmp_path / "a.pt")


def test_storages_shorter_than_their_tensors_are_refused(tmp_path: Path) -> None:
    path = torch_legacy(tmp_path / "a.pt", tensors({"a": [100]}))
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<q", 100) + bytes(400), struct.pack("<q", 9), 1))
    with pytest.raises(ModelUnreadable):
        read_front(path)
