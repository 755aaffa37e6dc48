"""Samplers against k-diffusion, diffusers and Forge in float64, on a toy with written noise.

`data/trajectories.json` holds only numbers: start and noise are those of `toys.py`, `calls` is how
often the denoiser was asked, `source` says which program gave them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.samplers.toys import TwoHills, Written, walk
from webui.samplers import load_samplers

SAMPLERS = load_samplers()
START = np.array([-20.0, -3.0, 0.7, 9.0]) / 14.6
CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "trajectories.json").read_text()
)
WITHOUT = {  # no other program has them, or theirs are approximations: see test_formulas.py
    "ddim_cfgpp",
    "deis",
    "er_sde",
    "euler_a_cfgpp",
    "euler_cfgpp",
    "ipndm_v",
    "res_multistep",
    "res_multistep_a",
}


def name(case: dict[str, Any]) -> str:
    values = ",".join(f"{key}={value}" for key, value in case["parameters"].items())
    return f"{case['sampler']}-{len(case['sigmas']) - 1}-to-{case['sigmas'][-1]:.2g}-{values}"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_run_ends_where_the_other_program_does(case: dict[str, Any]) -> None:
    denoise = TwoHills(spread=0.5)
    steps = walk(
        SAMPLERS[case["sampler"]],
        START * case["sigmas"][0],
        case["sigmas"],
        denoise=denoise,
        noise=Written(),
        **case["parameters"],
    )
    # 1e-5 would be agreement; these are the same operations in another order
    tolerance = 1e-8 * np.abs(case["end"]).max()
    np.testing.assert_allclose(np.asarray(steps[-1].x), case["end"], rtol=0, atol=tolerance)
    assert len(denoise.asked) == case["calls"]


def test_every_sampler_is_compared_or_named_as_without_a_partner() -> None:
    assert {case["sampler"] for case in CASES} | WITHOUT == {sampler.id for sampler in SAMPLERS}
