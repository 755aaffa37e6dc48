"""The check of safetensors headers: what it lets through, the library reads as well."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open

from tests.model_files import raw_safetensors, safetensors
from webui.core.errors import ModelUnreadable
from webui.modelfiles.header import read_front, read_header

GOOD: Final[dict[str, Any]] = {
    "__metadata__": {"format": "pt", "title": "<img src=x onerror=alert(1)>"},
    "a": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]},
    "b": {"dtype": "I64", "shape": [], "data_offsets": [12, 20]},
    "../../c": {"dtype": "F8_E4M3", "shape": [0, 4], "data_offsets": [20, 20]},
}
NUMBERS: Final = st.one_of(
    st.integers(-3, 30), st.sampled_from([2**63, 2**64, -1, 12.0, True, None, "12", [], {}])
)
CHANGES: Final = st.one_of(
    st.tuples(
        st.just("dtype"), st.sampled_from(["F32", "F16", "U8", "BOOL", "F4", "X", "", 3, []])
    ),
    st.tuples(st.just("shape"), st.lists(NUMBERS, max_size=4)),
    st.tuples(st.just("data_offsets"), st.lists(NUMBERS, max_size=3)),
    st.tuples(st.just("more"), NUMBERS),
)


def test_a_whole_file_is_read_with_its_metadata(tmp_path: Path) -> None:
    path = raw_safetensors(tmp_path / "a.safetensors", json.dumps(GOOD).encode(), b"", 20)
    front = read_front(path)
    assert {key: (each.dtype, each.shape) for key, each in front.tensors.items()} == {
        "a": ("F16", (2, 3)), "b": ("I64", ()), "../../c": ("F8_E4M3", (0, 4)),
    }  # fmt: skip
    assert front.metadata == GOOD["__metadata__"]


@given(
    changes=st.lists(st.tuples(st.sampled_from(["a", "b", "../../c"]), CHANGES), max_size=3),
    spare=st.sampled_from([0, 0, 0, -1, 1, 7]),
)
@settings(max_examples=150, deadline=None)
def test_what_passes_the_library_reads_too(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[str, tuple[str, Any]]],
    spare: int,
) -> None:
    header = {key: dict(entry) for key, entry in GOOD.items()}
    for key, (name, value) in changes:
        header[key][name] = value
    path = tmp_path_factory.mktemp("any") / "a.safetensors"
    raw_safetensors(path, json.dumps(header).encode(), b"", 20 + spare)
    try:
        ours = {key: list(each.shape) for key, each in read_header(path).items()}
    except ModelUnreadable:
        return
    with safe_open(path, framework="numpy") as file:
        assert {key: file.get_slice(key).get_shape() for key in file.keys()} == ours  # noqa: SIM118


@given(place=st.integers(0, 400), byte=st.integers(0, 255))
@settings(max_examples=150, deadline=None)
def test_a_flipped_byte_is_refused_or_read_alike(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.safetensors"
    data = bytearray(safetensors(path, {"a.weight": [4, 3], "b": [5]}, title="x").read_bytes())
    data[place % len(data)] = byte
    path.write_bytes(data)
    try:
        ours = {key: list(each.shape) for key, each in read_header(path).items()}
    except ModelUnreadable:
        return
    try:
        with safe_open(path, framework="numpy") as file:
            theirs = {key: file.get_slice(key).get_shape() for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        pytest.fail(f"only the library refuses {bytes(data[8:])!r}: {error}")
    assert theirs == ours


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**63, 2**64 - 1])
def test_a_length_that_cannot_be_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b'{"a":1}' * 10)
    with pytest.raises(ModelUnreadable):
        read_front(path)
