"""Pickles become safetensors files: the same tensors, once, in a process that can do no more."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.model_files import Raw, Tensor, safetensors, tensors, torch_legacy, torch_zip
from webui.core.errors import ModelUnreadable
from webui.modelfiles.conversion import Converter
from webui.modelfiles.header import read_header

if TYPE_CHECKING:
    import torch

SHAPES: Final = {"a.weight": [3, 4], "a.bias": [3], "b": []}


@pytest.fixture
def converter(tmp_path: Path) -> Converter:
    return Converter(tmp_path / "converted")


def made(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "converted").rglob("*.safetensors"))


def shapes(path: Path) -> dict[str, list[int]]:
    return {key: list(tensor.shape) for key, tensor in read_header(path).items()}


@pytest.mark.parametrize("write", [torch_zip, torch_legacy])
def test_a_pickle_is_converted_once_and_left_alone(
    converter: Converter, tmp_path: Path, write: Callable[[Path, object], Path]
) -> None:
    path = write(tmp_path / "nice.ckpt", {"state_dict": tensors(SHAPES), "epoch": 3})
    before = path.read_bytes()
    safe = converter.safe_path(path)
    assert (safe.name, shapes(safe)) == ("nice.safetensors", SHAPES)
    stamp = safe.stat().st_mtime_ns
    assert converter.known(path) == converter.safe_path(path) == safe
    assert (safe.stat().st_mtime_ns, path.read_bytes()) == (stamp, before)


def test_what_is_safe_is_used_as_it_is(converter: Converter, tmp_path: Path) -> None:
    path = safetensors(tmp_path / "really.ckpt", SHAPES)
    assert converter.safe_path(path) == converter.safe_path(path.parent / "really.ckpt") == path
    assert converter.safe_path(tmp_path) == tmp_path
    assert made(tmp_path) == []


def test_a_pickle_is_converted_whatever_its_name(converter: Converter, tmp_path: Path) -> None:
    path = torch_zip(tmp_path / "nice.safetensors", tensors(SHAPES))
    assert converter.safe_path(path) != path
    assert shapes(made(tmp_path)[0]) == SHAPES


def test_a_changed_file_is_converted_again_and_old_conversions_go(
    converter: Converter, tmp_path: Path
) -> None:
    first = converter.safe_path(torch_zip(tmp_path / "nice.pt", tensors(SHAPES)))
    other = torch_zip(tmp_path / "other.pt", tensors(SHAPES))
    converter.safe_path(other)
    other.unlink()
    again = converter.safe_path(torch_zip(tmp_path / "nice.pt", tensors({"new": [2]})))
    assert again != first
    assert made(tmp_path) == [again]


def test_a_conversion_tells_how_far_it_is_and_can_be_cancelled(
    converter: Converter, tmp_path: Path
) -> None:
    path = torch_zip(tmp_path / "large.ckpt", tensors({"a": [16, 2**20]}))
    conversion = converter.convert(path)
    assert 0 <= next(conversion).fraction <= 1
    conversion.close()
    assert made(tmp_path) == []
    assert [file for file in (tmp_path / "converted").rglob("*") if file.is_file()] == []
    fractions = [event.fraction for event in converter.convert(path)]
    assert fractions == sorted(fractions)
    assert len(made(tmp_path)) == 1


@pytest.mark.parametrize(
    "content",
    [
        {"a": Raw(b"cos\nsystem\n")},
        {"a": Raw(b"ctorch._utils\n_rebuild_tensor_v2\n(NtR")},
        {"a": 1},
        [Tensor([2])],
    ],
)
def test_what_is_refused_leaves_nothing_behind(
    converter: Converter, tmp_path: Path, content: object
) -> None:
    path = torch_zip(tmp_path / "bad.ckpt", content)
    with pytest.raises(ModelUnreadable, match="can't be used"):
        converter.safe_path(path)
    assert not list((tmp_path / "converted").rglob("*"))


def test_unknown_classes_of_trainers_are_left_out(converter: Converter, tmp_path: Path) -> None:
    """Such as the callbacks of Lightning, which torch's own careful reader refuses."""
    callback = Raw(
        b"cpytorch_lightning.callbacks\nModelCheckpoint\n)\x81}X\x01\x00\x00\x00aK\x01sb"
    )
    path = torch_zip(tmp_path / "a.ckpt", {"callbacks": callback, "state_dict": tensors(SHAPES)})
    assert shapes(converter.safe_path(path)) == SHAPES


@pytest.mark.torch
def test_tensors_that_share_their_numbers_cannot_make_a_file_huge(
    converter: Converter, tmp_path: Path
) -> None:
    import torch

    shared = torch.zeros(2**18)
    torch.save({"a": shared, "b": shared}, tmp_path / "tied.pt")
    assert len(shapes(converter.safe_path(tmp_path / "tied.pt"))) == 2
    torch.save({str(number): shared for number in range(50)}, tmp_path / "many.pt")
    with pytest.raises(ModelUnreadable, match="claims to hold 50 MB"):
        converter.safe_path(tmp_path / "many.pt")


SEALED: Final = """
import ctypes, os, socket, subprocess, sys
from webui.modelfiles import sandbox
libc = ctypes.CDLL(None)
calls = {
    "open": (libc.open, b"/etc/passwd", 0), "socket": (libc.socket, 2, 1, 0),
    "fork": (libc.fork,), "kill": (libc.kill, 0, 0),
}
by_python = {
    "open": lambda: open("/etc/passwd"), "socket": socket.socket, "fork": os.fork,
    "system": lambda: os.system("true"), "run": lambda: subprocess.run(["true"]),
    "import": lambda: __import__("webbrowser"), "remove": lambda: os.remove("/nothing"),
}
is_kernels = sandbox.seal()
holes = []
for name, action in by_python.items():
    try:
        action()
        holes.append(name)
    except PermissionError:
        pass
if is_kernels:
    for name, (call, *arguments) in calls.items():
        if call(*arguments) != -1:
            holes.append("kernel: " + name)
sys.stdout.write(repr((sum(range(10)), holes, is_kernels)))
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.skipif(os.name == "nt", reason="asks for what Windows does not have")
def test_the_process_can_do_nothing_but_compute() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", SEALED], cwd=root, capture_output=True, text=True, check=True
    )
    total, holes, _ = eval(done.stdout)
    assert (total, holes) == (45, [])


def values() -> dict[str, Any]:
    """Tensors of all kinds, in every order that their numbers may have."""
    import torch

    base = torch.arange(48.0).reshape(6, 8)
    kinds = (torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.int64, torch.uint8)
    return {
        **{str(kind): base.to(kind) for kind in kinds},
        "transposed": base.t(),
        "part": base[1:5, 2:7],
        "column": base[:, 3],
        "repeated": torch.ones(1).expand(4, 5),
        "channels last": torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last),
        "single": torch.tensor(3.5),
        "none": torch.zeros(0, 3),
        "bool": torch.tensor([True, False]),
        "parameter": torch.nn.Parameter(base * 2),
    }


class Callback:
    """Something of a trainer's that was saved along."""


def wrapped(tensors: Mapping[str, object]) -> dict[str, object]:
    """What trainers save."""
    return {
        "plain": dict(tensors),
        "ordered": OrderedDict(tensors),
        "lightning": {
            "state_dict": OrderedDict(tensors),
            "epoch": 3,
            "optimizer_states": [{"state": {0: {"exp_avg": tensors["part"]}}}],
            "callbacks": {Callback: Callback()},
            "hyper_parameters": argparse.Namespace(lr=1e-4, path=Path("a")),
            "others": defaultdict(list, a=[1]),
        },
        "basicsr": {"params_ema": dict(tensors), "params": {"old": tensors["part"]}},
    }


@pytest.mark.torch
@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("layout", ["plain", "ordered", "lightning", "basicsr"])
def test_every_number_arrives(
    converter: Converter, tmp_path: Path, layout: str, is_zip: bool
) -> None:
    import torch
    from safetensors.torch import load_file

    wanted: dict[str, torch.Tensor] = values()
    path = tmp_path / "model.ckpt"
    torch.save(wrapped(wanted)[layout], path, _use_new_zipfile_serialization=is_zip)
    found = load_file(converter.safe_path(path))
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.dtype, name
        assert torch.equal(found[name], tensor), name


@pytest.mark.torch
@pytest.mark.parametrize("is_zip", [True, False])
def test_networks_saved_whole_give_their_weights(
    converter: Converter, tmp_path: Path, is_zip: bool
) -> None:
    import torch
    from safetensors.torch import load_file

    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    torch.save(network, tmp_path / "whole.pth", _use_new_zipfile_serialization=is_zip)
    found = load_file(converter.safe_path(tmp_path / "whole.pth"))
    assert found.keys() == network.state_dict().keys()
    assert all(torch.equal(found[key], value) for key, value in network.state_dict().items())


@pytest.mark.torch
def test_newer_kinds_of_numbers_arrive(converter: Converter, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    wanted = {
        "float8": torch.randn(4, 4).to(torch.float8_e4m3fn),
        "uint16": torch.arange(5).to(torch.uint16),
    }
    torch.save(wanted, tmp_path / "new.pt")
    found = load_file(converter.safe_path(tmp_path / "new.pt"))
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name].float(), tensor.float())
