"""What the UNet is told of a prompt, compared with the text encoder itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.engine.work import STARTER
from webui.core.errors import InvalidRequest
from webui.core.request import Emphasis
from webui.engine.architectures.sd import SdText
from webui.engine.conditioning import ConditioningPlan, PromptEncoder
from webui.families.components import TEXT_ENCODER, Components, Placement
from webui.families.sd15 import FAMILY

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def components() -> Components:
    placement = Placement(device=torch.device("cpu"), dtype=torch.float32)
    return FAMILY.load(STARTER.path, placement)


@pytest.fixture
def encoder(components: Components) -> Iterator[PromptEncoder]:
    with torch.inference_mode():
        yield PromptEncoder(SdText(components))


def reference(components: Components, text: str) -> Tensor:
    """As diffusers encodes: padded to 77 tokens, last layer."""
    tokens = components.tokenizers[TEXT_ENCODER](
        text, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
    )
    answer: Tensor = components.text_encoders[TEXT_ENCODER](tokens.input_ids).last_hidden_state
    return answer


def plan(
    encoder: PromptEncoder, prompt: str, negative: str = "", **options: Any
) -> ConditioningPlan:
    defaults: dict[str, Any] = {
        "clip_skip": 1,
        "emphasis": Emphasis.ORIGINAL,
        "steps": 10,
        "calls_per_step": 1,
        "is_guided": True,
    }
    return encoder.plan(prompt, negative, **(defaults | options))


def said(made: ConditioningPlan, call: int) -> Tensor:
    """What the only positive prompt is at a call."""
    (part,) = made.at(call).positive
    return part.text.tokens


@contextmanager
def counted(components: Components) -> Iterator[list[object]]:
    """The calls of the text encoder while it lasts."""
    calls: list[object] = []
    handle = components.text_encoders[TEXT_ENCODER].register_forward_hook(
        lambda *call: calls.append(call)
    )
    yield calls
    handle.remove()


def word_rows(components: Components, word: str) -> Tensor:
    """An embedding that says the same as a word."""
    ids = components.tokenizers[TEXT_ENCODER](word, add_special_tokens=False).input_ids
    return (
        components.text_encoders[TEXT_ENCODER].get_input_embeddings().weight[ids].detach().clone()
    )


def test_a_plain_prompt_is_what_the_library_makes_of_it(
    encoder: PromptEncoder, components: Components
) -> None:
    assert torch.equal(
        encoder.encode("a red apple", 1).tokens, reference(components, "a red apple")
    )
    assert torch.equal(encoder.encode("", 1).tokens, reference(components, ""))


def test_a_chunk_takes_75_tokens(encoder: PromptEncoder) -> None:
    assert encoder.encode("apple " * 75, 1).tokens.shape[1] == 77
    assert encoder.encode("apple " * 76, 1).tokens.shape[1] == 154
    assert encoder.encode("apple BREAK apple BREAK apple", 1).tokens.shape[1] == 231


def test_each_chunk_is_encoded_by_itself(encoder: PromptEncoder) -> None:
    both = encoder.encode("a red apple BREAK a blue house", 1).tokens
    first, second = (
        encoder.encode("a red apple", 1).tokens,
        encoder.encode("a blue house", 1).tokens,
    )
    torch.testing.assert_close(both, torch.cat([first, second], dim=1), atol=1e-5, rtol=1e-5)


def test_emphasis_scales_tokens_and_keeps_the_mean(
    encoder: PromptEncoder, components: Components
) -> None:
    plain = reference(components, "a red apple")
    weights = torch.ones(77)
    weights[2] = 1.5  # behind the mark and "a"
    weighted = plain * weights[None, :, None]
    expected = weighted * (plain.mean() / weighted.mean())
    torch.testing.assert_close(encoder.encode("a (red:1.5) apple", 1).tokens, expected)


def test_clip_skip_takes_an_earlier_layer_and_norms_it(
    encoder: PromptEncoder, components: Components
) -> None:
    ids = components.tokenizers[TEXT_ENCODER](
        "a red apple", padding="max_length", max_length=77
    ).input_ids
    seen: list[Tensor] = []
    layer = components.text_encoders[TEXT_ENCODER].encoder.layers[-2]
    handle = layer.register_forward_hook(lambda module, given, out: seen.append(out))
    components.text_encoders[TEXT_ENCODER](torch.tensor([ids]))
    handle.remove()
    hidden = seen[0][0] if isinstance(seen[0], tuple) else seen[0]
    expected = components.text_encoders[TEXT_ENCODER].final_layer_norm(hidden)
    torch.testing.assert_close(encoder.encode("a red apple", 2).tokens, expected.reshape(1, 77, -1))


def test_the_shorter_prompt_is_filled_up_with_no_text(encoder: PromptEncoder) -> None:
    given = plan(encoder, "apple " * 80, "blurry").at(0)
    assert given.negative is not None
    assert given.positive[0].text.tokens.shape == given.negative.tokens.shape
    assert torch.equal(given.negative.tokens[:, :77], encoder.encode("blurry", 1).tokens)
    assert torch.equal(given.negative.tokens[:, 77:], encoder.encode("", 1).tokens)


def test_without_guidance_there_is_no_negative(encoder: PromptEncoder) -> None:
    assert plan(encoder, "apple", "blurry", is_guided=False).at(0).negative is None


def test_a_prompt_is_encoded_once(encoder: PromptEncoder, components: Components) -> None:
    with counted(components) as calls:
        for _ in range(3):
            encoder.encode("a green pear", 1)
    assert len(calls) == 1


def test_a_run_encodes_each_text_once(encoder: PromptEncoder, components: Components) -> None:
    with counted(components) as calls:
        for _ in range(2):
            plan(encoder, "a [plum|fig] AND [a plum:a fig:5] on a [plum|fig]", "dull [x|y]")
    assert len(calls) == 2 + 4 + 2  # the second run knows them all


def test_forgotten_prompts_are_encoded_anew(encoder: PromptEncoder, components: Components) -> None:
    encoder.encode("a lime", 1)
    encoder.forget()
    with counted(components) as calls:
        encoder.encode("a lime", 1)
    assert len(calls) == 1


def test_prompts_beyond_the_last_ones_are_forgotten(
    encoder: PromptEncoder, components: Components
) -> None:
    """And encoded again to the same numbers."""
    before = encoder.encode("prompt 0", 1).tokens
    for number in range(1, 100):
        encoder.encode(f"prompt {number}", 1)
    again = encoder.encode("prompt 0", 1).tokens
    assert again is not before
    assert torch.equal(again, before)


def test_more_clip_skip_than_layers_is_refused(encoder: PromptEncoder) -> None:
    encoder.encode("a", 4)
    with pytest.raises(InvalidRequest) as refused:
        encoder.encode("a", 5)
    assert refused.value.field == "sampling.clip_skip"


def test_a_schedule_changes_behind_its_step(encoder: PromptEncoder) -> None:
    """As A1111: a text that ends at step 3 is said to the calls 0 to 3."""
    made = plan(encoder, "[a cat:a dog:3]")
    cat, dog = encoder.encode("a cat", 1).tokens, encoder.encode("a dog", 1).tokens
    assert [torch.equal(said(made, call), cat) for call in range(10)] == [True] * 4 + [False] * 6
    assert torch.equal(said(made, 9), dog)
    assert torch.equal(said(made, 25), dog)


def test_a_sampler_with_two_calls_a_step_has_twice_the_schedule(encoder: PromptEncoder) -> None:
    made = plan(encoder, "[a cat:a dog:0.5]", calls_per_step=2)
    cat = encoder.encode("a cat", 1).tokens
    assert [torch.equal(said(made, call), cat) for call in (0, 10, 11, 19)] == [
        True,
        True,
        False,
        False,
    ]


def test_a_hires_pass_goes_on_where_the_first_ended(encoder: PromptEncoder) -> None:
    made = plan(encoder, "[[a:b:1.5]:c:12]", is_hires=True, first_pass_steps=10)
    texts = [encoder.encode(text, 1).tokens for text in "abc"]
    now = [next(i for i in range(3) if torch.equal(said(made, c), texts[i])) for c in range(10)]
    assert now == [0, 0, 0, 2, 2, 2, 2, 2, 2, 2]


def test_parts_joined_by_and_guide_together(encoder: PromptEncoder) -> None:
    given = plan(encoder, "a cat AND a dog :0.7", "a AND b").at(0)
    assert [part.weight for part in given.positive] == [1.0, 0.7]
    assert torch.equal(given.positive[0].text.tokens, encoder.encode("a cat ", 1).tokens)
    assert torch.equal(given.positive[1].text.tokens, encoder.encode(" a dog ", 1).tokens)
    assert given.negative is not None
    assert torch.equal(given.negative.tokens, encoder.encode("a AND b", 1).tokens)


def test_parts_of_several_lengths_are_filled_up(encoder: PromptEncoder) -> None:
    given = plan(encoder, "a cat AND a dog BREAK x").at(0)
    assert [part.text.tokens.shape[1] for part in given.positive] == [154, 154]
    assert given.negative is not None
    assert given.negative.tokens.shape[1] == 154


@pytest.mark.parametrize(
    ("emphasis", "same_as"),
    [
        (Emphasis.IGNORE, "a red apple"),
        (Emphasis.NONE, r"a \(red:1.5\) apple"),
    ],
)
def test_weights_can_be_switched_off(
    encoder: PromptEncoder, emphasis: Emphasis, same_as: str
) -> None:
    made = plan(encoder, "a (red:1.5) apple", emphasis=emphasis)
    assert torch.equal(said(made, 0), encoder.encode(same_as, 1).tokens)


def test_without_norm_tokens_are_only_multiplied(
    encoder: PromptEncoder, components: Components
) -> None:
    made = plan(encoder, "a (red:1.5) apple", emphasis=Emphasis.NO_NORM)
    expected = reference(components, "a red apple").clone()
    expected[:, 2] *= 1.5
    assert torch.equal(said(made, 0), expected)


def test_an_embedding_stands_for_its_name(encoder: PromptEncoder, components: Components) -> None:
    """One that holds a word's own vectors says what the word says."""
    rows = word_rows(components, "red apple")
    made = plan(encoder, "a MyThing, shiny", embeddings={"mything": {TEXT_ENCODER: rows}})
    assert torch.equal(said(made, 0), encoder.encode("a red apple, shiny", 1).tokens)
    assert not torch.equal(said(made, 0), encoder.encode("a MyThing, shiny", 1).tokens)


def test_an_embedding_leaves_no_trace(encoder: PromptEncoder, components: Components) -> None:
    before = encoder.encode("a MyThing", 1).tokens
    plan(encoder, "a MyThing", embeddings={"mything": {TEXT_ENCODER: word_rows(components, "red")}})
    encoder.forget()
    assert torch.equal(encoder.encode("a MyThing", 1).tokens, before)


def test_a_changed_embedding_is_not_mistaken_for_the_old(
    encoder: PromptEncoder, components: Components
) -> None:
    rows = word_rows(components, "red")
    first = plan(encoder, "a thing", embeddings={"thing": {TEXT_ENCODER: rows}})
    second = plan(encoder, "a thing", embeddings={"thing": {TEXT_ENCODER: rows + 1}})
    with counted(components) as calls:
        both = {"thing": {TEXT_ENCODER: rows.clone()}, "other": {TEXT_ENCODER: rows + 2}}
        again = plan(encoder, "a thing", embeddings=both)
    assert calls == []
    assert torch.equal(said(first, 0), said(again, 0))
    assert not torch.equal(said(first, 0), said(second, 0))


def test_an_embedding_can_be_weighted(encoder: PromptEncoder, components: Components) -> None:
    rows = word_rows(components, "red apple")
    made = plan(encoder, "a (thing:1.4)", embeddings={"thing": {TEXT_ENCODER: rows}})
    torch.testing.assert_close(said(made, 0), encoder.encode("a (red apple:1.4)", 1).tokens)


def test_an_embedding_is_never_cut(encoder: PromptEncoder, components: Components) -> None:
    rows = word_rows(components, "red " * 20)
    made = plan(encoder, "apple " * 60 + "thing", embeddings={"thing": {TEXT_ENCODER: rows}})
    expected = encoder.encode("apple " * 60 + "BREAK" + " red" * 20, 1).tokens
    torch.testing.assert_close(said(made, 0), expected)


def test_an_embedding_of_another_kind_of_model_is_refused(encoder: PromptEncoder) -> None:
    with pytest.raises(InvalidRequest, match="“thing” is 5 numbers wide") as refused:
        plan(encoder, "", "a thing", embeddings={"thing": {TEXT_ENCODER: torch.zeros(2, 5)}})
    assert refused.value.field == "negative_prompt"


def test_an_embedding_longer_than_a_chunk_is_refused(
    encoder: PromptEncoder, components: Components
) -> None:
    rows = word_rows(components, "red " * 76)
    with pytest.raises(InvalidRequest, match="76 vectors"):
        plan(encoder, "a thing", embeddings={"thing": {TEXT_ENCODER: rows}})


def test_networks_and_comments_are_not_read_as_words(encoder: PromptEncoder) -> None:
    made = plan(encoder, "a cat<lora:thing:0.5># or a dog")
    assert torch.equal(said(made, 0), encoder.encode("a cat", 1).tokens)
