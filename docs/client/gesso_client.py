"""A client of Gesso's HTTP API in one file, with nothing but Python's standard library.

Copy it beside your program:

    from gesso_client import Gesso

    gesso = Gesso("http://localhost:7860")  # key="..." for a server that asks who you are
    job = gesso.make(prompt="a red apple, 3d style", width=512, height=512)
    for picture in job["pictures"]:
        Path(picture["name"]).write_bytes(gesso.download(picture["id"]))

What can be asked for is in docs/api.md, and at /api/v1/openapi.json.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, cast

OVER = ("done", "failed", "cancelled")
LONGEST_WAIT_S = 600
RETRY_S = 1.0


class Picture(TypedDict):
    """A picture in a list."""

    id: str
    job_id: str
    index: int
    width: int
    height: int
    prompt: str
    seed: int
    created_at: float
    name: str


class Job(TypedDict):
    """A job as it is now."""

    id: str
    state: str
    reason: str
    position: int
    seconds_left: float | None
    picture_count: int
    pictures: list[Picture]


class Model(TypedDict):
    """A model of the list."""

    id: str
    name: str
    kind: str
    family: str


class GessoError(Exception):
    """A request that was refused. `field` names what was wrong with it, where it was that."""

    def __init__(self, status: int, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.field = field


class JobFailed(GessoError):
    """A job that ended without all its pictures."""

    def __init__(self, job: Job) -> None:
        super().__init__(200, job["reason"] or f"The job was {job['state']}.")
        self.job = job


@dataclass(frozen=True)
class Event:
    """Something that happened. `id` goes into `events(after=...)`."""

    id: str
    kind: str
    data: dict[str, Any]


class Gesso:
    """A studio, by its address."""

    def __init__(
        self, address: str = "http://localhost:7860", key: str = "", timeout_s: float = 60
    ) -> None:
        self._address = address.rstrip("/")
        self._key = key
        self._timeout_s = timeout_s

    def make(self, *, wait_s: float = 3600, **request: Any) -> Job:
        """Make pictures and wait for them. Raises JobFailed, or GessoError for a request that
        can't be carried out. Sent again after a broken connection, it is still one job."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        job = self._again(lambda: self._post_job(request, headers, _piece(wait_s)))
        return self.wait(job["id"], wait_s)

    def submit(self, **request: Any) -> Job:
        """Hand in a job without waiting for it."""
        return self._post_job(request, {}, 0)

    def wait(self, id: str, wait_s: float = 3600) -> Job:
        """A job when it is over. Raises JobFailed, or TimeoutError after so many seconds."""
        end = time.monotonic() + wait_s
        while True:
            left = max(0.0, end - time.monotonic())
            job = self._again(lambda left=left: self.job(id, _piece(left)))  # type: ignore[misc]
            if job["state"] == "done":
                return job
            if job["state"] in OVER:
                raise JobFailed(job)
            if time.monotonic() >= end:
                raise TimeoutError(f"Job {id} is {job['state']} after {wait_s:g} s.")

    def job(self, id: str, wait_s: float = 0) -> Job:
        """A job as it is now, or when it is over within so many seconds."""
        query = {"wait": wait_s} if wait_s else {}
        return cast("Job", self._json("GET", "/api/v1/jobs/{id}", {"id": id}, query=query))

    def jobs(self, limit: int = 10) -> list[Job]:
        """Your newest jobs, newest first."""
        return cast("list[Job]", self._json("GET", "/api/v1/jobs", query={"limit": limit}))

    def cancel(self, id: str) -> Job:
        """End a job; the pictures it has finished stay."""
        return cast("Job", self._json("POST", "/api/v1/jobs/{id}/cancel", {"id": id}))

    def pictures(self, search: str = "", page: int = 100) -> Iterator[Picture]:
        """Your pictures, newest first."""
        query: dict[str, Any] = {"search": search, "limit": page}
        while True:
            answer = self._json("GET", "/api/v1/pictures", query=query)
            yield from answer["pictures"]
            if answer["next"] is None:
                return
            query["before"] = answer["next"]

    def picture(self, id: str) -> dict[str, Any]:
        """A picture with its recipe, its text, and the request that asks for it again."""
        found = self._json("GET", "/api/v1/pictures/{id}", {"id": id})
        return cast("dict[str, Any]", found)

    def download(self, id: str) -> bytes:
        """The file of a picture."""
        return self._bytes("GET", "/pictures/{id}", {"id": id})

    def trash(self, id: str) -> None:
        """Move a picture to the trash."""
        self._bytes("DELETE", "/api/v1/pictures/{id}", {"id": id})

    def restore(self, id: str) -> None:
        """Take a picture out of the trash."""
        self._bytes("POST", "/api/v1/pictures/{id}/restore", {"id": id})

    def upload(self, picture: bytes | Path) -> str:
        """Keep a picture for jobs; the id that goes into `source`, `mask` or `extras`."""
        data = picture.read_bytes() if isinstance(picture, Path) else picture
        return cast("str", self._json("POST", "/api/v1/inputs", body=data)["id"])

    def models(self, kind: str = "checkpoint") -> list[Model]:
        """The models of a kind."""
        return cast("list[Model]", self._json("GET", "/api/v1/models", query={"kind": kind}))

    def state(self) -> dict[str, Any]:
        """Engines, your open jobs, and the disk."""
        return cast("dict[str, Any]", self._json("GET", "/api/v1/state"))

    def events(self, after: str = "") -> Iterator[Event]:
        """What happens, for ever: first `state`, then each event. After a break it goes on with
        what was missed."""
        while True:
            try:
                headers = {"Last-Event-ID": after} if after else {}
                with self._open("GET", "/api/v1/events", headers=headers) as answer:
                    for event in _read_events(answer):
                        after = event.id
                        yield event
            except (urllib.error.URLError, OSError):
                time.sleep(RETRY_S)

    def _post_job(self, request: dict[str, Any], headers: dict[str, str], wait_s: float) -> Job:
        query = {"wait": wait_s} if wait_s else {}
        answer = self._json("POST", "/api/v1/jobs", query=query, body=request, headers=headers)
        return cast("Job", answer)

    def _again(self, ask: Any) -> Any:
        """What `ask` gives; once more after a connection that broke."""
        try:
            return ask()
        except (urllib.error.URLError, OSError):
            time.sleep(RETRY_S)
            return ask()

    def _json(self, verb: str, path: str, names: dict[str, str] | None = None, **more: Any) -> Any:
        return json.loads(self._bytes(verb, path, names, **more))

    def _bytes(
        self, verb: str, path: str, names: dict[str, str] | None = None, **more: Any
    ) -> bytes:
        with self._open(verb, path, names, **more) as answer:
            return cast("bytes", answer.read())

    def _open(
        self,
        verb: str,
        path: str,
        names: dict[str, str] | None = None,
        *,
        query: dict[str, Any] | None = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """The answer, to be closed. Raises GessoError when the request was refused."""
        quoted = {name: urllib.parse.quote(value, safe="") for name, value in (names or {}).items()}
        address = self._address + path.format(**quoted)
        if query:
            address += "?" + urllib.parse.urlencode(query)
        sent = {"X-Gesso": "1", **(headers or {})}
        if self._key:
            sent["Authorization"] = f"Bearer {self._key}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            kind = "application/octet-stream" if data is body else "application/json"
            sent["Content-Type"] = kind
        request = urllib.request.Request(address, data=data, headers=sent, method=verb)
        wait_s = float((query or {}).get("wait", 0))
        try:
            return urllib.request.urlopen(request, timeout=self._timeout_s + wait_s)
        except urllib.error.HTTPError as error:
            raise _refusal(error) from error


def _piece(seconds: float) -> float:
    """As long as one request may wait."""
    return min(seconds, LONGEST_WAIT_S)


def _refusal(error: urllib.error.HTTPError) -> GessoError:
    with error:
        text = error.read().decode(errors="replace")
    try:
        told = json.loads(text)["error"]
        return GessoError(error.code, told["message"], told.get("field"))
    except (ValueError, LookupError, TypeError):
        return GessoError(error.code, text or error.reason)


def _read_events(lines: Any) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.decode().rstrip("\r\n").partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            data = json.loads(fields["data"])
            yield Event(fields.get("id", ""), fields.get("event", ""), data)
            fields = {}
