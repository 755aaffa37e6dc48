"""What was found and chosen, in a few readable lines."""

from __future__ import annotations

from webui.launcher.detect import Detection
from webui.launcher.machine import Machine
from webui.launcher.plan import TORCH, Plan, describe


def describe_machine(machine: Machine) -> str:
    """System, processor, memory and Python on one line."""
    python = ".".join(map(str, machine.python))
    system = f"{machine.release}{' in WSL' if machine.is_wsl else ''}"
    size = f"{machine.cores} cores, {machine.memory_gb:.0f} GB"
    return f"  Machine   {system}, {machine.processor} ({size}), Python {python}"


def describe_plan(detection: Detection, plan: Plan) -> str:
    """The cards found, what makes the pictures, and what the person should know."""
    cards = ", ".join(describe(card, (card,)) for card in detection.gpus) or "no card found"
    lines = [f"  Graphics  {cards}", f"  Chosen    PyTorch {TORCH} ({plan.build}) on {plan.device}"]
    return "\n".join([*lines, *(f"  Note      {note}" for note in plan.notes)])
