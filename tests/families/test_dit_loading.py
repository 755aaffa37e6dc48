"""Loading SD 3, Flux and Chroma: by each way to name tensors the same, and what can't be loaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from webui.core.errors import ModelUnreadable
from webui.core.model import Detected
from webui.families import load_families

if TYPE_CHECKING:
    from torch import nn

    from tests.families.dit_models import Tiny
    from webui.families.components import Components, Placement

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def placement() -> Placement:
    """The CPU in float32."""
    import torch

    from webui.families.components import Placement

    return Placement(device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture(scope="module")
def flux() -> Tiny:
    """A tiny Flux dev."""
    from tests.families.dit_models import make_flux

    return make_flux()


@pytest.fixture(scope="module")
def parts(flux: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """All of it but the network, in files of their own."""
    from tests.families.dit_models import write_parts

    return write_parts(flux, tmp_path_factory.mktemp("parts"))


def same_weights(found: nn.Module, wanted: nn.Module) -> bool:
    """Whether two models have the same weights by the same names, bit for bit."""
    ours, theirs = found.state_dict(), wanted.state_dict()
    return ours.keys() == theirs.keys() and all(ours[key].equal(theirs[key]) for key in ours)


def load(path: Path, placement: Placement, parts: Mapping[str, Path]) -> Components:
    """A Flux."""
    return load_families()["flux"].load(path, placement, parts)


@pytest.mark.parametrize("start", ["", "model.diffusion_model.", "diffusion_model."])
def test_the_network_alone_is_found_behind_each_prefix(
    start: str, flux: Tiny, parts: Mapping[str, Path], placement: Placement, tmp_path: Path
) -> None:
    from tests.families.dit_models import write_network

    found = load(write_network(flux, tmp_path / "a.safetensors", start), placement, parts)
    assert same_weights(found.diffusion_model, flux.network)
    assert same_weights(found.vae, flux.vae)


def test_several_files_beside_each_other_are_one_model(
    flux: Tiny, parts: Mapping[str, Path], placement: Placement, tmp_path: Path
) -> None:
    from tests.families.dit_models import encoder_tensors, network_tensors, write_shards

    path = write_shards(network_tensors(flux), tmp_path / "flux.safetensors")
    encoder = encoder_tensors(flux.encoders["text_encoder_2"])
    t5 = write_shards(encoder, tmp_path / "model.safetensors", 2)
    found = load(path, placement, {**parts, "t5xxl": t5})
    assert same_weights(found.diffusion_model, flux.network)
    assert same_weights(
        found.text_encoders["text_encoder_2"], flux.encoders["text_encoder_2"].encoder
    )


def test_a_file_that_went_from_beside_it_is_named(
    flux: Tiny, parts: Mapping[str, Path], placement: Placement, tmp_path: Path
) -> None:
    from tests.families.dit_models import network_tensors, write_shards

    path = write_shards(network_tensors(flux), tmp_path / "flux.safetensors")
    lost = path.with_name("flux-00002-of-00003.safetensors")
    lost.unlink()
    with pytest.raises(ModelUnreadable, match=lost.name):
        load(path, placement, parts)


def test_it_is_found_by_the_librarys_names(
    flux: Tiny, parts: Mapping[str, Path], placement: Placement, tmp_path: Path
) -> None:
    from tests.families.dit_models import write_diffusers_network

    found = load(write_diffusers_network(flux, tmp_path / "a.safetensors"), placement, parts)
    assert same_weights(found.diffusion_model, flux.network)
    assert found.diffusion_model.config.guidance_embeds


GGUF = (
    ("encoder.final_layer_norm", "enc.output_norm"),
    ("encoder.block.", "enc.blk."),
    ("layer.0.SelfAttention.relative_attention_bias", "attn_rel_b"),
    *((f"layer.0.SelfAttention.{one}", f"attn_{one}") for one in "qkvo"),
    ("layer.0.layer_norm", "attn_norm"),
    ("layer.1.DenseReluDense.wi_0", "ffn_gate"),
    ("layer.1.DenseReluDense.wi_1", "ffn_up"),
    ("layer.1.DenseReluDense.wo", "ffn_down"),
    ("layer.1.layer_norm", "ffn_norm"),
    ("shared", "token_embd"),
)
"""From T5's names to those of GGUF files, as llama.cpp's converter writes them."""


def gguf_name(key: str) -> str:
    for plain, short in GGUF:
        key = key.replace(plain, short)
    return key


@pytest.mark.parametrize(
    "name",
    [
        lambda key: key,
        lambda key: f"text_encoders.t5xxl.transformer.{key}",
        lambda key: key.replace("shared", "encoder.embed_tokens"),
        gguf_name,
    ],
    ids=["transformers", "ComfyUI", "words of the encoder", "GGUF"],
)
def test_t5_is_read_by_each_of_its_names(
    name: Callable[[str], str], flux: Tiny, placement: Placement, tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    from tests.families.dit_models import encoder_tensors
    from webui.families.t5 import load_t5
    from webui.families.weights import TensorFiles

    wanted = flux.encoders["text_encoder_2"].encoder
    tensors = encoder_tensors(flux.encoders["text_encoder_2"])
    path = tmp_path / "t5.safetensors"
    save_file({name(key): tensor.clone() for key, tensor in tensors.items()}, path)
    with TensorFiles(path.name, [path]) as files:
        found = load_t5(files, placement)
    assert same_weights(found, wanted)
    assert found.config.num_heads == 2


@pytest.mark.parametrize(
    ("part", "says"),
    [("t5xxl", "no T5 text encoder"), ("clip_l", "no CLIP-L text encoder"), ("vae", "no VAE")],
)
def test_a_part_that_is_nowhere_is_named(
    part: str,
    says: str,
    flux: Tiny,
    parts: Mapping[str, Path],
    placement: Placement,
    tmp_path: Path,
) -> None:
    from tests.families.dit_models import write_network

    path = write_network(flux, tmp_path / "a.safetensors")
    fewer = {name: file for name, file in parts.items() if name != part}
    with pytest.raises(ModelUnreadable, match=f"{says}.* Put .* into models/"):
        load(path, placement, fewer)


def test_a_model_that_is_shown_more_than_is_known_is_refused(
    parts: Mapping[str, Path], placement: Placement, tmp_path: Path
) -> None:
    from tests.families.dit_models import make_flux, write_network

    unknown = make_flux(in_channels=192, out_channels=64)
    with pytest.raises(ModelUnreadable, match="is shown more beside the picture"):
        load(write_network(unknown, tmp_path / "a.safetensors"), placement, parts)


@pytest.mark.parametrize(
    ("told", "at_1024"),
    [
        ({"shift": 2.5}, 2.5),
        ({"use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 1.15}, 3.158),
        ({}, 1.0),
    ],
)
def test_a_folders_scheduler_says_how_steps_lean(
    told: dict[str, Any], at_1024: float, tmp_path: Path
) -> None:
    from webui.families.components import Shift
    from webui.families.dit_loading import folder_shift

    (tmp_path / "scheduler").mkdir()
    (tmp_path / "scheduler" / "scheduler_config.json").write_text(json.dumps(told), "utf-8")
    assert folder_shift(tmp_path, Shift()).at(4096) == pytest.approx(at_1024, abs=1e-3)


@pytest.mark.parametrize(
    ("pipeline", "variant"),
    [("", "dev"), ("FluxKontextPipeline", "kontext"), ("FluxFillPipeline", "fill")],
)
def test_a_folder_is_told_by_its_pipeline(
    pipeline: str, variant: str, flux: Tiny, tmp_path: Path
) -> None:
    from tests.families.dit_models import write_folder

    folder = write_folder(flux, tmp_path / "flux", pipeline)
    index = json.loads((folder / "model_index.json").read_text("utf-8"))
    told = {each.id: each.detect_folder(index, folder) for each in load_families()}
    found = {id: detected for id, detected in told.items() if detected is not None}
    assert found == {"flux": Detected(variant=variant)}


def test_a_folder_without_a_text_encoder_is_refused(
    flux: Tiny, placement: Placement, tmp_path: Path
) -> None:
    from tests.families.dit_models import write_folder

    folder = write_folder(flux, tmp_path / "flux")
    shutil.rmtree(folder / "text_encoder_2")
    with pytest.raises(ModelUnreadable, match="text_encoder_2 is missing, the T5"):
        load(folder, placement, {})


@pytest.mark.slow
def test_a_full_size_model_with_eyes_is_told_by_its_shapes(tmp_path: Path) -> None:
    """Of Qwen2.5-VL 7B; nothing of its weights is read."""
    import torch
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLModel

    from tests.model_files import safetensors
    from webui.families.components import Placement
    from webui.families.seeing_model import load_seeing_model
    from webui.families.weights import TensorFiles

    words = {"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 2}
    words |= {"num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064}
    eyes = {"hidden_size": 1280, "intermediate_size": 3420, "depth": 2, "num_heads": 16}
    config = Qwen2_5_VLConfig(text_config=words, vision_config=eyes)
    with torch.device("meta"):
        library = Qwen2_5_VLModel(config)
    shapes = {
        key if key.startswith("visual.") else f"model.{key.removeprefix('language_model.')}": [
            *tensor.shape
        ]
        for key, tensor in library.state_dict().items()
    }
    path = safetensors(tmp_path / "qwen.safetensors", shapes)
    deferring = Placement(
        device=torch.device("cpu"), dtype=torch.float32, defer=lambda model, table: None
    )
    with TensorFiles(path.name, [path]) as files:
        found = load_seeing_model(files, "qwen25vl", deferring)
    ours = {key: tensor.shape for key, tensor in found.state_dict().items()}
    assert ours == {key: tensor.shape for key, tensor in library.state_dict().items()}
    for part, settings in (("vision_config", eyes), ("text_config", words)):
        own = getattr(found.config, part)
        assert {name: getattr(own, name) for name in settings} == settings
    assert found.language_model.rotary_emb.inv_freq.shape == (64,)
