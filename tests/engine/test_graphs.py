"""When a network is called and when replayed, told with a recorder that needs no GPU."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from tests.engine.work import STARTER, work
from webui.core.events import ImageReady
from webui.engine.device import choose_device
from webui.engine.graphs.arguments import form_of, tensors_of, with_tensors
from webui.engine.graphs.choice import make_recorder, make_runner
from webui.engine.graphs.graph_runner import GraphRunner
from webui.engine.graphs.recorder import RehearsingRecorder
from webui.engine.graphs.replayed_encoder import AllLayers, ReplayedEncoder, is_replayable
from webui.engine.graphs.runner import EagerRunner
from webui.engine.options import Options
from webui.engine.painter import Painter
from webui.families import load_families
from webui.samplers import load_samplers
from webui.schedules import load_schedules

pytestmark = pytest.mark.torch


class Network(nn.Module):
    """Answers like a diffusers network: a tuple, when asked for no dict."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self.requires_grad_(False)

    def forward(self, sample: Tensor, more: dict[str, Any], return_dict: bool) -> tuple[Tensor]:
        return (self.second(self.first(sample)) * more["scale"] + more["shift"],)


def given(rows: int = 2, scale: float = 2.0, seed: int = 0) -> dict[str, Any]:
    draw = torch.Generator().manual_seed(seed)
    sample, shift = (torch.randn(rows, 4, generator=draw) for _ in range(2))
    return {"sample": sample, "more": {"scale": scale, "shift": shift}}


def recording_after(calls: int, runner: GraphRunner, arguments: dict[str, Any]) -> int:
    for _ in range(calls):
        runner(arguments, is_hooked=False)
    return runner.kept_recordings


def test_a_size_is_recorded_only_when_it_comes_again() -> None:
    runner = GraphRunner(Network(), RehearsingRecorder(), eager_calls=2)
    assert recording_after(2, runner, given()) == 0
    assert recording_after(1, runner, given()) == 1
    assert recording_after(1, runner, given(rows=1)) == 1


def test_a_replay_answers_what_the_network_does() -> None:
    network = Network()
    runner = GraphRunner(network, RehearsingRecorder(), eager_calls=0)
    for seed in range(3):
        arguments = given(seed=seed)
        assert torch.equal(
            runner(arguments, is_hooked=False), network(**arguments, return_dict=False)[0]
        )
    assert runner.kept_recordings == 1


def test_an_answer_stays_when_the_next_call_is_replayed() -> None:
    runner = GraphRunner(Network(), RehearsingRecorder(), eager_calls=0)
    first = runner(given(seed=1), is_hooked=False)
    before = first.clone()
    runner(given(seed=2), is_hooked=False)
    assert torch.equal(first, before)


@pytest.mark.parametrize(
    "other",
    [
        given(rows=3),
        given(scale=3.0),
        given(scale=2),
        {
            "sample": torch.zeros(2, 4),
            "more": {"shift": torch.zeros(2, 4), "scale": torch.zeros(())},
        },
        {"sample": torch.zeros(4, 2).t(), "more": {"scale": 2.0, "shift": torch.zeros(2, 4)}},
        {"sample": torch.zeros(2, 4).half(), "more": {"scale": 2.0, "shift": torch.zeros(2, 4)}},
    ],
    ids=["rows", "value", "type of value", "tensor for value", "layout", "dtype"],
)
def test_calls_of_another_form_are_told_apart(other: dict[str, Any]) -> None:
    assert form_of(given(seed=1)) == form_of(given(seed=2))
    assert form_of(given()) != form_of(other)


def test_nested_arguments_are_put_together_again() -> None:
    one, two, three = (torch.full((1,), float(i)) for i in range(3))
    arguments = {"a": (one, [two, None]), "b": {"c": three, "d": "text"}}
    assert [float(each) for each in tensors_of(arguments)] == [0.0, 1.0, 2.0]
    again = with_tensors(arguments, [three, two, one])
    assert again == {"a": (three, [two, None]), "b": {"c": one, "d": "text"}}


def test_what_nobody_can_compare_is_never_recorded() -> None:
    class Loose(Network):
        def forward(self, sample: Tensor, more: Any, return_dict: bool) -> tuple[Tensor]:
            return (sample,)

    runner = GraphRunner(Loose(), RehearsingRecorder(), eager_calls=0)
    assert recording_after(5, runner, {"sample": torch.zeros(1), "more": object()}) == 0


def test_a_hooked_call_runs_the_networks_code() -> None:
    network = Network()
    recorder = RehearsingRecorder()
    runner = GraphRunner(network, recorder, eager_calls=0)
    runner(given(), is_hooked=False)
    replayed = network.first.register_forward_hook(lambda *_: torch.zeros(2, 4))
    hooked = runner(given(), is_hooked=True)
    replayed.remove()
    assert not torch.equal(hooked, runner(given(), is_hooked=False))
    assert recorder.recorded == 1


def change_hook(network: Network) -> None:
    network.first.register_forward_hook(lambda *_: torch.zeros(2, 4))


def change_pre_hook(network: Network) -> None:
    network.first.register_forward_pre_hook(lambda _, args: (args[0] * 2,))


def change_module(network: Network) -> None:
    network.first = nn.Linear(4, 4).requires_grad_(False)


def change_forward(network: Network) -> None:
    setattr(network.first, "forward", lambda input: input * 2)  # noqa: B010 - not for mypy


def change_processor(network: Network) -> None:
    setattr(network.first, "processor", object())  # noqa: B010 - not for mypy


def change_address(network: Network) -> None:
    network.first.weight = nn.Parameter(network.first.weight.clone(), requires_grad=False)


@pytest.mark.parametrize(
    "change",
    [change_hook, change_pre_hook, change_module, change_forward, change_processor, change_address],
)
def test_a_changed_network_is_not_replayed_as_it_was(change: Any) -> None:
    network, recorder = Network(), RehearsingRecorder()
    runner = GraphRunner(network, recorder, eager_calls=1)
    assert recording_after(2, runner, given()) == 1
    change(network)
    runner(given(), is_hooked=False)
    assert recorder.recorded == 1
    runner(given(), is_hooked=False)
    assert recorder.recorded == 2


def test_a_network_changed_back_is_replayed_at_once() -> None:
    network, recorder = Network(), RehearsingRecorder()
    runner = GraphRunner(network, recorder, eager_calls=1)
    recording_after(2, runner, given())
    handle = network.first.register_forward_hook(lambda *_: None)
    runner(given(), is_hooked=False)
    handle.remove()
    runner(given(), is_hooked=False)
    assert (recorder.recorded, runner.kept_recordings) == (1, 1)


def test_weights_changed_in_place_keep_the_recording() -> None:
    network, recorder = Network(), RehearsingRecorder()
    runner = GraphRunner(network, recorder, eager_calls=0)
    before = runner(given(), is_hooked=False)
    network.first.weight.mul_(2)
    assert not torch.equal(runner(given(), is_hooked=False), before)
    assert recorder.recorded == 1


def test_the_recording_used_longest_ago_makes_room() -> None:
    recorder = RehearsingRecorder()
    runner = GraphRunner(Network(), recorder, eager_calls=0, kept=2)
    for rows in (1, 2, 1, 3):
        runner(given(rows=rows), is_hooked=False)
    assert (recorder.live, runner.kept_bytes) == (2, 2)
    runner(given(rows=1), is_hooked=False)
    assert recorder.recorded == 3
    runner(given(rows=2), is_hooked=False)
    assert recorder.recorded == 4


def test_what_could_not_be_recorded_is_not_tried_again() -> None:
    network, recorder = Network(), RehearsingRecorder(refuses=1)
    runner = GraphRunner(network, recorder, eager_calls=0)
    for _ in range(3):
        answer = runner(given(), is_hooked=False)
    assert torch.equal(answer, network(**given(), return_dict=False)[0])
    assert recorder.recorded == 0
    runner(given(rows=3), is_hooked=False)
    assert recorder.recorded == 1


def test_forgetting_frees_everything_and_begins_anew() -> None:
    recorder = RehearsingRecorder()
    runner = GraphRunner(Network(), recorder, eager_calls=1)
    recording_after(2, runner, given())
    runner.forget()
    assert (recorder.live, runner.kept_bytes) == (0, 0)
    assert recording_after(1, runner, given()) == 0
    assert recording_after(1, runner, given()) == 1


def test_a_device_without_graphs_calls_the_network() -> None:
    runner = make_runner(Network(), make_recorder(torch.device("cpu")))
    assert isinstance(runner, EagerRunner)
    assert runner(given(), is_hooked=False).shape == (2, 4)


def test_a_replayed_text_encoder_answers_as_it_does_itself() -> None:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=32,
        projection_dim=8,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=10,
    )
    ids = torch.randint(0, 49, (2, 10))
    for kind in (CLIPTextModel, CLIPTextModelWithProjection):
        encoder = kind(config).eval()
        assert is_replayable(encoder)
        runner = GraphRunner(AllLayers(encoder), RehearsingRecorder(), eager_calls=1)
        with torch.inference_mode():
            wanted = encoder(ids, output_hidden_states=True)
            for _ in range(3):
                found = ReplayedEncoder(encoder, runner)(ids, output_hidden_states=True)
                assert all(map(torch.equal, found.hidden_states, wanted.hidden_states))
                assert len(found.hidden_states) == 4
                if kind is CLIPTextModelWithProjection:
                    assert torch.equal(found.text_embeds, wanted.text_embeds)
        assert runner.kept_recordings == 1


def test_a_picture_is_the_same_when_its_network_is_replayed() -> None:
    device = choose_device(Options(use_cpu=True, threads=1))
    with torch.inference_mode():
        painter = Painter(device, load_families(), load_samplers(), load_schedules())
        (called,) = painted(painter)
        pipeline, recorder = painter.manager.get(STARTER), RehearsingRecorder()
        pipeline.runner = GraphRunner(pipeline.components.diffusion_model, recorder)
        (replayed,) = painted(painter)
        painter.manager.release()
    assert recorder.recorded == 1
    assert replayed.tobytes() == called.tobytes()


def painted(painter: Painter) -> list[Image.Image]:
    events = painter.paint(work(width=64, height=64))
    return [event.image for event in events if isinstance(event, ImageReady)]
