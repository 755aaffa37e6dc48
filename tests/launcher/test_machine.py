"""System, processor and memory from what a machine's files and tools say."""

from __future__ import annotations

from tests.launcher.conftest import recorded
from webui.launcher.machine import memory_gb, processor, release, this_machine
from webui.launcher.probe import HostProbe, Output, RecordedProbe

MAC = RecordedProbe(
    answers={
        "sw_vers -productVersion": Output(code=0, text="15.1\n"),
        "sysctl -n machdep.cpu.brand_string": Output(code=0, text="Apple M2 Pro\n"),
        "sysctl -n hw.memsize": Output(code=0, text="17179869184\n"),
    }
)


def test_linux_server() -> None:
    probe = recorded("h100_server")
    assert release("linux", probe) == "Ubuntu 24.04.3 LTS"
    assert processor("linux", probe) == "Intel(R) Xeon(R) Processor"
    assert round(memory_gb("linux", probe)) == 126


def test_mac() -> None:
    assert release("macos", MAC) == "macOS 15.1"
    assert processor("macos", MAC) == "Apple M2 Pro"
    assert memory_gb("macos", MAC) == 16.0


def test_nothing_is_known_where_nothing_answers() -> None:
    silent = RecordedProbe(answers={})
    assert (release("linux", silent), processor("linux", silent)) == ("", "")
    assert (memory_gb("linux", silent), memory_gb("macos", silent)) == (0.0, 0.0)


def test_this_machine_can_be_described() -> None:
    machine = this_machine(HostProbe())
    assert machine.cores >= 1
    assert machine.release


def test_missing_and_failing_commands_are_told_apart() -> None:
    probe = HostProbe()
    assert probe.run("no-such-program-anywhere").code == 127
    assert probe.run("python3", "-c", "raise SystemExit(3)").code == 3
