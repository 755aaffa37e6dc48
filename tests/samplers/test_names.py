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
        ("DPM++ 9X", None),
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
