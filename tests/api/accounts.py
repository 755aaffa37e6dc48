"""A server with accounts, and visitors of it: browsers with a cookie, programs with a key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from tests.conftest import make_studio
from tests.gate.site import Answer, Site, serving
from webui.api.build import ASSETS, build_api
from webui.api.doorkeeper import PeopleDoorkeeper
from webui.engine.fake import FakeEngine
from webui.gate.gate import Surroundings
from webui.gate.server import protect
from webui.people.people import People
from webui.studio import Studio

OWNER = "Ada"
PASSWORD = "four words in a row"
OTHER = "a horse of another colour"


@dataclass(kw_only=True)
class Visitor:
    """A browser window on the page of a studio, as far as the API can tell: it keeps the cookie
    and sends what a page sends."""

    site: Site
    cookies: dict[str, str] = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        headers = [("X-Gesso", "1"), *self.headers]
        if self.cookies:
            pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            headers.append(("Cookie", pairs))
        if body is not None:
            headers.append(("Content-Type", "application/json"))
        data = b"" if body is None else json.dumps(body).encode()
        answer = self.site.ask(method, path, headers, data)
        for line in answer.all("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value.strip('"')
            if "max-age=0" in line.lower():
                del self.cookies[name]
        return answer

    def json(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        answer = self.ask(method, path, body)
        assert answer.status == status, (method, path, answer.status, answer.body)
        return json.loads(answer.body) if answer.body else None

    def sign_in(self, name: str = OWNER, password: str = PASSWORD, status: int = 200) -> Any:
        credentials = {"name": name, "password": password}
        return self.json("POST", "/api/v1/session", credentials, status)

    @property
    def is_in(self) -> bool:
        return self.ask("GET", "/api/v1/session").status == 200


@dataclass(frozen=True, kw_only=True)
class House:
    """A running studio on which people sign in."""

    site: Site
    studio: Studio

    @property
    def people(self) -> People:
        return self.studio.people

    def visitor(self, *headers: tuple[str, str]) -> Visitor:
        """Somebody new at the door."""
        return Visitor(site=self.site, headers=headers)

    def owner(self) -> Visitor:
        """The owner, signed in anew; the first time their account is made."""
        visitor = self.visitor()
        if not self.people.has_owner():
            visitor.json("POST", "/api/v1/first-run", {"name": OWNER, "password": PASSWORD})
        else:
            visitor.sign_in()
        return visitor

    def joined(self, name: str, role: str = "artist", kind: str = "join") -> Visitor:
        """Somebody whom the owner invited, signed in."""
        offer = {"role": role, "kind": kind}
        path = self.owner().json("POST", "/api/v1/invitations", offer, 201)["path"]
        visitor = self.visitor()
        password = "" if kind == "guest" else PASSWORD
        visitor.json("POST", f"/api/v1{path}", {"name": name, "password": password})
        return visitor


@contextmanager
def open_house(
    root: Path, add: Callable[[FastAPI], None] | None = None, seconds_per_step: float = 0
) -> Iterator[House]:
    """A studio with accounts, served on loopback; `add` puts routes beside those of the API."""
    studio = make_studio(root, FakeEngine("fake", seconds_per_step=seconds_per_step))
    studio.start()
    surroundings = Surroundings(doorkeeper=PeopleDoorkeeper(studio.people))
    app = build_api(studio, ASSETS)
    if add is not None:
        add(app)
    gate = protect(app, surroundings)
    studio.people.on_revoked(gate.end_streams)
    with serving(gate) as site:
        yield House(site=site, studio=studio)
    studio.close()
