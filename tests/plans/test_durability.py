"""kill -9 in the middle of a plan: every cell is made, none twice, and the grid shows all."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import make_studio, until
from tests.test_durability import FAKE, Server
from webui.plans.plan import PlanId

LATEST_KILL_S = 0.3

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills as Unix does")


@pytest.mark.parametrize(
    ("kills", "cells"),
    [
        pytest.param(2, 60, id="2 kills"),
        pytest.param(60, 800, id="60 kills", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_kills_lose_no_cell_and_make_none_twice(tmp_path: Path, kills: int, cells: int) -> None:
    options = {"seconds_per_step": 0.002}
    chance = random.Random(5)
    server = Server(tmp_path, FAKE, options)
    server.say(f"plan {cells}")
    until(lambda: server.accepted)
    plan_id = PlanId(server.accepted[0])
    pictures, made = tmp_path / "outputs" / "txt2img-images", [0]

    def count() -> int:
        return len(list(pictures.rglob("*.png")))

    for _ in range(kills):
        until(lambda: count() > made[-1] or count() == cells, seconds=60)
        time.sleep(chance.uniform(0, LATEST_KILL_S))
        server.kill()
        made.append(count())
        server = Server(tmp_path, FAKE, options)
    server.finish()

    studio = make_studio(tmp_path)
    plan = studio.plans.get(plan_id)
    lines = list(studio.plans.manifest(plan_id))
    files = list(pictures.rglob("*.png"))
    grids = studio.plans.grids(plan)
    studio.close()
    assert any(0 < count < cells for count in made), "no kill came in the middle"
    assert Counter(line.seed for line in lines) == Counter(range(1, cells + 1))
    assert len(files) == cells
    assert {line.file for line in lines} == {
        file.relative_to(tmp_path / "outputs").as_posix() for file in files
    }
    assert len(grids) == 1
