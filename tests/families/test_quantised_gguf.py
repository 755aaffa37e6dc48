"""The front of GGUF files: what is read of it, and hostile ones that are refused at once."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from webui.core.errors import ModelUnreadable
from webui.core.model import TensorHeader
from webui.families.gguf_file import is_gguf, read_gguf_front

pytestmark = pytest.mark.torch

ROOT: Final = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with plain and packed tensors, a vocabulary and a tensor laid out anew."""
    import torch

    from tests.families import quantised_files as made

    tensors = {
        "img_in.weight": made.blocks("Q4_K", (8, 256)),
        "img_in.bias": made.plain(torch.randn(8)),
        "conv.weight": made.blocks("Q8_0", (1, 256)),
        "norm.weight": made.plain(torch.randn(5).bfloat16()),
    }
    entries = [
        made.entry("general.file_type", 15),
        made.entry("tokenizer.ggml.tokens", ["a", "bc", "def"]),
        made.entry("tokenizer.ggml.types", [1, 2, 3]),
        made.entry("comfy.gguf.orig_shape.conv.weight", [16, 4, 2, 2]),
    ]
    return made.write_gguf(tmp_path_factory.mktemp("gguf") / "good.gguf", tensors, entries)


def test_a_front_tells_types_and_shapes_as_torch_has_them(good: Path) -> None:
    assert is_gguf(good)
    front = read_gguf_front(good)
    assert dict(front.tensors) == {
        "img_in.weight": TensorHeader(dtype="Q4_K", shape=(8, 256)),
        "img_in.bias": TensorHeader(dtype="F32", shape=(8,)),
        "conv.weight": TensorHeader(dtype="Q8_0", shape=(16, 4, 2, 2)),
        "norm.weight": TensorHeader(dtype="BF16", shape=(5,)),
    }
    assert front.metadata["general.architecture"] == "flux"
    assert front.metadata["general.file_type"] == "15"


def test_a_front_is_read_without_torch(good: Path) -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from webui.families.gguf_file import read_gguf_front; "
        f"read_gguf_front(Path({str(good)!r})); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


def test_other_files_are_no_gguf(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGU")
    assert not is_gguf(tmp_path / "a.gguf")
    assert not is_gguf(tmp_path / "gone.gguf")
    with pytest.raises(ModelUnreadable, match=r"gone\.gguf is missing"):
        read_gguf_front(tmp_path / "gone.gguf")


def _one(
    row: tuple[str, Any, int] | None = None,
    *entries: bytes,
    version: int = 3,
    data: int = 4096,
) -> bytes:
    """A file of one tensor, eight zeros where no other is given."""
    import torch

    from tests.families import quantised_files as made

    head = made.front([row or ("a", made.plain(torch.zeros(8)), 0)], entries, version)
    return head + bytes(-len(head) % 32) + bytes(data)


def _header(*counts: int) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, *counts)


Hostile = Iterator[tuple[str, Callable[[], bytes], str]]
"""What the file is, its bytes, and what is said of it."""


def _hostile_starts() -> Hostile:
    from tests.families import quantised_files as made

    yield "nothing", lambda: b"", "cut short"
    yield "another magic", lambda: b"GGML" + bytes(100), "no GGUF file"
    yield "version 1", lambda: _one(version=1), "version 1"
    yield "bytes in the other order", lambda: _one(version=0x03000000), "of version"
    yield "many tensors", lambda: _header(2**63, 0), "tensors; no model has more"
    yield "many entries", lambda: _header(0, 2**40), "entries; no model has more"
    yield "entries that aren't there", lambda: _header(0, 9000), "cut short"
    yield "tensors that aren't there", lambda: _header(50_000, 0), "cut short"
    yield "a long text", lambda: _header(0, 1) + struct.pack("<Q", 2**62), "bytes of a text"
    yield "a text beyond the end", lambda: _header(0, 1) + struct.pack("<Q", 400), "cut short"
    yield (
        "a text of no letters",
        lambda: _header(0, 1) + struct.pack("<Q", 2) + b"\xff\xfe",
        "UTF-8",
    )
    yield "an unknown entry", lambda: _one(None, made.text("a") + struct.pack("<I", 77)), "type 77"
    listed = made.text("a") + struct.pack("<I", 9)
    yield "a long list", lambda: _one(None, listed + struct.pack("<IQ", 4, 2**60)), "numbers in a"
    yield (
        "a list of many texts",
        lambda: _one(None, listed + struct.pack("<IQ", 8, 2**50)),
        "texts in",
    )
    texts = listed + struct.pack("<IQ", 8, 800_000) + bytes(8 * 700_000)
    yield "a list of nothing", lambda: _header(0, 1) + texts, "cut short"
    yield "a list of lists", lambda: _one(None, listed + struct.pack("<IQ", 9, 1)), "unknown type 9"


def _hostile_tensors() -> Hostile:
    import torch

    from tests.families import quantised_files as made

    small = made.plain(torch.zeros(8))
    yield "no alignment", lambda: _one(None, made.entry("general.alignment", 0)), "alignment 0"
    yield (
        "an odd alignment",
        lambda: _one(None, made.entry("general.alignment", 12)),
        "alignment 12",
    )
    yield (
        "a great alignment",
        lambda: _one(None, made.entry("general.alignment", 2**31)),
        "alignment",
    )
    yield "an unknown type", lambda: _one(("a", small._replace(type=99), 0)), "type number 99"
    yield "IQ2_S", lambda: _one(("a", small._replace(type=22), 0)), "type IQ2_S.*Q2_K to Q8_0"
    yield "rows of no whole blocks", lambda: _one(("a", small._replace(type=8), 0)), "can't be of"
    yield "many sides", lambda: _one(("a", small._replace(shape=(1,) * 9), 0)), "impossible name or"
    yield (
        "a huge tensor",
        lambda: _one(("a", small._replace(shape=(2**63, 2**63), type=0), 0)),
        "cut",
    )
    yield (
        "an empty side",
        lambda: _one(("a", small._replace(shape=(0, 8)), 0)),
        "can't have the shape",
    )
    yield "data beyond the end", lambda: _one(("a", small, 8192)), "MB are missing"
    yield "an odd offset", lambda: _one(("a", small, 7)), "overlaps"
    shape = made.entry("comfy.gguf.orig_shape.a", [3, 5])
    yield "another shape", lambda: _one(None, shape), r"can't have the shape \(3, 5\)"
    less = made.entry("comfy.gguf.orig_shape.a", [-2, -4])
    yield "a negative shape", lambda: _one(None, less), "can't have the shape"
    two = [("a", small, 0), ("b", small, 0)]
    yield "an overlap", lambda: made.front(two, [], 3) + bytes(4096), "overlaps"
    same = [("a", small, 0), ("a", small, 32)]
    yield "a name twice", lambda: made.front(same, [], 3) + bytes(4096), "twice"
    yield "a name with signs", lambda: _one(("a\x1b[2J", small, 0)), "impossible name"
    yield "a long name", lambda: _one(("a" * 600, small, 0)), "bytes of a text"


HOSTILE: Final[Mapping[str, tuple[Callable[[], bytes], str]]] = {
    name: (make, says) for name, make, says in chain(_hostile_starts(), _hostile_tensors())
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_fronts_are_refused_with_the_reason(tmp_path: Path, case: str) -> None:
    make, says = HOSTILE[case]
    path = tmp_path / "bad.gguf"
    path.write_bytes(make())
    with pytest.raises(ModelUnreadable, match=says):
        read_gguf_front(path)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_no_damage_gives_anything_but_a_message(
    good: Path, tmp_path: Path, data: st.DataObject
) -> None:
    raw = bytearray(good.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(4, 600))] = data.draw(st.integers(0, 255))
    path = tmp_path / "bad.gguf"
    path.write_bytes(raw[: data.draw(st.integers(4, len(raw)))])
    try:
        front = read_gguf_front(path)
    except ModelUnreadable:
        return
    assert all(span.offset + span.length <= path.stat().st_size for span in front.spans.values())
