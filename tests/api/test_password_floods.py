"""Who has no tries left is turned away before the request is read, and late; not at the end."""

from __future__ import annotations

import json
import logging
import threading
import time
from pathlib import Path

import pytest

from tests.api.accounts import open_house
from tests.conftest import until


def test_an_address_that_used_up_its_tries_is_not_even_listened_to(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        house.owner()
        for number in range(30):
            body = {"name": f"Bob {number}", "password": "wrong"}
            assert house.visitor().ask("POST", "/api/v1/session", body).status == 401
        answer = house.visitor().ask("POST", "/api/v1/session", {"no": "credentials"})
        assert answer.status == 429
        assert 0 < int(answer.one("retry-after")) <= 61
        assert "Too many passwords" in json.loads(answer.body)["error"]["message"]


def test_a_server_that_ends_lets_nobody_wait(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[int] = []

    def ask() -> None:
        answers.append(house.visitor().ask("POST", "/api/v1/session", {}).status)

    with open_house(tmp_path) as house:
        for number in range(30):
            house.people.limiter.admit("127.0.0.1", f"Bob {number}")
        waiting = [threading.Thread(target=ask) for _ in range(60)]
        for thread in waiting:
            thread.start()
        until(lambda: len(answers) + house.people.tarrying.waiting == 60)  # slow ones had time
        begun = time.monotonic()
    for thread in waiting:
        thread.join()
    assert time.monotonic() - begun < 5  # alone they would wait for six seconds
    assert answers == [429] * 60
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
