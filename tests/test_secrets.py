"""Planted secrets, and every place where one might be told: answers to each role, and the log."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

import pytest
from fastapi import FastAPI

from tests.conftest import finished, png
from tests.gate.whole import Said, ask, served_app
from webui.albums.album import AlbumWish
from webui.api.doorkeeper import PeopleDoorkeeper
from webui.core.errors import InvalidRequest
from webui.core.job import LOCAL, PersonId
from webui.core.person import Role
from webui.core.request import GenerationRequest, Sampling
from webui.engine.fake import FakeEngine
from webui.gate.access import Access
from webui.gate.audit import Decision, audit
from webui.gate.gate import Gate, Surroundings
from webui.gate.gradio_rules import GRADIO_RULES
from webui.gate.server import protect
from webui.people.account import Where
from webui.settings import SettingsStore
from webui.studio import Studio
from webui.webhooks.hook import HookWish, Occasion

PASSWORD: Final = "four planted words here"
HF_TOKEN: Final = "hf_plantedtokenofthestudio"
HOOK_SECRET: Final = "planted-secret-of-a-webhook"
FOLDER: Final = "/nowhere/planted-folder"
REPOSITORY: Final = Path(__file__).resolve().parent.parent
PEOPLE: Final = {"Vic": Role.VIEWER, "Ann": Role.ARTIST}
ENDLESS: Final = (
    "/api/v1/events",
    "/gradio_api/heartbeat",
    "/gradio_api/queue/data",
    "/gradio_api/upload_progress",
)
"""Streams: they begin with what /api/v1/state tells, or tell what a page's own events put there."""
SMALL: Final = GenerationRequest(width=64, height=64, sampling=Sampling(steps=1))


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A studio with secrets: `secrets` are nobody's to be told, `paths` the owner's alone.
    `visitors` are headers by role; `ids` stand in addresses."""

    studio: Studio
    app: FastAPI
    secrets: dict[str, str]
    paths: dict[str, str]
    visitors: dict[Role | None, Sequence[tuple[str, str]]]
    ids: dict[str, str]

    def decisions(self) -> list[Decision]:
        """Every route that can be read."""
        found = audit(self.app, GRADIO_RULES)
        return [
            decision
            for decision in found
            if "GET" in decision.methods
            and decision.rule.access is not Access.CLOSED
            and not decision.path.startswith(ENDLESS)
        ]

    def address(self, decision: Decision) -> bytes:
        """An address that the route takes, of something that is there where there is any."""

        def fill(found: re.Match[str]) -> str:
            resource = decision.path[: found.start()].rstrip("/").rpartition("/")[2]
            return self.ids.get(resource, self.ids.get(found[1].partition(":")[0], "x"))

        return re.sub(r"\{([^}]*)\}", fill, decision.path).encode()


@pytest.fixture(scope="module")
def log() -> Iterator[list[str]]:
    """All that is logged, to the finest."""
    lines: list[str] = []

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    notes, root = Notes(), logging.getLogger()
    before = root.level
    root.addHandler(notes)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(notes)
    root.setLevel(before)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, log: list[str]) -> Iterator[Kept]:
    """The whole application, with people, work of each of them, and secrets of every kind."""
    root = tmp_path_factory.mktemp("planted-root")
    shared = {"data_dir": str(root), "keep_free_mb": 0, "sign_in": True}
    studio = Studio(SettingsStore(shared), [FakeEngine("fake")])
    studio.start()
    studio.settings.update({"extra_model_folders": f"Away={FOLDER}"})
    secrets, ids = _plant(studio)
    visitors: dict[Role | None, Sequence[tuple[str, str]]] = {None: ()}
    people = {Role.OWNER: studio.people.create_owner("Ada", PASSWORD)}
    people |= {role: studio.people.add(name, role, by=LOCAL)[0] for name, role in PEOPLE.items()}
    for role, person in people.items():
        token = studio.people.sessions.begin(person, Where(address="127.0.0.1")).token
        key = studio.people.keys.make(person.id, "a program", Role.VIEWER).secret
        visitors[role] = [("Cookie", f"gesso_session={token}")]
        secrets |= {f"session of {role}": token, f"key of {role}": key}
        if role is not Role.VIEWER:
            finished(studio, studio.submit(SMALL, person.id).id)
    yield Kept(
        studio=studio,
        app=served_app(studio),
        secrets=secrets,
        paths={"data": str(root), "models": FOLDER, "program": str(REPOSITORY), "py": sys.prefix},
        visitors=visitors,
        ids=ids,
    )
    studio.close()


def _plant(studio: Studio) -> tuple[dict[str, str], dict[str, str]]:
    """Secrets by name, and ids of what is the owner's by the resource they stand behind."""
    studio.downloads.tokens.put("https://huggingface.co", HF_TOKEN)
    never = (Occasion.CANCELLED,)
    hook = studio.webhooks.add(
        HookWish(address="https://93.184.216.34/x", secret=HOOK_SECRET, occasions=never)
    )
    job = finished(studio, studio.submit(SMALL).id)
    picture = studio.gallery.of_job(job.id)[0]
    album = studio.albums.create(AlbumWish(title="Shown", is_for_team=True), LOCAL)
    link = studio.albums.link(album.id, 1)
    invitation = studio.people.invite(Role.ARTIST, uses=1, expires_s=86400, by=LOCAL)
    secrets = {
        "password": PASSWORD,
        "hash": "$argon2",
        "token": HF_TOKEN,
        "webhook": HOOK_SECRET,
        "link": link.token,
        "invitation": invitation.token,
    }
    ids = {"jobs": job.id, "albums": album.id, "webhooks": hook.id, "people": LOCAL}
    ids |= {"pictures": picture.id, "picture": picture.id}
    ids["inputs"] = studio.inputs.add(png(), LOCAL)
    return secrets, ids


async def _all_answers(kept: Kept) -> dict[tuple[Role | None, str], Said]:
    doorkeeper = PeopleDoorkeeper(kept.studio.people)
    gate = protect(kept.app, Surroundings(doorkeeper=doorkeeper))
    assert isinstance(gate, Gate)
    return {
        (role, decision.path): await asyncio.wait_for(
            ask(gate, "GET", kept.address(decision), headers), 20
        )
        for role, headers in kept.visitors.items()
        for decision in kept.decisions()
    }


@pytest.fixture(scope="module")
def answers(kept: Kept) -> dict[tuple[Role | None, str], Said]:
    """What everybody is answered by every route that can be read."""
    return asyncio.run(_all_answers(kept))


def told(said: Said, words: dict[str, str]) -> list[str]:
    """Which of the words an answer holds, also with the marks that JSON and HTML put in."""
    text = said.body.decode("utf-8", "replace").replace("\\/", "/").replace("\\\\", "\\")
    return [name for name, word in words.items() if word in text]


def test_the_answers_are_real(answers: dict[tuple[Role | None, str], Said]) -> None:
    ok = {role: 0 for role, _ in answers}
    for (role, _), said in answers.items():
        ok[role] += said.status == HTTPStatus.OK
    assert ok[Role.OWNER] > ok[Role.ARTIST] > ok[None] > 0
    assert ok[Role.OWNER] >= 150
    assert {path for (_, path), said in answers.items() if said.status >= 500} == set()


def test_no_answer_tells_a_secret(kept: Kept, answers: dict[tuple[Role | None, str], Said]) -> None:
    found = {at: names for at, said in answers.items() if (names := told(said, kept.secrets))}
    assert found == {}


def test_only_the_owner_learns_where_files_lie(
    kept: Kept, answers: dict[tuple[Role | None, str], Said]
) -> None:
    found = {
        at: names
        for at, said in answers.items()
        if at[0] is not Role.OWNER and (names := told(said, kept.paths))
    }
    assert found == {}


@pytest.mark.parametrize(
    "asked",
    [
        {"checkpoint": "nothing"},
        {"vae": "nothing"},
        {"text_encoders": ("nothing",)},
        {"prompt": "<lora:nothing:1>"},
        {"styles": ("nothing",)},
        {"source": {"image": "0" * 64}},
    ],
)
def test_a_refusal_tells_no_path(kept: Kept, asked: dict[str, object]) -> None:
    from webui.core.codec import decode

    with pytest.raises(InvalidRequest) as refused:
        kept.studio.submit(decode(GenerationRequest, asked), PersonId("ann"))
    assert [path for path in kept.paths.values() if path in str(refused.value)] == []


@pytest.mark.usefixtures("answers")
def test_the_log_holds_no_secret(kept: Kept, log: list[str]) -> None:
    text = "\n".join(log)
    assert len(log) > 5
    assert [name for name, secret in kept.secrets.items() if secret in text] == []
