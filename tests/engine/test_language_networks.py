"""Networks for models that read with a language model, by the names that trainers give layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.test_dit_networks import alike, changes, product, saved
from tests.networks.conftest import use

if TYPE_CHECKING:
    from webui.engine.patcher import Patcher
    from webui.families.components import Components

pytestmark = pytest.mark.torch

QUICK = "qwen"
"""The family that the default set tries; the others are slow to make."""
BLOCK = "transformer_blocks.0"
ATTENTION = tuple(f"{BLOCK}.attn.to_{one}" for one in "qkv")
SELF = tuple(f"layers.1.attention.to_{one}" for one in "qkv")
LUMINA = tuple(f"layers.1.attn.to_{one}" for one in "qkv")
CASES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "qwen, Lightning": (f"{BLOCK}.attn.to_q", ATTENTION[:1]),
    "qwen, diffusers": (f"transformer.{BLOCK}.attn.add_k_proj", (f"{BLOCK}.attn.add_k_proj",)),
    "qwen, kohya": ("lora_unet_transformer_blocks_0_img_mlp_net_2", (f"{BLOCK}.img_mlp.net.2",)),
    "qwen, AI toolkit": (f"diffusion_model.{BLOCK}.img_mod.1", (f"{BLOCK}.img_mod.1",)),
    "zimage, AI toolkit": ("diffusion_model.layers.1.attention.to_q", SELF[:1]),
    "zimage, AI toolkit's way out": (
        "diffusion_model.layers.1.attention.to_out.0",
        ("layers.1.attention.to_out.0",),
    ),
    "zimage, kohya": ("lora_unet_layers_1_feed_forward_w2", ("layers.1.feed_forward.w2",)),
    "zimage, original": ("diffusion_model.layers.1.attention.qkv", SELF),
    "zimage, original's way out": (
        "lora_unet_layers_1_attention_out",
        ("layers.1.attention.to_out.0",),
    ),
    "flux2, BFL": ("diffusion_model.double_blocks.0.img_attn.qkv", ATTENTION),
    "flux2, diffusers": (f"transformer.{BLOCK}.attn.to_k", ATTENTION[1:2]),
    "flux2, single": (
        "diffusion_model.single_blocks.1.linear1",
        ("single_transformer_blocks.1.attn.to_qkv_mlp_proj",),
    ),
    "flux2, single, diffusers": (
        "transformer.single_transformer_blocks.1.attn.to_out",
        ("single_transformer_blocks.1.attn.to_out",),
    ),
    "lumina2, original": ("diffusion_model.layers.1.attention.qkv", LUMINA),
    "lumina2, diffusers": ("transformer.layers.1.attn.to_v", LUMINA[2:]),
    "sana, diffusers": (f"transformer.{BLOCK}.attn1.to_q", (f"{BLOCK}.attn1.to_q",)),
    "sana, original": (
        "lora_unet_blocks_0_attn_qkv",
        tuple(f"{BLOCK}.attn1.to_{one}" for one in "qkv"),
    ),
}


@pytest.fixture(scope="module")
def model_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Components]:
    """The tiny model of a family in float64, made when it is first asked for."""
    import torch

    from tests.families import language_dits
    from tests.families.dit_models import write_whole
    from webui.families import load_families
    from webui.families.components import Placement

    placement = Placement(device=torch.device("cpu"), dtype=torch.float64)
    made: dict[str, Components] = {}

    def model(family: str) -> Components:
        if family not in made:
            tiny = getattr(language_dits, f"make_{family}")()
            file = write_whole(tiny, tmp_path_factory.mktemp(family) / "model.safetensors")
            made[family] = load_families()[family].load(file, placement)
        return made[family]

    return model


@pytest.fixture
def patcher_of(model_of: Callable[[str], Components]) -> Iterator[Callable[[str], Patcher]]:
    """A family's patcher; what they applied is taken off at the end."""
    from webui.engine.patcher import Patcher

    made: list[Any] = []

    def patcher(family: str) -> Patcher:
        made.append(Patcher(model_of(family)))
        found: Patcher = made[-1]
        return found

    yield patcher
    for each in made:
        each.release()


@pytest.mark.parametrize(
    "case",
    [
        case if case.startswith(QUICK) else pytest.param(case, marks=pytest.mark.slow)
        for case in CASES
    ],
)
def test_each_trainers_names_find_their_layers(
    case: str,
    model_of: Callable[[str], Components],
    patcher_of: Callable[[str], Patcher],
    tmp_path: Path,
) -> None:
    import torch

    from tests.networks import layouts

    torch.manual_seed(1)
    family = case.partition(",")[0]
    name, modules = CASES[case]
    model, patcher = model_of(family), patcher_of(family)
    shapes = [model.diffusion_model.get_submodule(each).weight.shape for each in modules]
    heights = [shape[0] for shape in shapes]
    parts = layouts.lora((sum(heights), shapes[0][1]))
    file = saved(tmp_path / "a.safetensors", {name: parts})
    found = changes(model, modules, lambda: patcher.apply([use(file)]))
    wanted = product(parts).split(heights)
    assert all(alike(mine, its) for mine, its in zip(found, wanted, strict=True))
    assert patcher.notes == ()
