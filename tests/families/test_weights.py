"""Weights made of pieces of a file's tensors."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from webui.core.errors import ModelUnreadable
from webui.families.components import Placement
from webui.families.weights import Piece, TensorFiles, build

pytestmark = pytest.mark.torch

PLACEMENT = Placement(device=torch.device("cpu"), dtype=torch.float32)
FUSED = torch.arange(24.0).reshape(12, 2)


def weight_of(tmp_path: Path, piece: Piece | str, shape: tuple[int, int], stored: Tensor) -> Tensor:
    """The weight of a linear layer of that shape, made of a file that holds `stored` as "fused"."""
    file = tmp_path / "file.safetensors"
    save_file({"fused": stored}, file)

    def names(keys: Collection[str]) -> Mapping[str, str | Piece]:
        return dict.fromkeys(keys, piece)

    def make() -> nn.Linear:
        return nn.Linear(shape[1], shape[0], bias=False)

    with TensorFiles("tiny", [file]) as files:
        return build(make, names, files, PLACEMENT).weight


@pytest.mark.parametrize(
    ("piece", "wanted"),
    [
        ("fused", FUSED),
        (Piece("fused"), FUSED),
        (Piece("fused", 4, 8), FUSED[4:8]),
        (Piece("fused", stop=4), FUSED[:4]),
        (Piece("fused", start=8), FUSED[8:]),
        (Piece("fused", swap_halves=True), torch.cat([FUSED[6:], FUSED[:6]])),
        (Piece("fused", transpose=True), FUSED.T),
        (Piece("fused", 0, 4, swap_halves=True), torch.cat([FUSED[2:4], FUSED[:2]])),
        (Piece("fused", 0, 4, swap_halves=True, transpose=True), FUSED[:4].roll(2, 0).T),
    ],
)
def test_a_weight_may_be_a_piece_of_a_tensor(
    tmp_path: Path, piece: Piece | str, wanted: Tensor
) -> None:
    rows, columns = wanted.shape
    assert torch.equal(weight_of(tmp_path, piece, (rows, columns), FUSED), wanted)


def test_a_piece_of_the_wrong_shape_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnreadable, match=r"fused has the shape \(2, 2\) instead of \(4, 2\)"):
        weight_of(tmp_path, Piece("fused", 10, 14), (4, 2), FUSED)


def test_the_type_of_a_tensor_is_told_without_reading_it(tmp_path: Path) -> None:
    file = tmp_path / "file.safetensors"
    save_file({"half": FUSED.half(), "eighth": FUSED.to(torch.float8_e4m3fn)}, file)
    with TensorFiles("tiny", [file]) as files:
        assert (files.dtype("half"), files.dtype("eighth")) == ("F16", "F8_E4M3")
