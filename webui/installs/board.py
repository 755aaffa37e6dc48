"""The tasks under way: each in a thread of its own while it works, told to whoever watches."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from webui.core.errors import GessoError, InvalidRequest, NotFound
from webui.installs.line import Line, Stopped
from webui.installs.source import Source
from webui.installs.task import Purpose, Task, TaskState

log = logging.getLogger(__name__)

MOST_OPEN: Final = 20
MOST_OVER: Final = 20
TELL_S: Final = 0.2

Step = Callable[[Task, Line], Task]


class Board:
    """All tasks of this run of the server. Usable from any thread."""

    def __init__(self, tell: Callable[[Task], object]) -> None:
        self._tell: Final = tell
        self._lock: Final = threading.RLock()
        self._tasks: Final[dict[str, Task]] = {}
        self._lines: Final[dict[str, Line]] = {}
        self._threads: Final[dict[str, threading.Thread]] = {}
        self._told: Final[dict[str, float]] = {}
        self._is_closing = False

    def all(self) -> list[Task]:
        """All tasks, the oldest first."""
        with self._lock:
            return list(self._tasks.values())

    def get(self, id: str) -> Task:
        """One task. Raises NotFound."""
        with self._lock:
            if id not in self._tasks:
                raise NotFound("installation", id)
            return self._tasks[id]

    def open(self, purpose: Purpose, source: Source | None, extension: str = "") -> Task:
        """A new task. Raises InvalidRequest when too many are open."""
        with self._lock:
            if sum(not task.state.is_over for task in self._tasks.values()) >= MOST_OPEN:
                raise InvalidRequest(
                    "", f"{MOST_OPEN} installations are open. End some of them before another."
                )
            task = Task(
                id=secrets.token_hex(6),
                purpose=purpose,
                state=TaskState.FETCHING,
                created_at=time.time(),
                source=source,
                extension=extension,
            )
            self._tasks[task.id] = task
            self._drop_old()
        return task

    def run(self, id: str, state: TaskState, step: Step, after: Iterable[TaskState] = ()) -> Task:
        """Do a step of a task in a thread; it is in `state` meanwhile, and in that of the task that
        the step gives back after it. Raises InvalidRequest if it is in none of `after`."""
        with self._lock:
            task = self.get(id)
            if after and task.state not in after:
                raise InvalidRequest("", _not_now(task))
            if self._is_closing:
                raise InvalidRequest("", "The server ends just now. Try again after its start.")
            task = self._keep(replace(task, state=state, fraction=0.0, note=""))
            line = self._lines[id] = Line(lambda fraction, note: self._show(id, fraction, note))
            thread = threading.Thread(
                target=self._work, args=(task, line, step), name=f"install-{id}", daemon=True
            )
            self._threads[id] = thread
            thread.start()
        return task

    def stop(self, id: str) -> Task:
        """Cancel a task. One that works ends soon. Raises NotFound."""
        with self._lock:
            task, line = self.get(id), self._lines.get(id)
            if task.state.is_waiting:
                return self._keep(replace(task, state=TaskState.CANCELLED))
        if line is not None:
            line.stop()
        return task

    def forget(self, id: str) -> None:
        """Drop a task that is over."""
        with self._lock:
            self._tasks.pop(id, None)

    def close(self) -> None:
        """Cancel all and wait for them."""
        with self._lock:
            self._is_closing = True
            lines, threads = list(self._lines.values()), list(self._threads.values())
        for line in lines:
            line.stop()
        for thread in threads:
            thread.join()

    def wait(self, id: str) -> Task:
        """The task when its present step is done."""
        with self._lock:
            thread = self._threads.get(id)
        if thread is not None:
            thread.join()
        return self.get(id)

    def _work(self, task: Task, line: Line, step: Step) -> None:
        try:
            done = step(task, line)
        except Stopped:
            done = replace(task, state=TaskState.CANCELLED, note="")
        except GessoError as error:
            done = replace(task, state=TaskState.FAILED, note=str(error))
        except OSError as error:
            why = f"The disk can't be written to or read ({error.strerror or error})."
            done = replace(task, state=TaskState.FAILED, note=why)
        except Exception:  # the border of the thread
            log.exception("The installation %s failed.", task.id)
            done = replace(task, state=TaskState.FAILED, note="Something went wrong inside Gesso.")
        with self._lock:
            self._lines.pop(task.id, None)
            self._keep(done)

    def _show(self, id: str, fraction: float, note: str) -> None:
        with self._lock:
            task = self._tasks[id] = replace(self._tasks[id], fraction=fraction, note=note)
            now = time.monotonic()
            if now - self._told.get(id, 0.0) < TELL_S:
                return
            self._told[id] = now
        self._tell(task)

    def _keep(self, task: Task) -> Task:
        with self._lock:
            self._tasks[task.id] = task
        self._tell(task)
        return task

    def _drop_old(self) -> None:
        over = [task.id for task in self._tasks.values() if task.state.is_over]
        for id in over[: max(0, len(over) - MOST_OVER)]:
            del self._tasks[id]


def _not_now(task: Task) -> str:
    return f"This installation is at “{task.state.value}”, where that can't be done."
