"""Networks for SD 3, Flux and Chroma, by the names that trainers give their layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.networks.conftest import use

if TYPE_CHECKING:
    from torch import Tensor

    from tests.networks.layouts import Parts
    from webui.engine.patcher import Patcher
    from webui.families.components import Components

pytestmark = pytest.mark.torch

WIDTH = 64


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Components]:
    """The tiny models in float64."""
    import torch

    from tests.families.dit_models import make_chroma, make_flux, make_sd3, write_whole
    from webui.families import load_families
    from webui.families.components import Placement

    placement = Placement(device=torch.device("cpu"), dtype=torch.float64)
    folder, families = tmp_path_factory.mktemp("tiny"), load_families()
    found = {}
    for tiny in (make_sd3(), make_flux(), make_chroma()):
        file = write_whole(tiny, folder / f"{tiny.family}.safetensors")
        found[tiny.family] = families[tiny.family].load(file, placement)
    return found


@pytest.fixture
def patchers(models: Mapping[str, Components]) -> Iterator[Mapping[str, Patcher]]:
    """Of each model; what they applied is taken off at the end."""
    import torch

    from webui.engine.patcher import Patcher

    torch.manual_seed(1)
    made = {family: Patcher(model) for family, model in models.items()}
    yield made
    for patcher in made.values():
        patcher.release()


def saved(file: Path, layers: Mapping[str, Parts]) -> Path:
    """A network file. `layers` by what stands before a part's name."""
    from safetensors.torch import save_file

    tensors = {
        f"{name}.{part}": tensor for name, parts in layers.items() for part, tensor in parts.items()
    }
    save_file(tensors, file)
    return file


def changes(
    model: Components, names: tuple[str, ...], apply: Callable[[], object], part: str = "unet"
) -> list[Tensor]:
    """How the weights of these layers change."""
    layers = [model.part(part).get_submodule(name) for name in names]
    before = [layer.weight.detach().clone() for layer in layers]
    apply()
    return [layer.weight.detach() - old for layer, old in zip(layers, before, strict=True)]


def product(parts: Parts) -> Tensor:
    """What a LoRA adds at weight 1."""
    scale = float(parts["alpha"]) / parts["lora_down.weight"].shape[0]
    return (parts["lora_up.weight"] @ parts["lora_down.weight"]).double() * scale


def alike(found: Tensor, wanted: Tensor) -> bool:
    """Whether they are the same but for rounding."""
    import torch

    return torch.allclose(found, wanted, atol=1e-7)


FUSED = {
    "flux": (
        "lora_unet_double_blocks_1_txt_attn_qkv",
        tuple(f"transformer_blocks.1.attn.add_{one}_proj" for one in "qkv"),
        (WIDTH,) * 3,
    ),
    "flux, BFL": (
        "diffusion_model.double_blocks.0.img_attn.qkv",
        tuple(f"transformer_blocks.0.attn.to_{one}" for one in "qkv"),
        (WIDTH,) * 3,
    ),
    "flux, single": (
        "lora_unet_single_blocks_0_linear1",
        (
            *(f"single_transformer_blocks.0.attn.to_{one}" for one in "qkv"),
            "single_transformer_blocks.0.proj_mlp",
        ),
        (WIDTH, WIDTH, WIDTH, 4 * WIDTH),
    ),
    "chroma": (
        "lora_unet_double_blocks_0_img_attn_qkv",
        tuple(f"transformer_blocks.0.attn.to_{one}" for one in "qkv"),
        (WIDTH,) * 3,
    ),
    "sd3": (
        "lora_unet_joint_blocks_1_x_block_attn_qkv",
        tuple(f"transformer_blocks.1.attn.to_{one}" for one in "qkv"),
        (WIDTH,) * 3,
    ),
}


@pytest.mark.parametrize("case", FUSED)
def test_a_fused_layer_is_cut_by_rows(
    case: str,
    models: Mapping[str, Components],
    patchers: Mapping[str, Patcher],
    tmp_path: Path,
) -> None:
    from tests.networks import layouts

    family = case.partition(",")[0]
    name, modules, heights = FUSED[case]
    parts = layouts.lora((sum(heights), WIDTH))
    file = saved(tmp_path / "a.safetensors", {name: parts})
    found = changes(models[family], modules, lambda: patchers[family].apply([use(file)]))
    wanted = product(parts).split(heights)
    assert all(alike(mine, its) for mine, its in zip(found, wanted, strict=True))
    assert patchers[family].notes == ()


@pytest.mark.parametrize("kind", ["loha", "lokr", "full"])
def test_other_types_are_cut_too(
    kind: str,
    models: Mapping[str, Components],
    patchers: Mapping[str, Patcher],
    tmp_path: Path,
) -> None:
    """The whole change, computed for a layer that is fused, and its thirds."""
    import torch

    from tests.networks import layouts
    from webui.networks.format import load_formats

    shape = (3 * WIDTH, WIDTH)
    makers = {
        "loha": layouts.loha,
        "lokr": layouts.lokr,
        "full": lambda shape: {"diff": layouts.normal(*shape)},
    }
    parts = makers[kind](shape)
    exact = {name: part.double() for name, part in parts.items()}
    whole = load_formats()[kind].change(exact, torch.zeros(shape, dtype=torch.float64))
    name, modules, _ = FUSED["flux, BFL"]
    flat = f"lora_unet_{name.removeprefix('diffusion_model.').replace('.', '_')}"
    file = saved(tmp_path / "a.safetensors", {flat: parts})
    found = changes(models["flux"], modules, lambda: patchers["flux"].apply([use(file)]))
    assert all(alike(mine, its) for mine, its in zip(found, whole.chunk(3), strict=True))


def test_the_last_modulation_is_turned_round(
    models: Mapping[str, Components], patchers: Mapping[str, Patcher], tmp_path: Path
) -> None:
    """Original files have the shift first, the library the scale."""
    import torch

    from tests.networks import layouts

    parts = layouts.lora((2 * WIDTH, WIDTH))
    file = saved(tmp_path / "a.safetensors", {"lora_unet_final_layer_adaLN_modulation_1": parts})
    (found,) = changes(
        models["flux"], ("norm_out.linear",), lambda: patchers["flux"].apply([use(file)])
    )
    shift, scale = product(parts).chunk(2)
    assert alike(found, torch.cat([scale, shift]))


PLAIN = {
    "flux": ("transformer.single_transformer_blocks.1.proj_out", "unet", WIDTH, 5 * WIDTH),
    "flux, kohya": ("lora_unet_double_blocks_0_img_mod_lin", "unet", 6 * WIDTH, WIDTH),
    "flux, OneTrainer": ("lora_transformer_context_embedder", "unet", WIDTH, 80),
    "flux, T5": (
        "lora_te3_encoder_block_1_layer_0_SelfAttention_q",
        "text_encoder_2",
        32,
        80,
    ),
    "flux, CLIP": (
        "lora_te1_text_model_encoder_layers_1_mlp_fc1",
        "text_encoder",
        128,
        32,
    ),
    "chroma": ("lora_unet_distilled_guidance_layer_layers_0_in_layer", "unet", 32, 32),
    "sd3": ("transformer.transformer_blocks.0.attn.add_q_proj", "unet", WIDTH, WIDTH),
    "sd3, kohya": ("lora_unet_joint_blocks_0_context_block_mlp_fc1", "unet", 4 * WIDTH, WIDTH),
}


@pytest.mark.parametrize("case", PLAIN)
def test_each_trainers_names_find_their_layer(
    case: str,
    models: Mapping[str, Components],
    patchers: Mapping[str, Patcher],
    tmp_path: Path,
) -> None:
    from tests.networks import layouts

    family = case.partition(",")[0]
    name, part, height, width = PLAIN[case]
    parts = layouts.lora((height, width))
    file = saved(tmp_path / "a.safetensors", {name: parts})
    before = {key: tensor.clone() for key, tensor in models[family].part(part).state_dict().items()}
    patchers[family].apply([use(file)])
    after = models[family].part(part).state_dict()
    changed = {key for key, tensor in before.items() if not after[key].equal(tensor)}
    assert len(changed) == 1
    (key,) = changed
    assert alike(after[key] - before[key], product(parts))


XLABS = {
    "double_blocks.0.processor.qkv_lora1": tuple(
        f"transformer_blocks.0.attn.to_{one}" for one in "qkv"
    ),
    "double_blocks.1.processor.qkv_lora2": tuple(
        f"transformer_blocks.1.attn.add_{one}_proj" for one in "qkv"
    ),
    "double_blocks.0.processor.proj_lora1": ("transformer_blocks.0.attn.to_out.0",),
    "diffusion_model.double_blocks.0.processor.proj_lora2": (
        "transformer_blocks.0.attn.to_add_out",
    ),
    "single_blocks.0.processor.qkv_lora": tuple(
        f"single_transformer_blocks.0.attn.to_{one}" for one in "qkv"
    ),
}


@pytest.mark.parametrize("name", XLABS)
def test_the_processors_of_xlabs_are_layers(
    name: str,
    models: Mapping[str, Components],
    patchers: Mapping[str, Patcher],
    tmp_path: Path,
) -> None:
    """Those of single blocks change q, k and v, which are the upper rows of a layer there."""
    from safetensors.torch import save_file

    from tests.networks import layouts

    modules = XLABS[name]
    parts = layouts.lora((len(modules) * WIDTH, WIDTH))
    up = parts["lora_up.weight"]
    down = parts["lora_down.weight"]
    file = tmp_path / "a.safetensors"
    save_file({f"{name}.down.weight": down, f"{name}.up.weight": up}, file)
    found = changes(models["flux"], modules, lambda: patchers["flux"].apply([use(file)]))
    wanted = (up @ down).double().split(WIDTH)
    assert all(alike(mine, its) for mine, its in zip(found, wanted, strict=True))
    assert patchers["flux"].notes == ()


def test_taken_off_again_nothing_is_left(
    models: Mapping[str, Components], patchers: Mapping[str, Patcher], tmp_path: Path
) -> None:
    from tests.networks import layouts

    network = models["flux"].diffusion_model
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    file = saved(
        tmp_path / "a.safetensors",
        {"lora_unet_single_blocks_0_linear1": layouts.lora((7 * WIDTH, WIDTH))},
    )
    patchers["flux"].apply([use(file, unet_weight=0.7)])
    patchers["flux"].release()
    assert all(tensor.equal(before[key]) for key, tensor in network.state_dict().items())
