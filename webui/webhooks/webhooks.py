"""Calls the webhooks when jobs are over. One thread sends, so a slow receiver delays others'
calls at most by its silence, and never a job."""

from __future__ import annotations

import hashlib
import hmac
import logging
import threading
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from webui.core.errors import DiskFull, NotFound
from webui.core.events import Cancelled, Failed, Finished, Message
from webui.core.job import Job, JobId, JobState
from webui.net.faults import FetchCut, FetchRefused
from webui.net.fetch import Fetcher
from webui.net.guard import Guard
from webui.webhooks.hook import Call, Facts, Hook, HookId, HookWish, Occasion
from webui.webhooks.store import HookStore

log = logging.getLogger(__name__)

SILENCE_S: Final = 10.0
RETRY_S: Final = 30.0
"""After a fault of our own, a full disk for example."""
SIGNATURE: Final = "X-Gesso-Signature"
CALL_ID: Final = "X-Gesso-Call"
OCCASIONS: Final = ((Finished, Occasion.FINISHED), (Failed, Occasion.FAILED),
                    (Cancelled, Occasion.CANCELLED))  # fmt: skip
"""Which event of a job is which occasion."""
ENDS: Final = MappingProxyType(
    {
        JobState.DONE: Occasion.FINISHED,
        JobState.FAILED: Occasion.FAILED,
        JobState.CANCELLED: Occasion.CANCELLED,
    }
)


class Webhooks:
    """The webhooks of a server. Usable from any thread."""

    def __init__(
        self,
        store: HookStore,
        guard: Guard,
        job: Callable[[JobId], Job],
        pictures: Callable[[JobId], list[str]],
        ended_since: Callable[[float], list[Job]],
    ) -> None:
        """`guard` says where may be called, `job` gives a job, `pictures` the ids of its own,
        `ended_since` the jobs that were over at a time or later."""
        self._store: Final = store
        self._fetcher: Final = Fetcher(guard=guard, token_for=lambda _: "", silence_s=SILENCE_S)
        self._guard: Final = guard
        self._job: Final = job
        self._pictures: Final = pictures
        self._ended_since: Final = ended_since
        self._has_caught_up = False
        self._bell: Final = threading.Event()
        self._ended: list[tuple[JobId, Occasion]] = []
        self._lock: Final = threading.Lock()
        self._is_closed = False
        self._thread: Final = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Send what an earlier life of the server left, and what comes."""
        self._thread.start()

    def close(self) -> None:
        """Stop sending; what was not sent is sent after the next start."""
        self._is_closed = True
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join(SILENCE_S + 1)
        self._store.close()

    def hear(self, message: Message) -> None:
        """For the bus: takes note of jobs that are over. Never blocks."""
        for kind, occasion in OCCASIONS:
            if isinstance(message.event, kind):
                with self._lock:
                    self._ended.append((JobId(message.job_id), occasion))
                self._bell.set()

    def add(self, wish: HookWish) -> Hook:
        """A new webhook. Raises FetchRefused for an address that may not be called."""
        self._guard.target(wish.address)
        return self._store.add(wish)

    def all(self) -> list[Hook]:
        """All webhooks."""
        return self._store.all()

    def remove(self, id: HookId) -> None:
        """Forget a webhook. Raises NotFound."""
        self._store.remove(self._store.get(id).id)

    def test(self, id: HookId) -> Hook:
        """Call a webhook once, now, to see whether it works; its `fault` says what is wrong.

        Raises NotFound. Takes as long as the receiver does: not for the loop.
        """
        hook = self._store.get(id)
        call = Call(id="test", hook=id, body='{"event": "test"}', attempts=0)
        self._send(hook, call)
        return self._store.get(id)

    def _run(self) -> None:
        while not self._is_closed:
            self._bell.clear()
            try:
                self._catch_up()
                self._take_ended()
                self._send_due()
                wait = self._store.wait_s()
            except DiskFull:
                wait = RETRY_S
            except Exception:
                log.exception("Webhooks can't be called just now; it is tried again.")
                wait = RETRY_S
            if wait != 0 and not self._is_closed:
                self._bell.wait(wait)

    def _catch_up(self) -> None:
        """Once: write down the ends of jobs that an earlier life of the server did not come to."""
        is_needed = not self._has_caught_up and self._store.all()
        for job in self._ended_since(self._store.told_since()) if is_needed else ():
            occasion, ended = ENDS[job.state], job.finished_at or 0.0
            hooks = [hook for hook in self._hooks(occasion) if hook.created_at <= ended]
            self._tell(hooks, job.id, occasion)
        self._has_caught_up = True

    def _take_ended(self) -> None:
        """Write down whom to tell of the jobs that ended."""
        while self._ended:
            id, occasion = self._ended[0]
            self._tell(self._hooks(occasion), id, occasion)
            with self._lock:
                self._ended.pop(0)

    def _hooks(self, occasion: Occasion) -> list[Hook]:
        return [hook for hook in self._store.all() if occasion in hook.occasions]

    def _tell(self, hooks: list[Hook], id: JobId, occasion: Occasion) -> None:
        if not hooks:
            return
        try:
            facts = self._facts(self._job(id), occasion)
        except NotFound:
            return
        self._store.tell(hooks, id, facts)

    def _facts(self, job: Job, occasion: Occasion) -> Facts:
        """No prompt and no reason, which may quote one: it leaves the machine."""
        return {
            "event": occasion.value,
            "job": job.id,
            "person": job.owner,
            "mode": job.recipe.mode,
            "model": job.recipe.model.name,
            "pictures": self._pictures(job.id),
            "created_at": job.created_at,
            "finished_at": job.finished_at,
        }

    def _send_due(self) -> None:
        """Send all that is due."""
        while not self._is_closed and (call := self._store.due()) is not None:
            self._send(self._store.get(call.hook), call)

    def _send(self, hook: Hook, call: Call) -> None:
        body = call.body.encode()
        headers = {"Content-Type": "application/json", CALL_ID: call.id}
        if hook.secret:
            headers[SIGNATURE] = signature(hook.secret, body)
        try:
            answer = self._fetcher.post(hook.address, body, headers)
        except FetchRefused as error:
            self._store.failed(call, str(error), is_final=True)
        except FetchCut as error:
            self._store.failed(call, str(error))
        else:
            answer.close()
            if 200 <= answer.status < 300:
                self._store.arrived(call)
            else:
                self._store.failed(call, f"It answered {answer.status}.")


def signature(secret: str, body: bytes) -> str:
    """What proves that a call comes from whoever knows the secret: HMAC-SHA256 of the body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
