"""The names by which samplers are found."""

from __future__ import annotations

import pytest

from webui.samplers import load_samplers


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("euler_a", ("euler_a", None)),
        ("Euler a", ("euler_a", None)),
        ("EULER A", ("euler_a", None)),
        ("Euler", ("euler", None)),
        ("k_dpmpp_2m", ("dpmpp_2m", None)),
        ("DPM++ 2M", ("dpmpp_2m", None)),
        (" DPM++ 2M Karras ", ("dpmpp_2m", "karras")),
        ("DPM++ 2M SDE Karras", ("dpmpp_2m_sde", "karras")),
        ("DPM++ 2M SDE Exponential", ("dpmpp_2m_sde", "exponential")),
        ("DPM++ 2M SDE Heun Karras", ("dpmpp_2m_sde_heun", "karras")),
        ("DPM++ 3M SDE Karras", ("dpmpp_3m_sde", "karras")),
        ("DPM++ 3M SDE Exponential", ("dpmpp_3m_sde", "exponential")),
        ("DPM++ SDE Karras", ("dpmpp_sde", "karras")),
        ("DPM++ 2S a Karras", ("dpmpp_2s_a", "karras")),
        ("DPM2 a Karras", ("dpm_2_a", "karras")),
        ("LMS Karras", ("lms", "karras")),
        ("dpmpp_2m_sde_gpu", ("dpmpp_2m_sde", None)),  # ComfyUI
        ("euler_ancestral", ("euler_a", None)),
        ("k_dpmpp_2m_ka", ("dpmpp_2m", "karras")),
        ("heun_k", ("heun", "karras")),  # InvokeAI
        ("k_dpmpp_2s_ancestral", ("dpmpp_2s_a", None)),  # NovelAI
        ("DPM++ 9X", None),
        ("_k", None),
        ("karras", None),
        ("", None),
    ],
)
def test_samplers_go_by_id_label_alias_and_old_combined_name(
    name: str, found: tuple[str, str | None] | None
) -> None:
    assert load_samplers().find(name) == found


def test_no_two_samplers_share_a_name() -> None:
    samplers = load_samplers()
    for sampler in samplers:
        for name in (sampler.id, sampler.label, *sampler.aliases):
            assert samplers.find(name) == (sampler.id, None)


A1111 = (
    "DPM++ 2M|DPM++ SDE|DPM++ 2M SDE|DPM++ 2M SDE Heun|DPM++ 2S a|DPM++ 3M SDE|Euler a|Euler|LMS|"
    "Heun|DPM2|DPM2 a|DPM fast|DPM adaptive|Restart|DDIM|DDIM CFG++|PLMS|UniPC|LCM"
)
FORGE = "HeunPP2|IPNDM|IPNDM_V|DEIS|DDPM"
NEWER = "TCD|ER SDE|Res Multistep|Res Multistep a|Euler CFG++|Euler a CFG++"


def test_every_sampler_of_a1111_and_forge_is_there_in_their_order() -> None:
    wanted = "|".join((A1111, FORGE, NEWER)).split("|")
    assert [sampler.label for sampler in load_samplers()] == wanted


@pytest.mark.parametrize(
    ("schedule", "samplers"),
    [
        ("karras", "DPM++ 2M|DPM++ SDE|DPM++ 2S a|DPM2|DPM2 a|Restart"),
        ("exponential", "DPM++ 2M SDE|DPM++ 2M SDE Heun|DPM++ 3M SDE"),
        ("simple", "TCD"),
    ],
)
def test_automatic_means_what_a1111_means(schedule: str, samplers: str) -> None:
    chosen = {s.label for s in load_samplers() if s.default_schedule == schedule}
    assert chosen == set(samplers.split("|"))


def test_samplers_that_ask_twice_or_leave_a_level_out_are_a1111s() -> None:
    twice = {s.label for s in load_samplers() if s.calls_per_step == 2}
    assert twice == {"DPM++ SDE", "DPM++ 2S a", "Heun", "DPM2", "DPM2 a", "Restart"}
    without = {s.label for s in load_samplers() if s.discards_penultimate}
    assert without == {"DPM2", "DPM2 a", "DPM++ 3M SDE"}


def test_ddim_cfgpp_divides_the_guidance_scale_as_a1111_does() -> None:
    assert load_samplers()["ddim_cfgpp"].guidance_factor == pytest.approx(1 / 12.5)
    assert load_samplers()["ddim"].guidance_factor == 1
