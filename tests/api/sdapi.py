"""A studio that programs talk to as if it were A1111, with people or without."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from tests.conftest import make_studio
from tests.gate.site import Answer, Site, serving
from webui.api.build import build_api
from webui.api.doorkeeper import PeopleDoorkeeper
from webui.core.job import LOCAL, PersonId
from webui.core.person import Role
from webui.engine.fake import FakeEngine
from webui.gate.audit import Table, audit
from webui.gate.gate import Gate, Surroundings
from webui.gate.server import protect
from webui.people.people import People
from webui.studio import Studio

PASSWORD = "a long word for tests"
SMALL: Mapping[str, Any] = {"width": 64, "height": 64, "steps": 2}


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program that speaks A1111's dialect, as somebody."""

    site: Site
    studio: Studio
    credential: str = ""
    person: PersonId = LOCAL

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """Send JSON; below /sdapi/v1 unless the path begins with a slash."""
        path = path if path.startswith("/") else f"/sdapi/v1/{path}"
        headers = [("Content-Type", "application/json")]
        headers += [("Authorization", self.credential)] if self.credential else []
        data = body if isinstance(body, bytes) else b"" if body is None else encoded(body)
        return self.site.ask(method, path, headers, data)

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def post(self, path: str, body: object = None) -> Any:
        answer = self.ask("POST", path, body)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def refused(self, path: str, body: object) -> tuple[int, str]:
        """Status and detail of a refusal, in the one shape that A1111's have."""
        answer = self.ask("POST", path, body)
        content = json.loads(answer.body)
        assert set(content) == {"error", "detail", "body", "errors"}
        return answer.status, str(content["detail"])

    def make(self, **fields: object) -> Any:
        """txt2img with small pictures."""
        return self.post("txt2img", {**SMALL, **fields})

    def asked(self) -> Any:
        """The request of ours that the last of this person's jobs was."""
        return self.studio.jobs.recent(self.person, limit=1)[0].request


def encoded(body: object) -> bytes:
    return json.dumps(body).encode()


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def opened(text: str) -> Image.Image:
    """A picture from an answer."""
    return Image.open(io.BytesIO(base64.b64decode(text)))


def picture(width: int = 64, height: int = 64, colour: str = "red") -> str:
    """A picture for a request: raw base64."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def mask() -> str:
    """White in the middle of 64 x 64."""
    buffer = io.BytesIO()
    image = Image.new("L", (64, 64), 0)
    image.paste(255, (16, 16, 48, 48))
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@contextmanager
def alone(root: Path, step_s: float = 0.0) -> Iterator[Program]:
    """A studio without accounts; its steps take `step_s` seconds."""
    studio = make_studio(root, FakeEngine("fake", seconds_per_step=step_s))
    studio.start()
    with serving(protect(build_api(studio, None))) as site:
        yield Program(site=site, studio=studio)
    studio.close()


@contextmanager
def team(root: Path, step_s: float = 0.0) -> Iterator[Mapping[str, Program]]:
    """Programs of three people, with name and password: "olga" owns the studio, "ann" and "bob"
    are artists. "key" is ann's with an API key, "nobody" shows nothing."""
    studio = make_studio(root, FakeEngine("fake", seconds_per_step=step_s))
    people = People(root / "people.sqlite")
    olga = people.create_owner("olga", PASSWORD)
    ids = {"olga": olga.id}
    for name in ("ann", "bob"):
        person, _ = people.add(name, Role.ARTIST, by=olga.id)
        people.set_password(person.id, PASSWORD, by=person.id)
        ids[name] = person.id
    key = people.keys.make(ids["ann"], "a program", Role.ARTIST)
    studio.start()
    app = build_api(studio, None)
    gate = Gate(app, Table(audit(app, {})), Surroundings(doorkeeper=PeopleDoorkeeper(people)))
    with serving(gate) as site:
        programs = {
            name: Program(site=site, studio=studio, credential=basic(name, PASSWORD), person=id)
            for name, id in ids.items()
        }
        secret = f"Bearer {key.secret}"
        programs["key"] = Program(site=site, studio=studio, credential=secret, person=ids["ann"])
        programs["nobody"] = Program(site=site, studio=studio)
        yield programs
    people.close()
    studio.close()
