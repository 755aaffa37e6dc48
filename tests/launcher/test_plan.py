"""The build of PyTorch that each machine gets."""

from __future__ import annotations

import pytest

from tests.launcher.conftest import computer, recorded
from webui.launcher.detect import detect
from webui.launcher.errors import SetupError
from webui.launcher.machine import Machine
from webui.launcher.plan import (
    SPACE_GB,
    TORCH,
    TORCH_INDEX,
    XFORMERS,
    Choice,
    Plan,
    make_plan,
    refuse_unsupported,
    serves,
    xformers_for,
)


def plan_for(recording: str, machine: Machine | None = None, choice: Choice | None = None) -> Plan:
    machine = machine or computer()
    return make_plan(machine, detect(machine, recorded(recording)), choice or Choice())


@pytest.mark.parametrize(
    ("recording", "build"),
    [
        ("rtx4090_ubuntu", "cu130"),
        ("two_rtx3090_driver535", "cu126"),
        ("gtx1080_driver580", "cu126"),
        ("gtx1080ti_and_rtx4070", "cu126"),
        ("wsl_rtx3060", "cu130"),
        ("dgx_spark", "cu130"),
        ("h100_server", "cu130"),
        ("laptop_vega_and_rtx3070", "cu126"),
        ("rx7900xtx_and_igpu", "rocm7.2"),
        ("rx6600_kernel_only", "rocm7.2"),
        ("four_mi300x", "rocm7.2"),
        ("arc_a770", "xpu"),
        ("cpu_server", "cpu"),
    ],
)
def test_build_and_index_for_linux(recording: str, build: str) -> None:
    plan = plan_for(recording)
    assert (plan.build, plan.index) == (build, f"{TORCH_INDEX}/{build}")


@pytest.mark.parametrize(
    ("recording", "reason"),
    [
        ("driver470_table", "driver 470.57.02 is too old"),
        ("gtx780_driver470", "NVIDIA GeForce GTX 780 is too old"),
        ("rtx5070_driver575", "Install NVIDIA's driver 580 or newer"),
        ("nvidia_driver_fails", "driver does not work"),
        ("laptop_iris_and_rtx3050_nouveau", "driver is not installed"),
        ("radeon780m", "gfx1103"),
        ("intel_iris_xe", "only Intel's Arc graphics"),
    ],
)
def test_card_that_can_not_be_used_leaves_the_processor_and_a_reason(
    recording: str, reason: str
) -> None:
    plan = plan_for(recording)
    assert plan.build == "cpu"
    assert reason in " ".join(plan.notes)


@pytest.mark.parametrize(
    ("recording", "build", "index"),
    [
        ("windows_rtx5090", "cu130", f"{TORCH_INDEX}/cu130"),
        ("windows_arc140v", "xpu", f"{TORCH_INDEX}/xpu"),
        ("windows_rx7900xtx", "cpu", ""),
        ("windows_no_card", "cpu", ""),
    ],
)
def test_windows(recording: str, build: str, index: str) -> None:
    plan = plan_for(recording, computer("windows"))
    assert (plan.build, plan.index) == (build, index)


def test_mac_gets_the_ordinary_build_with_metal() -> None:
    plan = plan_for("cpu_server", computer("macos", "arm64"))
    assert (plan.build, plan.index, plan.device) == ("mps", "", "Apple M2 Pro")
    assert plan.environment == {"PYTORCH_ENABLE_MPS_FALLBACK": "1"}


def test_working_card_comes_without_remarks_on_the_others() -> None:
    assert plan_for("laptop_vega_and_rtx3070").notes == ()


def test_build_follows_the_chosen_card_where_none_has_code_for_all() -> None:
    machine = computer()
    first = plan_for("gtx1060_and_rtx5070ti", machine)
    second = plan_for("gtx1060_and_rtx5070ti", machine, Choice(device_id="1"))
    assert (first.build, second.build) == ("cu126", "cu130")
    assert "RTX 5070 Ti can't be used together" in first.notes[0]


def test_card_number_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(SetupError, match="number 2") as refused:
        plan_for("two_rtx3090_driver535", choice=Choice(device_id="2"))
    assert "0 (NVIDIA GeForce RTX 3090), 1" in refused.value.way_out


def test_asking_for_the_processor_ignores_cards() -> None:
    plan = plan_for("rtx4090_ubuntu", choice=Choice(use_cpu=True))
    assert (plan.build, plan.device, plan.notes) == ("cpu", "the processor", ())


def test_other_index_is_used_for_every_build() -> None:
    choice = Choice(torch_index="https://mirror.example/whl")
    assert plan_for("rtx4090_ubuntu", choice=choice).index == "https://mirror.example/whl/cu130"


def test_amd_graphics_without_code_are_hidden() -> None:
    assert plan_for("rx7900xtx_and_igpu").environment == {"HIP_VISIBLE_DEVICES": "0"}


def test_small_rdna2_card_runs_its_siblings_code() -> None:
    assert plan_for("rx6600_kernel_only").environment == {"HSA_OVERRIDE_GFX_VERSION": "10.3.0"}


def test_device_is_named_with_its_memory() -> None:
    assert plan_for("two_rtx3090_driver535").device == "NVIDIA GeForce RTX 3090 (24 GB) and 1 more"


@pytest.mark.parametrize(
    ("machine", "way_out"),
    [
        (computer("macos", "x86_64"), "Intel"),
        (computer("windows", "arm64"), "x64 Python"),
        (computer("linux", libc=""), "glibc"),
        (computer("linux", "riscv64"), "64-bit x86 or ARM"),
    ],
)
def test_machine_without_any_build_is_told_so(machine: Machine, way_out: str) -> None:
    with pytest.raises(SetupError) as refused:
        refuse_unsupported(machine)
    assert way_out in refused.value.way_out


def test_every_build_has_its_space() -> None:
    assert set(SPACE_GB) >= {"cpu", "mps", "cu126", "cu130", "rocm7.2", "xpu"}


@pytest.mark.parametrize(("torch", "xformers"), sorted(XFORMERS.items()))
def test_xformers_goes_with_its_own_torch_on_cuda_only(torch: str, xformers: str) -> None:
    assert xformers_for(torch, "cu126") == xformers
    assert xformers_for(torch, "cpu") is None
    assert xformers_for(torch, "rocm7.2") is None


def test_no_xformers_pairs_with_the_torch_we_use() -> None:
    assert xformers_for(TORCH, "cu130") is None
    assert plan_for("rtx4090_ubuntu").extras == ()


@pytest.mark.parametrize(
    ("installed", "wanted", "does"),
    [
        ("cu130", "cu130", True),
        ("cu130", "cpu", True),
        ("cpu", "cu130", False),
        ("cu126", "cu130", False),
    ],
)
def test_installed_build_is_kept_where_it_does(installed: str, wanted: str, does: bool) -> None:
    assert serves(installed, wanted) is does
