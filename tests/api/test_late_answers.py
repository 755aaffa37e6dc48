"""Who was shown out while they waited gets no answer any more."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.api.accounts import open_house
from tests.conftest import until


@pytest.mark.parametrize("path", ["/sdapi/v1/txt2img", "/api/v1/jobs?wait=60"])
def test_a_revoked_key_gets_no_picture_that_it_waited_for(tmp_path: Path, path: str) -> None:
    asked = {"prompt": "x", "width": 64, "height": 64}
    asked |= {"steps": 10} if path.startswith("/sdapi") else {"sampling": {"steps": 10}}
    with open_house(tmp_path, seconds_per_step=0.3) as house, ThreadPoolExecutor() as threads:
        key = house.owner().json("POST", "/api/v1/keys", {"name": "stolen"}, 201)
        thief = house.visitor(("Authorization", f"Bearer {key['secret']}"))
        answer = threads.submit(thief.ask, "POST", path, asked)
        until(house.studio.jobs.open_jobs)
        assert house.owner().ask("DELETE", f"/api/v1/keys/{key['id']}").status == 204
        assert answer.result().status == 401
