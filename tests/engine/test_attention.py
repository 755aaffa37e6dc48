"""Which attention is used: by measurements that are made once, here with times told by the test."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from webui.engine.attention import DEFAULT, Attention, choose_attention, fastest

pytestmark = pytest.mark.torch

CPU = torch.device("cpu")


class Clock:
    """Tells times, and counts how often it was asked."""

    def __init__(self, **times: float) -> None:
        self.times = times
        self.asked = 0

    def __call__(self, kind: str) -> float | None:
        self.asked += 1
        return self.times.get(kind)


@pytest.mark.parametrize(
    ("times", "kind"),
    [
        ({"default": 1.0, "flash": 0.97, "efficient": 2.0}, "default"),
        ({"default": 1.0, "flash": 0.9, "efficient": 2.0}, "flash"),
        ({"default": 1.0, "xformers": 0.5}, "xformers"),
        ({"efficient": 2.0}, "efficient"),
        ({}, "default"),
    ],
)
def test_another_kind_must_be_clearly_faster(times: dict[str, float], kind: str) -> None:
    assert fastest(times) == kind


def test_what_was_measured_is_remembered(tmp_path: Path) -> None:
    file, clock = tmp_path / "attention.json", Clock(default=2.0, flash=1.0)
    first = choose_attention(CPU, torch.float16, file, clock)
    asked = clock.asked
    clock.times = {"default": 1.0, "flash": 2.0}
    assert choose_attention(CPU, torch.float16, file, clock) == first == Attention(kind="flash")
    assert clock.asked == asked


def test_another_precision_is_measured_for_itself(tmp_path: Path) -> None:
    file = tmp_path / "attention.json"
    choose_attention(CPU, torch.float16, file, Clock(default=2.0, flash=1.0))
    other = choose_attention(CPU, torch.bfloat16, file, Clock(default=1.0, flash=2.0))
    assert other.kind == DEFAULT


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1', '{"cpu": "unknown"}'])
def test_a_damaged_memory_is_as_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "attention.json"
    file.write_text(text)
    assert choose_attention(CPU, torch.float16, file, Clock(default=2.0, flash=1.0)).kind == "flash"
    assert choose_attention(CPU, torch.float16, file, Clock(default=1.0)).kind == "flash"


def test_a_processor_is_not_measured(tmp_path: Path) -> None:
    file = tmp_path / "attention.json"
    assert choose_attention(CPU, torch.float16, file) == Attention()
    assert not file.exists()
