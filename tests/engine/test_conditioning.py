"""What the UNet is told of a prompt, compared with the text encoder itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from tests.engine.work import STARTER
from webui.core.errors import InvalidRequest
from webui.engine.conditioning import PromptEncoder
from webui.families.components import Components, Placement
from webui.families.sd15 import FAMILY

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def components() -> Components:
    placement = Placement(device=torch.device("cpu"), dtype=torch.float32)
    return FAMILY.load(STARTER.path, placement)


@pytest.fixture
def encoder(components: Components) -> Iterator[PromptEncoder]:
    with torch.inference_mode():
        yield PromptEncoder(components)


def reference(components: Components, text: str) -> Tensor:
    """As diffusers encodes: padded to 77 tokens, last layer."""
    tokens = components.tokenizer(
        text, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
    )
    answer: Tensor = components.text_encoder(tokens.input_ids).last_hidden_state
    return answer


def test_a_plain_prompt_is_what_the_library_makes_of_it(
    encoder: PromptEncoder, components: Components
) -> None:
    assert torch.equal(encoder.encode("a red apple", 1), reference(components, "a red apple"))
    assert torch.equal(encoder.encode("", 1), reference(components, ""))


def test_a_chunk_takes_75_tokens(encoder: PromptEncoder) -> None:
    assert encoder.encode("apple " * 75, 1).shape[1] == 77
    assert encoder.encode("apple " * 76, 1).shape[1] == 154
    assert encoder.encode("apple BREAK apple BREAK apple", 1).shape[1] == 231


def test_each_chunk_is_encoded_by_itself(encoder: PromptEncoder) -> None:
    both = encoder.encode("a red apple BREAK a blue house", 1)
    first, second = encoder.encode("a red apple", 1), encoder.encode("a blue house", 1)
    torch.testing.assert_close(both, torch.cat([first, second], dim=1), atol=1e-5, rtol=1e-5)


def test_emphasis_scales_tokens_and_keeps_the_mean(
    encoder: PromptEncoder, components: Components
) -> None:
    plain = reference(components, "a red apple")
    weights = torch.ones(77)
    weights[2] = 1.5  # behind the mark and "a"
    weighted = plain * weights[None, :, None]
    expected = weighted * (plain.mean() / weighted.mean())
    torch.testing.assert_close(encoder.encode("a (red:1.5) apple", 1), expected)


def test_clip_skip_takes_an_earlier_layer_and_norms_it(
    encoder: PromptEncoder, components: Components
) -> None:
    ids = components.tokenizer("a red apple", padding="max_length", max_length=77).input_ids
    seen: list[Tensor] = []
    layer = components.text_encoder.encoder.layers[-2]
    handle = layer.register_forward_hook(lambda module, given, out: seen.append(out))
    components.text_encoder(torch.tensor([ids]))
    handle.remove()
    hidden = seen[0][0] if isinstance(seen[0], tuple) else seen[0]
    expected = components.text_encoder.final_layer_norm(hidden)
    torch.testing.assert_close(encoder.encode("a red apple", 2), expected.reshape(1, 77, -1))


def test_the_shorter_prompt_is_filled_up_with_no_text(encoder: PromptEncoder) -> None:
    given = encoder.condition("apple " * 80, "blurry", 1, is_guided=True)
    assert given.negative is not None
    assert given.positive.shape == given.negative.shape
    assert torch.equal(given.negative[:, :77], encoder.encode("blurry", 1))
    assert torch.equal(given.negative[:, 77:], encoder.encode("", 1))


def test_without_guidance_there_is_no_negative(encoder: PromptEncoder) -> None:
    assert encoder.condition("apple", "blurry", 1, is_guided=False).negative is None


def test_a_prompt_is_encoded_once(encoder: PromptEncoder, components: Components) -> None:
    calls: list[object] = []
    handle = components.text_encoder.register_forward_hook(lambda *call: calls.append(call))
    for _ in range(3):
        encoder.encode("a green pear", 1)
    handle.remove()
    assert len(calls) == 1


def test_prompts_beyond_the_last_ones_are_forgotten(
    encoder: PromptEncoder, components: Components
) -> None:
    """And encoded again to the same numbers."""
    before = encoder.encode("prompt 0", 1)
    for number in range(1, 40):
        encoder.encode(f"prompt {number}", 1)
    again = encoder.encode("prompt 0", 1)
    assert again is not before
    assert torch.equal(again, before)


def test_more_clip_skip_than_layers_is_refused(encoder: PromptEncoder) -> None:
    encoder.encode("a", 4)
    with pytest.raises(InvalidRequest) as refused:
        encoder.encode("a", 5)
    assert refused.value.field == "sampling.clip_skip"
