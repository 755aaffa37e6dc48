"""Pictures with networks and embeddings, through the whole engine, on the starter model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.engine.work import images, pixels, work
from webui.core.engine import UsedFile, Work
from webui.core.errors import InvalidRequest
from webui.core.model import ModelInfo, ModelKind
from webui.modelfiles.header import read_header

if TYPE_CHECKING:
    from webui.engine.local import LocalEngine

pytestmark = pytest.mark.torch

PROMPT: Final = "a red apple"
TO_V: Final = "mid_block.attentions.0.transformer_blocks.0.attn2.to_v"


def batch(prompt: str, *files: tuple[ModelKind, Path]) -> Work:
    """A small picture by this prompt with these files at hand."""
    used = tuple(
        UsedFile(
            kind=kind,
            ref=path.stem,
            model=ModelInfo(
                id=path.name, name=path.stem, kind=kind, family="", path=path, size_bytes=1
            ),
        )
        for kind, path in files
    )
    return replace(work(prompt=prompt, width=64, steps=2), files=used)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A LoRA that changes the starter's text encoder and UNet visibly."""
    import torch

    from tests.networks import layouts

    torch.manual_seed(3)
    shapes = starter_shapes()
    unet = {name: shape for name, shape in shapes.items() if name.endswith(("to_v", "conv1"))}
    layers = {("unet", name): layouts.lora(shape) for name, shape in unet.items()}
    return layouts.written(tmp_path / "style.safetensors", layers)


def starter_shapes() -> Mapping[str, tuple[int, ...]]:
    """The shapes of the weights of the starter's UNet, by layer."""
    folder = Path(__file__).parents[2] / "models" / "starter" / "unet"
    return {
        key.removesuffix(".weight"): tensor.shape
        for file in folder.glob("*.safetensors")
        for key, tensor in read_header(file).items()
        if key.endswith(".weight")
    }


def test_a_network_changes_pictures_and_leaves_no_trace(local: LocalEngine, network: Path) -> None:
    file = (ModelKind.LORA, network)
    (plain,) = images(local, batch(PROMPT))
    (styled,) = images(local, batch(f"{PROMPT}<lora:style:1>", file))
    (none,) = images(local, batch(f"{PROMPT}<lora:style:0>", file))
    (after,) = images(local, batch(PROMPT))
    (again,) = images(local, batch(f"{PROMPT}<lyco:style>", file))
    assert abs(pixels(styled) - pixels(plain)).mean() > 1
    assert none.tobytes() == plain.tobytes() == after.tobytes()
    assert again.tobytes() == styled.tobytes()


def test_a_network_may_come_late_in_the_run(local: LocalEngine, network: Path) -> None:
    file = (ModelKind.LORA, network)
    prompts = [f"{PROMPT}<lora:style:te=0:{rest}>" for rest in ("unet=1", "unet=0")]
    whole, none = (images(local, batch(prompt, file))[0].tobytes() for prompt in prompts)
    (late,) = images(local, batch(f"{PROMPT}<lora:style:[0@0, 1@0.5]:te=0>", file))
    (never,) = images(local, batch(f"{PROMPT}<lora:style:[0@0, 0@0.5]:te=0>", file))
    assert never.tobytes() == none
    assert late.tobytes() not in (whole, none)


def test_a_network_for_another_model_is_refused_and_the_next_picture_is_as_before(
    local: LocalEngine, tmp_path: Path
) -> None:
    from tests.networks import layouts

    (before,) = images(local, batch(PROMPT))
    file = layouts.written(
        tmp_path / "big.safetensors", {("unet", TO_V): layouts.lora((1280, 768))}
    )
    with pytest.raises(InvalidRequest, match=r"“big” was made for Stable Diffusion 1\.5.*768 wide"):
        images(local, batch(f"{PROMPT}<lora:big>", (ModelKind.LORA, file)))
    (after,) = images(local, batch(PROMPT))
    assert after.tobytes() == before.tobytes()


def test_an_embedding_is_a_word_that_means_its_vectors(local: LocalEngine, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    width = starter_shapes()[TO_V][1]
    save_file({"emb_params": torch.randn(2, width)}, tmp_path / "glow.safetensors")
    torch.save({"string_to_param": {"*": torch.randn(1, width)}}, tmp_path / "dusk.pt")
    seen = set()
    for name in ("glow.safetensors", "dusk.pt"):
        file = (ModelKind.EMBEDDING, tmp_path / name)
        (picture,) = images(local, batch(f"{PROMPT}, {file[1].stem}", file))
        (unknown,) = images(local, batch(f"{PROMPT}, {file[1].stem}"))
        seen |= {picture.tobytes(), unknown.tobytes()}
    assert len(seen) == 4
