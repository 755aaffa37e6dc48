"""What SD 3, Flux and Chroma are told of a prompt, beside the library's encoding of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from webui.prompting.faults import PROMPT

if TYPE_CHECKING:
    from torch import Tensor

    from tests.families.dit_models import Tiny
    from webui.engine.architectures.text import Text
    from webui.families.components import Components

pytestmark = pytest.mark.torch

LONG = ", ".join(["a tall house with a red roof beside the river"] * 60)
"""Some 700 tokens."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[Tiny, Components]]:
    """Each tiny model, and as it is loaded from one file."""
    import torch

    from tests.families.dit_models import make_chroma, make_flux, make_sd3, write_whole
    from webui.families import load_families
    from webui.families.components import Placement

    placement = Placement(device=torch.device("cpu"), dtype=torch.float32)
    folder, families = tmp_path_factory.mktemp("tiny"), load_families()
    found = {}
    for tiny in (make_sd3(), make_flux(), make_chroma()):
        file = write_whole(tiny, folder / f"{tiny.family}.safetensors")
        found[tiny.family] = tiny, families[tiny.family].load(file, placement)
    return found


def told(components: Components, prompt: str, **manner: Any) -> Text:
    """What the network is told of a prompt."""
    import torch

    from webui.engine.architectures import load_architectures
    from webui.engine.architectures.text import Manner

    encoder = load_architectures()[components.architecture].make_encoder(components)
    with torch.inference_mode():
        return encoder.encode(prompt, Manner(**manner), PROMPT, is_negative=False)


def close(ours: Tensor | None, theirs: Tensor) -> bool:
    """Whether they are the same but for rounding."""
    import torch

    return ours is not None and torch.allclose(ours, theirs, atol=1e-5)


def test_sd3_is_told_what_the_library_tells_it(
    made: Mapping[str, tuple[Tiny, Components]],
) -> None:
    tiny, components = made["sd3"]
    words, _, whole, _ = tiny.library().encode_prompt("a cat", None, None)
    text = told(components, "a cat")
    assert close(text.tokens, words)
    assert close(text.pooled, whole)


def test_flux_is_told_what_the_library_tells_it(
    made: Mapping[str, tuple[Tiny, Components]],
) -> None:
    tiny, components = made["flux"]
    whole, words = tiny.library().encode_prompt("a cat", None)[1::-1][:2]
    text = told(components, "a cat")
    assert close(text.tokens, words)
    assert close(text.pooled, whole)


def test_chroma_is_told_its_words_and_one_token_of_padding(
    made: Mapping[str, tuple[Tiny, Components]],
) -> None:
    tiny, components = made["chroma"]
    words, mask = tiny.library()._get_t5_prompt_embeds("a cat on a mat")
    text = told(components, "a cat on a mat")
    assert text.length == int(mask.sum())
    assert close(text.tokens, words[:, : text.length])


@pytest.mark.parametrize(("family", "length"), [("sd3", 77 + 256), ("flux", 512)])
def test_texts_of_all_lengths_fill_a_window(
    made: Mapping[str, tuple[Tiny, Components]], family: str, length: int
) -> None:
    components = made[family][1]
    assert {told(components, text).length for text in ("", "a cat")} == {length}


@pytest.mark.parametrize("family", ["flux", "chroma"])
def test_a_long_text_is_read_in_several_windows(
    made: Mapping[str, tuple[Tiny, Components]], family: str
) -> None:
    assert told(made[family][1], LONG).length > 512


def test_each_part_of_a_break_is_read_by_itself(
    made: Mapping[str, tuple[Tiny, Components]],
) -> None:
    import torch

    components = made["chroma"][1]
    parts = [told(components, text).tokens for text in ("a cat", "a dog")]
    assert close(told(components, "a cat BREAK a dog").tokens, torch.cat(parts, dim=1))


def test_a_weight_scales_what_t5_answers(made: Mapping[str, tuple[Tiny, Components]]) -> None:
    """The words are read without it, so only their own numbers change."""
    import torch

    components = made["chroma"][1]
    plain, weighed = (told(components, text).tokens for text in ("a cat", "a (cat:1.5)"))
    apart = [not torch.equal(a, b) for a, b in zip(plain[0], weighed[0], strict=True)]
    changed = apart.index(True)
    assert close(weighed[0, changed], plain[0, changed] * 1.5)
    assert not any(apart[:changed])


def test_without_t5_sd3_is_told_zeros_in_its_place_and_the_person_is_told(
    tmp_path: Path, made: Mapping[str, tuple[Tiny, Components]]
) -> None:
    import torch

    from tests.families.dit_models import write_network, write_parts
    from webui.families.components import Placement
    from webui.families.sd3 import FAMILY

    tiny, whole = made["sd3"]
    parts = write_parts(tiny, tmp_path / "parts")
    del parts["t5xxl"]
    placement = Placement(device=torch.device("cpu"), dtype=torch.float32)
    components = FAMILY.load(write_network(tiny, tmp_path / "sd3.safetensors"), placement, parts)
    text, full = told(components, "a cat"), told(whole, "a cat")
    assert torch.equal(text.tokens[:, :77], full.tokens[:, :77])
    assert not text.tokens[:, 77:].any()
    assert "without its T5" in " ".join(components.notes)
    assert whole.notes == ()
