"""What models with a language model are told of a prompt, beside the library's encoding of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from webui.core.errors import InvalidRequest, ModelUnreadable
from webui.prompting.faults import PROMPT

if TYPE_CHECKING:
    from torch import Tensor

    from tests.families.dit_models import Tiny
    from webui.engine.architectures.text import Text
    from webui.families.components import Components

pytestmark = pytest.mark.torch

Loaded = tuple["Tiny", "Components"]


@pytest.fixture(scope="module")
def zimage(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A tiny Z-Image, and as it is loaded from one file."""
    from tests.families.language_dits import make_zimage

    return loaded(make_zimage(), tmp_path_factory.mktemp("zimage"))


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A tiny Qwen-Image, and as it is loaded from one file."""
    from tests.families.language_dits import make_qwen

    return loaded(make_qwen(), tmp_path_factory.mktemp("qwen"))


@pytest.fixture(scope="module")
def lumina2(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A tiny Lumina 2, and as it is loaded from one file."""
    from tests.families.language_dits import make_lumina2

    return loaded(make_lumina2(), tmp_path_factory.mktemp("lumina2"))


@pytest.fixture(scope="module")
def flux2(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A tiny Flux.2, and as it is loaded from one file."""
    from tests.families.language_dits import make_flux2

    return loaded(make_flux2(), tmp_path_factory.mktemp("flux2"))


def loaded(tiny: Tiny, folder: Path, metadata: Mapping[str, str] | None = None) -> Loaded:
    """It, and as it is loaded from one file."""
    import torch

    from tests.families.dit_models import write_whole
    from webui.families import load_families
    from webui.families.components import Placement

    placement = Placement(device=torch.device("cpu"), dtype=torch.float32)
    file = write_whole(tiny, folder / "model.safetensors", metadata)
    return tiny, load_families()[tiny.family].load(file, placement)


def told(components: Components, prompt: str, *, is_negative: bool = False, **manner: Any) -> Text:
    """What the network is told of a prompt."""
    import torch

    from webui.engine.architectures import load_architectures
    from webui.engine.architectures.text import Manner

    encoder = load_architectures()[components.architecture].make_encoder(components)
    with torch.inference_mode():
        return encoder.encode(prompt, Manner(**manner), PROMPT, is_negative=is_negative)


def close(ours: Tensor, theirs: Tensor) -> bool:
    """Whether they are the same but for rounding."""
    import torch

    return ours.shape == theirs.shape and torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("prompt", ["a cat", "", "Кот 猫, “quoted”"])
def test_zimage_is_told_what_the_library_tells_it(zimage: Loaded, prompt: str) -> None:
    tiny, components = zimage
    words, _ = tiny.library().encode_prompt(prompt)
    assert close(told(components, prompt).tokens[0], words[0])


@pytest.mark.parametrize("prompt", ["a cat", ""])
def test_qwen_is_told_what_the_library_tells_it(qwen: Loaded, prompt: str) -> None:
    tiny, components = qwen
    words, _ = tiny.library().encode_prompt(prompt)
    assert close(told(components, prompt).tokens, words)


def test_lumina2_is_told_what_the_library_tells_it(lumina2: Loaded) -> None:
    tiny, components = lumina2
    words, mask, unwanted, unmask = tiny.library().encode_prompt(
        "a cat, a red cat", negative_prompt="ed"
    )
    assert close(told(components, "a cat, a red cat").tokens, words[:, : mask.sum()])
    ours = told(components, "ed", is_negative=True)
    assert close(ours.tokens, unwanted[:, : unmask.sum()])


def test_without_gemmas_tokenizer_the_person_is_told_where_to_find_one(
    tmp_path: Path, lumina2: Loaded
) -> None:
    import torch

    from tests.families.dit_models import write_network, write_parts
    from webui.families.components import Placement
    from webui.families.lumina2 import FAMILY

    bare = replace(lumina2[0], carried={})
    file, parts = write_network(bare, tmp_path / "lumina2.safetensors"), write_parts(bare, tmp_path)
    placement = Placement(device=torch.device("cpu"), dtype=torch.float32)
    with pytest.raises(ModelUnreadable, match=r"without Gemma's tokenizer.*gemma_2_2b_fp16"):
        FAMILY.load(file, placement, parts)


@pytest.mark.slow
def test_flux2_is_told_what_the_library_tells_it(flux2: Loaded) -> None:
    tiny, components = flux2
    words, _ = tiny.library().encode_prompt("a cat")
    assert close(told(components, "a cat").tokens, words)


def test_brackets_change_nothing_and_are_not_read(zimage: Loaded) -> None:
    components = zimage[1]
    assert close(told(components, "a (red:1.3) cat").tokens, told(components, "a red cat").tokens)


def test_a_text_beyond_what_it_reads_is_refused_with_numbers(zimage: Loaded) -> None:
    with pytest.raises(InvalidRequest, match=r"2\d\d\d tokens.*1024 at most.*shorter"):
        told(zimage[1], "a cat, " * 700)


def test_qwens_vocabulary_is_the_published_one() -> None:
    """Numbers that the library's own page of Qwen 2.5 shows, and the marks of Qwen 3."""
    from webui.families.language_model import QWEN3
    from webui.families.language_tokenizer import load_language_tokenizer

    tokenizer = load_language_tokenizer("", QWEN3, None)
    assert tokenizer("Hello world").input_ids == [9707, 1879]
    assert tokenizer("<|im_start|>user\n<think>").input_ids == [151644, 872, 198, 151667]
    assert tokenizer.pad_token_id == 151643


@pytest.mark.parametrize("part", ["qwen3", "qwen25vl"])
def test_qwen_is_read_from_gguf_names_too(part: str, tmp_path: Path) -> None:
    """The numbers in a safetensors file, which is quicker written: only the names differ."""
    import torch
    from safetensors.torch import save_file

    from tests.families.language_dits import language_model
    from webui.families.components import Placement
    from webui.families.language_model import load_language_model
    from webui.families.weights import TensorFiles

    tensors = language_model(part, words=64, num_hidden_layers=1).state_dict()
    layer = {
        **{f"self_attn.{one}_proj": f"attn_{one}" for one in "qkv"},
        **{f"self_attn.{one}_norm": f"attn_{one}_norm" for one in "qk"},
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }
    names = {"embed_tokens.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}
    for ours, theirs in layer.items():
        for end in ("weight", "bias"):
            names[f"layers.0.{ours}.{end}"] = f"blk.0.{theirs}.{end}"
    file = tmp_path / "qwen.safetensors"
    save_file({names[key]: tensor for key, tensor in tensors.items()}, file)
    placement = Placement(device=torch.device("cpu"), dtype=torch.float32)
    with TensorFiles("qwen", [file]) as files:
        found = load_language_model(files, part, placement).state_dict()
    assert all(torch.equal(found[key], tensor) for key, tensor in tensors.items())
