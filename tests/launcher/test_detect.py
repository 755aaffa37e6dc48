"""Every kind of card is found in what its machine's tools say."""

from __future__ import annotations

import pytest

from tests.launcher.conftest import computer, recorded
from webui.launcher.detect import Detection, Gpu, Vendor, detect, gfx_name, read_lspci
from webui.launcher.machine import graphics_fingerprint
from webui.launcher.probe import Output, RecordedProbe, RecordingProbe


def found(recording: str, system: str = "linux") -> Detection:
    return detect(computer(system), recorded(recording))


def names(recording: str, system: str = "linux") -> list[str]:
    return [card.name for card in found(recording, system).gpus]


def test_nvidia_card_with_all_its_facts() -> None:
    assert found("rtx4090_ubuntu").gpus == (
        Gpu(
            vendor=Vendor.NVIDIA,
            name="NVIDIA GeForce RTX 4090",
            memory_mb=24564,
            driver="580.95.05",
            architecture="8.9",
        ),
    )


def test_two_nvidia_cards_keep_their_numbers() -> None:
    cards = found("two_rtx3090_driver535").gpus
    assert [(card.index, card.architecture) for card in cards] == [(0, "8.6"), (1, "8.6")]


def test_old_driver_is_read_from_its_table() -> None:
    cards = found("driver470_table").gpus
    assert [(c.index, c.name, c.memory_mb, c.driver, c.architecture) for c in cards] == [
        (0, "NVIDIA GeForce ...", 7979, "470.57.02", ""),
        (1, "TITAN Xp", 12196, "470.57.02", ""),
    ]


def test_shared_memory_counts_as_none_of_its_own() -> None:
    assert found("dgx_spark").gpus[0].memory_mb is None


@pytest.mark.parametrize(
    ("recording", "hint"),
    [
        ("nvidia_driver_fails", "couldn't communicate with the NVIDIA driver"),
        ("nvidia_version_mismatch", "Restart the machine"),
        ("laptop_iris_and_rtx3050_nouveau", "driver is not installed"),
    ],
)
def test_nvidia_card_that_does_not_answer_is_explained(recording: str, hint: str) -> None:
    detection = found(recording)
    assert [card for card in detection.gpus if card.vendor == Vendor.NVIDIA] == []
    assert len(detection.notes) == 1
    assert hint in detection.notes[0]


def test_wsl_finds_windows_card() -> None:
    assert names("wsl_rtx3060") == ["NVIDIA GeForce RTX 3060"]


def test_hybrid_laptop_shows_both_parts() -> None:
    assert names("laptop_vega_and_rtx3070") == [
        "NVIDIA GeForce RTX 3070 Laptop GPU",
        "AMD Radeon Vega Series / Radeon Vega Mobile Series",
    ]


def test_rocminfo_lists_cards_but_not_processors() -> None:
    cards = found("rx7900xtx_and_igpu").gpus
    assert [(c.index, c.name, c.architecture, c.memory_mb) for c in cards] == [
        (0, "AMD Radeon RX 7900 XTX", "gfx1100", 24560),
        (1, "AMD Radeon Graphics", "gfx1036", 31723),
    ]


def test_amd_card_without_rocm_tools_is_known_to_the_kernel() -> None:
    (card,) = found("rx6600_kernel_only").gpus
    assert card.architecture == "gfx1032"
    assert card.name == "AMD Radeon RX 6600/6600 XT/6600M"


def test_accelerators_without_display_are_cards() -> None:
    assert [card.architecture for card in found("four_mi300x").gpus] == ["gfx942"] * 4


def test_intel_cards_are_numbered_apart() -> None:
    cards = found("arc_a770").gpus
    assert [(card.index, card.architecture) for card in cards] == [(0, "4680"), (1, "56a0")]
    assert cards[1].name == "Intel Arc A770"


def test_card_without_lspci_has_a_name_anyway() -> None:
    assert names("intel_iris_xe") == ["Intel graphics 9a49"]


def test_windows_lists_cards_but_no_virtual_displays() -> None:
    assert names("windows_rtx5090", "windows") == [
        "NVIDIA GeForce RTX 5090",
        "AMD Radeon(TM) Graphics",
    ]


def test_single_card_of_windows() -> None:
    (card,) = found("windows_arc140v", "windows").gpus
    assert (card.vendor, card.architecture) == (Vendor.INTEL, "64a0")


@pytest.mark.parametrize(
    ("recording", "system"), [("cpu_server", "linux"), ("windows_no_card", "windows")]
)
def test_machine_without_card(recording: str, system: str) -> None:
    assert found(recording, system) == Detection(gpus=())


def test_apple_chip_is_a_card_and_intel_mac_has_none() -> None:
    nothing = RecordedProbe(answers={})
    assert detect(computer("macos", "arm64"), nothing).gpus[0].name == "Apple M2 Pro"
    assert detect(computer("macos", "x86_64"), nothing).gpus == ()


@pytest.mark.parametrize(
    ("version", "name"),
    [(110000, "gfx1100"), (100302, "gfx1032"), (90010, "gfx90a"), (90402, "gfx942")],
)
def test_kernel_versions_of_amd_architectures(version: int, name: str) -> None:
    assert gfx_name(version) == name


def test_lspci_with_domains() -> None:
    line = "5e8a:00:00.0 3D controller: Microsoft Corporation Device 008e\n"
    assert read_lspci(line) == {"5e8a:00:00.0": "Microsoft Device 008e"}


def test_broken_answer_of_windows_is_no_card() -> None:
    class Broken(RecordedProbe):
        def run(self, *command: str) -> Output:
            return Output(code=1, text="'powershell' is not recognized")

    assert detect(computer("windows"), Broken(answers={})).gpus == ()


def test_recording_replays_the_machine_it_was_made_on() -> None:
    machine, source = computer(), recorded("laptop_vega_and_rtx3070")
    recorder = RecordingProbe(source=source)
    first = detect(machine, recorder)
    assert detect(machine, RecordedProbe.parse(recorder.text())) == first


def test_fingerprint_changes_with_cards_only() -> None:
    prints = [
        graphics_fingerprint("linux", recorded(name))
        for name in ("cpu_server", "rx6600_kernel_only", "rx7900xtx_and_igpu")
    ]
    assert len(set(prints)) == 3
    assert graphics_fingerprint("linux", recorded("rx6600_kernel_only")) == prints[1]
