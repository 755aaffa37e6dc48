"""A window on the page without a browser: it has read the page's description, and fires events."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from httpx import Response
from starlette.testclient import TestClient

from tests.conftest import until
from tests.gate.people import NamedDoorkeeper, as_person
from tests.gate.whole import served_app
from webui.gate.gate import Surroundings
from webui.gate.server import protect
from webui.studio import Studio
from webui.ui.keeper import PageKeeper


@dataclass(frozen=True)
class House:
    """A studio as it is served, to whoever a request says that it is from."""

    studio: Studio
    site: TestClient
    keeper: PageKeeper

    def open(self, role: str = "owner") -> Window:
        """A window of somebody."""
        headers = {**dict([as_person(role)]), "Origin": "http://localhost:7860"}
        config = self.site.get("/config", headers=headers).json()
        return Window(self.site, headers, config)


@dataclass(frozen=True)
class Window:
    """What a browser knows of the page that it loaded."""

    site: TestClient
    headers: dict[str, str]
    config: dict[str, Any]

    def part(self, elem_id: str) -> dict[str, Any]:
        """What is told of a part of the page; KeyError if it isn't there."""
        for part in self.config["components"]:
            if part["props"].get("elem_id") == elem_id:
                return dict(part)
        raise KeyError(elem_id)

    def has(self, elem_id: str) -> bool:
        """Whether there is a part with this id."""
        return any(part["props"].get("elem_id") == elem_id for part in self.config["components"])

    def labels(self) -> list[str]:
        """The labels and titles on the page."""
        return [part["props"].get("label") or "" for part in self.config["components"]]

    def fire(self, elem_id: str, event: str, **values: Any) -> Response:
        """What the page answers to an event of a part; `values` are of inputs, by their ids."""
        number = self.part(elem_id)["id"]
        function = next(
            each
            for each in self.config["dependencies"]
            if [number, event] in [list(target) for target in each["targets"]]
        )
        parts = {part["id"]: part["props"] for part in self.config["components"]}
        data = [
            values.get(parts[id].get("elem_id"), parts[id].get("value"))
            for id in function["inputs"]
        ]
        body = {"data": data, "fn_index": function["id"], "session_hash": "window"}
        return self.site.post("/gradio_api/run/predict", json=body, headers=self.headers)


@contextmanager
def opened(studio: Studio) -> Iterator[House]:
    """The house of a studio, open."""
    # Gradio draws one page at a time in a process, and another house may draw one.
    until(lambda: not any(thread.name == "gesso-page" for thread in threading.enumerate()))
    app = served_app(studio)
    keeper: PageKeeper = app.state.page
    around = Surroundings(doorkeeper=NamedDoorkeeper())
    gate = protect(app, around, additions=keeper.additions)
    with TestClient(gate, base_url="http://localhost:7860", raise_server_exceptions=False) as site:
        yield House(studio, site, keeper)
        until(lambda: not keeper.is_building)
