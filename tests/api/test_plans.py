"""Plans over HTTP: begun, watched, ended, refused in words, and read as tables."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from tests.api.conftest import Client, error_of
from tests.conftest import until

BASE = {"prompt": "=a cat", "seed": 7, "width": 64, "height": 64, "sampling": {"steps": 2}}


def xyz(**axes: str) -> dict[str, Any]:
    """A plot whose axes are seeds, steps and guidance, in this order."""
    ids = {"x": "seed", "y": "steps", "z": "guidance_scale"}
    options = {letter: {"axis": ids[letter], "values": text} for letter, text in axes.items()}
    return {"kind": "xyz", "request": BASE, "options": options}


def settled(client: Client, id: str) -> Any:
    """The plan when nothing is left to do."""

    def over() -> Any:
        plan = client.json(f"/api/v1/plans/{id}")
        return plan if plan["is_settled"] else None

    return until(over)


def test_a_plan_is_accepted_and_becomes_a_grid(client: Client) -> None:
    accepted = client.post("/api/v1/plans", xyz(x="1, 2", y="1-3"))
    assert (accepted["kind"], accepted["cells"], accepted["mode"]) == ("xyz", 6, "txt2img")
    plan = settled(client, accepted["id"])
    assert (plan["state"], plan["done"], plan["failed"]) == ("done", 6, 0)
    (grid,) = plan["grids"]
    assert client.get(grid["url"]).status == 200
    assert [other["id"] for other in client.json("/api/v1/plans")] == [accepted["id"]]


@pytest.mark.parametrize(
    ("asked", "field", "said"),
    [
        (xyz(y="500"), "options.y.values", "Y axis, Steps “500”: Steps 500 is too large"),
        ({"kind": "xyz", "options": {"w": 1}}, "options.w", "not a known field"),
        ({"kind": "xyz", "options": {"x": {"axes": 1}}}, "options.x.axes", "not a known field"),
        ({"kind": "many", "request": {"promt": 1}}, "request.promt", "not a known field"),
        ({"kind": "nothing"}, "kind", "There is no plan “nothing”"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(
    client: Client, asked: dict[str, Any], field: str, said: str
) -> None:
    data = json.dumps(asked).encode()
    answer = client.site.ask("POST", "/api/v1/plans", [("Content-Type", "application/json")], data)
    status, named, message = error_of(answer)
    assert (status, named) == (422, field)
    assert said in message


def test_a_plan_is_paused_resumed_cancelled_and_tried_again(slow_client: Client) -> None:
    asked = {"kind": "many", "request": BASE, "options": {"count": 500}}
    plan = slow_client.post("/api/v1/plans", asked)
    path = f"/api/v1/plans/{plan['id']}"
    for verb, state in (
        ("pause", "paused"),
        ("resume", "running"),
        ("cancel", "cancelled"),
        ("retry", "running"),
        ("cancel", "cancelled"),
    ):
        assert slow_client.post(f"{path}/{verb}", status=200)["state"] == state


def test_the_manifest_is_a_table_and_lines(client: Client) -> None:
    asked = {"kind": "many", "request": BASE, "options": {"count": 3}}
    plan = settled(client, client.post("/api/v1/plans", asked)["id"])
    text = client.get(f"/api/v1/plans/{plan['id']}/manifest.csv").body.decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    lines = client.get(f"/api/v1/plans/{plan['id']}/manifest.jsonl").body.decode().splitlines()
    assert [row["seed"] for row in rows] == ["7", "8", "9"]
    assert [json.loads(line)["seed"] for line in lines] == [7, 8, 9]
    assert {row["prompt"] for row in rows} == {"'=a cat"}
    assert {json.loads(line)["prompt"] for line in lines} == {"=a cat"}


def test_an_unknown_plan_is_not_found(client: Client) -> None:
    assert error_of(client.get("/api/v1/plans/none"))[0] == 404
