"""What libraries find in the environment."""

from __future__ import annotations

from webui.engine.environment import prepare_environment


def test_no_library_may_go_online_and_waiting_threads_sleep() -> None:
    environment: dict[str, str] = {}
    prepare_environment(environment)
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"


def test_what_the_person_set_stays() -> None:
    environment = {"OMP_WAIT_POLICY": "ACTIVE"}
    prepare_environment(environment)
    assert environment["OMP_WAIT_POLICY"] == "ACTIVE"
