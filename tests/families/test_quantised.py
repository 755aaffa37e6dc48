"""Weights in fewer bits: their true values, their rows, what is refused, and layers on them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.families import quantised_files as made
from webui.core.errors import ModelUnreadable
from webui.families.components import Placement
from webui.families.quantised.layers import is_quantised, parts
from webui.families.seen_header import seen_header
from webui.families.weights import Piece, TensorFiles, build
from webui.modelfiles.header import read_header

pytestmark = pytest.mark.torch

KEY: Final = "layer.weight"
PLACEMENT: Final = Placement(device=torch.device("cpu"), dtype=torch.float32)
HALF: Final = 2.0**-10
"""Twice float16's rounding: scales are rounded with the product, least values once more."""


@pytest.fixture(scope="module")
def reference() -> made.Tensors:
    return made.reference()


def written(path: Path, tensors: Mapping[str, Tensor]) -> Path:
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path)
    return path


def true_values(path: Path, key: str = KEY) -> Tensor:
    with TensorFiles("tiny", [path]) as files:
        return files.read(key)


def layer_of(
    path: Path, piece: Piece | str, shape: tuple[int, ...], placement: Placement = PLACEMENT
) -> nn.Module:
    """A linear layer, or a convolution, whose weight has this shape and is that of the file."""

    def make() -> nn.Module:
        if len(shape) == 2:
            return nn.Linear(shape[1], shape[0], bias=False)
        return nn.Conv2d(shape[1], shape[0], shape[2:], padding=1, bias=False)

    with TensorFiles("tiny", [path]) as files:
        model = build(
            lambda: nn.Sequential(make()), lambda keys: dict.fromkeys(keys, piece), files, placement
        )
    return model[0]


@pytest.mark.parametrize("type", made.BLOCKS)
def test_blocks_of_gguf_are_what_ggml_says(
    tmp_path: Path, reference: made.Tensors, type: str
) -> None:
    raw, wanted = reference[f"{type}.blocks"], reference[f"{type}.values"]
    tensor = made.Ggml(made.BLOCKS[type][3], tuple(wanted.shape), raw.numpy().tobytes())
    path = made.write_gguf(tmp_path / "a.gguf", {KEY: tensor})
    assert torch.equal(true_values(path), wanted)
    layer = layer_of(path, KEY, tuple(wanted.shape), replace(PLACEMENT, dtype=torch.float16))
    eye = torch.eye(wanted.shape[1], dtype=torch.float16)
    assert (layer(eye).T.float() - wanted).abs().max() <= HALF * wanted.abs().max()


@pytest.mark.parametrize("case", ["nf4.plain", "nf4.nested", "fp4.plain", "fp4.nested"])
def test_four_bits_are_what_bitsandbytes_says(
    tmp_path: Path, reference: made.Tensors, case: str
) -> None:
    tensors = {
        key.replace(f"{case}.weight", KEY): tensor
        for key, tensor in reference.items()
        if key.startswith(f"{case}.weight")
    }
    found = true_values(written(tmp_path / "a.safetensors", tensors))
    # in the last bit: the offset of nested scales is added in another order
    torch.testing.assert_close(found, reference[f"{case}.true"], rtol=1e-6, atol=0)


def test_eight_bits_are_what_bitsandbytes_says(tmp_path: Path, reference: made.Tensors) -> None:
    tensors = {
        KEY: reference["int8.weight"],
        "layer.SCB": reference["int8.SCB"],
        "layer.weight_format": torch.zeros((), dtype=torch.uint8),
    }
    found = true_values(written(tmp_path / "a.safetensors", tensors))
    torch.testing.assert_close(found, reference["int8.true"], rtol=1e-3, atol=0)  # theirs is half


def test_plain_fp8_is_the_same_numbers(tmp_path: Path) -> None:
    for type in (torch.float8_e4m3fn, torch.float8_e5m2):
        codes = torch.tensor([code for code in range(256) if code & 127 < 124], dtype=torch.uint8)
        weight = codes.view(type).reshape(31, 8)
        path = written(tmp_path / "a.safetensors", {KEY: weight, "norm.weight": weight[0].clone()})
        assert torch.equal(true_values(path), weight.float())
        assert torch.equal(true_values(path, "norm.weight"), weight[0].float())
        for half in (torch.float16, torch.bfloat16):
            layer = layer_of(path, KEY, (31, 8), replace(PLACEMENT, dtype=half))
            assert torch.equal(layer(torch.eye(8, dtype=half)).T, weight.to(half))


BLOCK_SCALES: Final = torch.tensor([[0.5, 2.0], [3.0, 0.25]])


@pytest.mark.parametrize(
    ("name", "scale", "spread"),
    [
        ("scale_weight", torch.tensor(0.37), 0.37),
        ("weight_scale", torch.tensor([0.37]), 0.37),
        ("weight_scale", torch.tensor([1e5]), 1e5),
        ("weight_scale", torch.arange(1.0, 201.0), torch.arange(1.0, 201.0)[:, None]),
        ("weight_scale", torch.arange(1.0, 201.0)[:, None], torch.arange(1.0, 201.0)[:, None]),
        (
            "weight_scale_inv",
            BLOCK_SCALES,
            BLOCK_SCALES.repeat_interleave(128, 0).repeat_interleave(128, 1)[:200, :160],
        ),
    ],
)
def test_scaled_fp8_is_value_times_scale(
    tmp_path: Path, name: str, scale: Tensor, spread: Tensor | float
) -> None:
    weight = torch.randn(200, 160).to(torch.float8_e4m3fn)
    path = written(tmp_path / "a.safetensors", {KEY: weight, f"layer.{name}": scale})
    assert torch.equal(true_values(path), weight.float() * spread)


def test_a_file_is_seen_as_if_its_weights_were_plain(
    tmp_path: Path, reference: made.Tensors
) -> None:
    nested = {
        key.replace("nf4.nested", "packed"): tensor
        for key, tensor in reference.items()
        if key.startswith("nf4.nested.weight")
    }
    scaled = made.as_scaled_fp8({"a.weight": torch.randn(4, 6), "a.bias": torch.randn(4)}, "a.")
    path = written(tmp_path / "a.safetensors", {**nested, **scaled})
    with TensorFiles("tiny", [path]) as files:
        shapes = {key: files.shape(key) for key in files}
    seen = seen_header((path,), read_header(path))
    assert {key: tensor.shape for key, tensor in seen.items()} == shapes
    del shapes["a.scaled_fp8"]
    assert shapes == {"packed.weight": (48, 40), "a.weight": (4, 6), "a.bias": (4,)}


def fused(tmp_path: Path, scheme: str) -> Path:
    """A file with a weight of 512 x 256, as three layers or more are fused."""
    weight = torch.randn(512, 256)
    if scheme in made.BLOCKS:
        return made.write_gguf(tmp_path / "a.gguf", {KEY: made.blocks(scheme, (512, 256))})
    files: dict[str, Mapping[str, Tensor]] = {
        "fp8": {KEY: weight.to(torch.float8_e4m3fn)},
        "scaled": made.as_scaled_fp8({KEY: weight}, "layer."),
        "blocks": {
            KEY: weight.to(torch.float8_e4m3fn),
            "layer.weight_scale_inv": torch.rand(4, 2) + 0.5,
        },
        "rows": {KEY: weight.to(torch.float8_e5m2), "layer.weight_scale": torch.rand(512) + 0.5},
        "nf4": made.as_nf4(weight, KEY),
    }
    return written(tmp_path / "a.safetensors", files[scheme])


PIECES: Final = (
    Piece(KEY),
    Piece(KEY, 128, 384),
    Piece(KEY, start=384),
    Piece(KEY, stop=256, swap_halves=True),
    Piece(KEY, 256, 512, swap_halves=True),
)


@pytest.mark.parametrize("scheme", ["fp8", "scaled", "blocks", "rows", "nf4", "Q8_0", "Q4_K"])
def test_pieces_of_fused_weights_stay_packed(tmp_path: Path, scheme: str) -> None:
    path = fused(tmp_path, scheme)
    whole, x = true_values(path), torch.randn(2, 256)
    for piece in PIECES:
        wanted = whole[piece.start : piece.stop]
        wanted = wanted.roll(len(wanted) // 2, 0) if piece.swap_halves else wanted
        layer = layer_of(path, piece, tuple(wanted.shape))
        assert is_quantised(layer), piece
        assert torch.equal(layer(x), nn.functional.linear(x, wanted)), piece
        values = sum(part.numel() * part.element_size() for part in parts(layer).values())
        assert values < 1.2 * wanted.numel(), piece


@pytest.mark.parametrize("scheme", ["blocks", "nf4", "Q4_K"])
@pytest.mark.parametrize(
    "piece", [Piece(KEY, transpose=True), Piece(KEY, 100, 204, True, True), Piece(KEY, 1, 4, True)]
)
def test_other_pieces_are_right_as_well(tmp_path: Path, scheme: str, piece: Piece) -> None:
    path = fused(tmp_path, scheme)
    wanted = true_values(path)[piece.start : piece.stop]
    wanted = wanted.roll(len(wanted) // 2, 0) if piece.swap_halves else wanted
    wanted = wanted.T if piece.transpose else wanted
    layer = layer_of(path, piece, tuple(wanted.shape))
    assert torch.equal(layer(torch.eye(wanted.shape[1])).T, wanted)


def test_convolutions_run_on_packed_kernels(tmp_path: Path) -> None:
    kernel = torch.randn(8, 4, 3, 3)
    path = written(tmp_path / "a.safetensors", made.as_scaled_fp8({KEY: kernel}, "layer."))
    layer, x = layer_of(path, KEY, (8, 4, 3, 3)), torch.randn(1, 4, 5, 5)
    assert is_quantised(layer)
    assert torch.equal(layer(x), nn.functional.conv2d(x, true_values(path), padding=1))


def test_kernels_that_gguf_laid_out_anew_have_their_shape_again(tmp_path: Path) -> None:
    shape = (16, 4, 2, 2)
    flat = made.blocks("Q8_0", (1, 256))
    entries = [made.entry(f"comfy.gguf.orig_shape.{KEY}", list(shape))]
    path = made.write_gguf(tmp_path / "a.gguf", {KEY: flat}, entries)
    assert true_values(path).shape == shape
    layer, x = layer_of(path, KEY, shape), torch.randn(1, 4, 5, 5)
    assert torch.equal(layer(x), nn.functional.conv2d(x, true_values(path), padding=1))


def test_a_kept_layer_takes_the_room_of_its_packed_weight(tmp_path: Path) -> None:
    layer = layer_of(fused(tmp_path, "Q4_K"), KEY, (512, 256))
    held = {id(t): t.numel() * t.element_size() for t in (*layer.parameters(), *layer.buffers())}
    assert sum(held.values()) == 512 * 144
    assert layer.weight.shape == (512, 256)
    assert layer.weight.device.type == "meta"


def test_what_is_no_layer_has_its_true_values_once(tmp_path: Path) -> None:
    weight = torch.randn(6, 8)
    path = written(tmp_path / "a.safetensors", made.as_scaled_fp8({KEY: weight}, "layer."))
    with TensorFiles("tiny", [path]) as files:
        table = build(
            lambda: nn.Embedding(6, 8), lambda keys: dict.fromkeys(keys, KEY), files, PLACEMENT
        )
    assert torch.equal(table.weight, true_values(path))


def test_a_kept_layer_is_cast_and_moved_but_its_parts_are_not_cast(tmp_path: Path) -> None:
    path = fused(tmp_path, "scaled")
    layer, x = (
        layer_of(path, KEY, (512, 256), replace(PLACEMENT, dtype=torch.float16)),
        torch.eye(256),
    )
    before = {name: part.dtype for name, part in parts(layer).items()}
    nn.Sequential(layer).float().to("cpu")
    assert {name: part.dtype for name, part in parts(layer).items()} == before
    assert layer.weight.dtype == torch.float32
    assert torch.equal(layer(x).T, true_values(path))


def comfy(format: str) -> Tensor:
    return torch.tensor(list(json.dumps({"format": format}).encode()), dtype=torch.uint8)


EIGHT: Final = torch.ones(4, 4).to(torch.float8_e4m3fn)
REFUSED: Final[Mapping[str, tuple[Mapping[str, Tensor], str]]] = {
    "nvfp4": (
        {KEY: torch.zeros(4, 2, dtype=torch.uint8), "layer.comfy_quant": comfy("nvfp4")},
        "held as “nvfp4”",
    ),
    "nvfp4 of the first kind": (
        {KEY: torch.zeros(4, 2, dtype=torch.uint8), "layer.weight_scale": EIGHT},
        "held in 4 bits",
    ),
    "sdnq": (
        {KEY: torch.zeros(4, 4, dtype=torch.int8), "layer.scale": torch.ones(4, 1)},
        "held as SDNQ",
    ),
    "damaged words": (
        {KEY: EIGHT, "layer.comfy_quant": torch.zeros(3, dtype=torch.uint8)},
        "layer.comfy_quant can't be read",
    ),
    "a scale of another size": ({KEY: EIGHT, "layer.scale_weight": torch.ones(3)}, "fits no"),
    "a state of another size": (
        {**made.as_nf4(torch.ones(8, 8), KEY), KEY: torch.zeros(7, 1, dtype=torch.uint8)},
        "values has 7 values instead of 32",
    ),
    "a state without a map": (
        {k: v for k, v in made.as_nf4(torch.ones(8, 8), KEY).items() if "map" not in k},
        "is damaged",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cant_be_read_is_refused_by_name(tmp_path: Path, case: str) -> None:
    tensors, says = REFUSED[case]
    with (
        pytest.raises(ModelUnreadable, match=says),
        TensorFiles("tiny", [written(tmp_path / "a.safetensors", tensors)]),
    ):
        pass


def test_the_newer_words_of_comfyui_are_known(tmp_path: Path) -> None:
    tensors = {
        KEY: EIGHT,
        "layer.weight_scale": torch.tensor(0.5),
        "layer.input_scale": torch.tensor(1.0),
        "layer.comfy_quant": comfy("float8_e4m3fn"),
    }
    path = written(tmp_path / "a.safetensors", tensors)
    assert torch.equal(true_values(path), torch.full((4, 4), 0.5))
    with TensorFiles("tiny", [path]) as files:
        assert list(files) == [KEY]
