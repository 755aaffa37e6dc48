"""The figures for Prometheus, as its own reader takes them."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.api.conftest import Client
from tests.api.people import OWNER, Visitor, gate_of_people
from tests.gate.site import serving
from webui.api.build import build_api


def figures(text: bytes) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_figures_tell_of_jobs_engines_and_the_disk(client: Client) -> None:
    client.make(prompt="secretively", sampling={"steps": 1})
    answer = client.get("/metrics")
    found = figures(answer.body)
    assert answer.one("content-type").startswith("text/plain")
    assert found["gesso_jobs", "done"] == 1
    assert found["gesso_jobs", "queued"] == 0
    assert found["gesso_engine", "fake", "ready"] == 1
    assert found["gesso_queue_held",] == 0
    assert found["gesso_disk_free_bytes",] > 0
    assert b"secretively" not in answer.body


def test_figures_are_the_owners(client: Client) -> None:
    with serving(gate_of_people(build_api(client.studio, None))) as site:
        asked = [
            Visitor(site=site, name=name).ask("GET", "/metrics") for name in (OWNER, "ann", "")
        ]
    assert [answer.status for answer in asked] == [200, 403, 401]
