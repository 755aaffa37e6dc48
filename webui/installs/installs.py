"""Everything that changes the set of extensions: the one place that the API and the command line
ask. Nothing is fetched, asked or changed that a person did not ask for.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from webui.core.errors import InvalidRequest, NotFound
from webui.extend.watch import Sighting
from webui.installs.board import Board, Step
from webui.installs.doctor import Doctor
from webui.installs.index import Indexes
from webui.installs.installing import Installing
from webui.installs.line import Line
from webui.installs.lockfile import Entry, LockFile
from webui.installs.packages.packages import Packages
from webui.installs.placing import Placer
from webui.installs.restoring import Restoring
from webui.installs.snapshots import Snapshot, Snapshots
from webui.installs.source import Asked, Source, SourceKind, name_of, read_asked
from webui.installs.surroundings import Surroundings
from webui.installs.task import Choices, Purpose, Task, TaskState
from webui.installs.trash import Removed, Trash
from webui.installs.trees import remove_tree
from webui.installs.updates import Updates

log = logging.getLogger(__name__)

MOST_SIGHTINGS: Final = 1000
UPLOADS: Final = (".zip", ".py")


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """The owner's yes to what they were shown: `fingerprint` is that of the review."""

    fingerprint: str
    is_enabled: bool = True


class Installs:
    """The installed extensions of a studio, and what is on its way. Usable from any thread."""

    def __init__(self, around: Surroundings) -> None:
        places = around.places
        self._around: Final = around
        self.lock: Final = LockFile(places.notes)
        self._packages: Final = Packages(places.packages, around.host, around.uv, around.known_bad)
        self._placer: Final = Placer(places=places, lock=self.lock, use_packages=self._packages.use)
        self._installing: Final = Installing(around, self.lock, self._packages, self._placer)
        self._board: Final = Board(around.tell)
        self.trash: Final = Trash(folder=places.trash)
        self.snapshots: Final = Snapshots(folder=places.snapshots)
        self.indexes: Final = Indexes(
            file=places.work / "index.json",
            fetcher=around.fetching.fetcher,
            address=around.index_address,
        )
        self._sightings: Final[deque[Sighting]] = deque(maxlen=MOST_SIGHTINGS)
        self._updates: Final = Updates(lock=self.lock, fetching=around.fetching)

    def start(self) -> None:
        """Settle what a kill left, before any extension is loaded."""
        self._around.places.work.mkdir(parents=True, exist_ok=True)
        self._placer.recover()
        self._packages.start()
        self.trash.tidy(time.time())
        lock = self.lock.now
        self._packages.tidy([lock.packages, lock.previous_packages])
        self._placer.tidy(e.previous.kept for e in lock.entries if e.previous is not None)

    def use_doctor(self, doctor: Doctor) -> None:
        """Let `doctor` try extensions out from now on."""
        self._installing.doctor = doctor

    def close(self) -> None:
        """End what is on its way; nothing of it is kept."""
        self._board.close()

    def known_bad(self) -> list[tuple[str, str]]:
        """What is installed and known to do harm: ids of extensions, each with the reason; an empty
        id for a package that several may use."""
        bad = self._around.known_bad
        found = [("", reason) for reason in bad.in_packages(self._packages.pins())]
        for entry in self.lock.now.entries:
            found += [(entry.id, reason) for reason in bad.in_source(entry.now.source)]
        return found

    def saw(self, sighting: Sighting) -> None:
        """Keep what an extension did undeclared."""
        self._sightings.append(sighting)

    def sightings(self, id: str) -> list[Sighting]:
        """What an extension did undeclared since the server started."""
        return [each for each in list(self._sightings) if each.extension == id]

    def tasks(self) -> list[Task]:
        """What is on its way, and what was lately; the oldest first."""
        return self._board.all()

    def task(self, id: str) -> Task:
        """One task. Raises NotFound."""
        return self._board.get(id)

    def wait(self, id: str) -> Task:
        """A task when it is the owner's turn or it is over; for the command line and tests."""
        return self._board.wait(id)

    def begin(self, asked: Asked) -> Task:
        """Fetch an extension into quarantine. Raises InvalidRequest."""
        return self._fetch(Purpose.INSTALL, read_asked(asked))

    def begin_upload(self, name: str, data: bytes) -> Task:
        """Take a zip or .py file that was sent. Raises InvalidRequest."""
        clean = Path(name.replace("\\", "/")).name
        suffix = Path(clean).suffix.lower()
        if suffix not in UPLOADS or not data:
            raise InvalidRequest("name", f"“{clean[:100]}” is neither a .zip nor a .py file.")
        kind = SourceKind.ZIP if suffix == ".zip" else SourceKind.FILE
        source = Source(kind=kind, address=clean[:200], is_uploaded=True)
        return self._fetch(Purpose.INSTALL, source, data=data)

    def begin_update(self, id: str, ref: str = "") -> Task:
        """Fetch the newest state of an installed extension into quarantine. Raises NotFound,
        InvalidRequest."""
        entry = self.lock.get(id)
        source = replace(entry.now.source, commit="", ref=ref or entry.now.source.ref)
        if source.is_uploaded or source.is_linked:
            raise InvalidRequest(
                "id",
                f"“{entry.name}” has no place to ask: it was "
                f"{'sent as a file' if source.is_uploaded else 'linked'}. Install it anew.",
            )
        return self._fetch(Purpose.UPDATE, source, entry.id)

    def examine(self, id: str, choices: Choices) -> Task:
        """Bring the packages of a reviewed extension together and try it out: from here on its code
        may run. Raises NotFound, InvalidRequest."""
        task = self._board.get(id)
        groups = task.review.optional if task.review else {}
        if unknown := [group for group in choices.groups if group not in groups]:
            raise InvalidRequest("groups", f"There is no optional group “{unknown[0]}”.")
        return self._board.run(
            id,
            TaskState.EXAMINING,
            self._cleaned(lambda task, line: self._installing.examine(task, choices, line)),
            after=(TaskState.REVIEW, TaskState.EXAMINED),
        )

    def confirm(self, id: str, yes: Confirmed) -> Task:
        """Put an examined extension into its place. Raises NotFound, InvalidRequest."""
        task = self._board.get(id)
        if task.review is not None and yes.fingerprint != task.review.fingerprint:
            raise InvalidRequest(
                "fingerprint", "This is not what is in quarantine. Look at its review again."
            )
        return self._board.run(
            id,
            TaskState.INSTALLING,
            self._cleaned(
                lambda task, line: self._installing.install(
                    task, yes.fingerprint, yes.is_enabled, line
                )
            ),
            after=(TaskState.EXAMINED,),
        )

    def cancel(self, id: str) -> Task:
        """End a task, or forget one that is over. Raises NotFound."""
        task = self._board.get(id)
        if task.state.is_over:
            self._board.forget(id)
            return task
        task = self._board.stop(id)
        if task.state.is_over:
            self._installing.drop(task)
        return task

    def rollback(self, id: str) -> Entry:
        """Bring the state before back; another call undoes it. Raises NotFound, InvalidRequest,
        Disagreement, PackagesUnreachable."""
        return self._installing.swap(self.lock.get(id), Line())

    def uninstall(self, id: str, *, with_data: bool = False) -> Removed:
        """Take an extension out: its files lie in the trash for a month, its data stays unless
        asked. Raises NotFound, InvalidRequest."""
        with self._installing.changing:
            entry = self.lock.get(id)
            self._around.switches.disable(id)
            try:
                removed = self.trash.put(entry, self._placer.target(entry))
            except OSError as error:
                raise InvalidRequest(
                    "id",
                    f"The files of “{entry.name}” can't be moved ({error.strerror}). It is off "
                    "now; close what uses them, or restart, and try again.",
                ) from error
            self.lock.remove(id)
            self._packages.drop_own(id)
            self._around.switches.scan()
            if with_data and (data := self._around.switches.data(id)).is_dir():
                remove_tree(data)
        return removed

    def bring_back(self, id: str) -> Entry:
        """Put a removed extension back, off. Raises NotFound, InvalidRequest, Disagreement,
        PackagesUnreachable."""
        removed = self.trash.get(id)
        entry, tree = removed.entry, self.trash.tree(removed)
        if self.lock.find(entry.id) or self._placer.target(entry).exists():
            raise InvalidRequest("id", f"There is another “{entry.id}” now. Uninstall it first.")
        if not tree.exists() and not entry.now.source.is_linked:
            raise InvalidRequest("id", f"The files of “{entry.name}” are gone. Install it anew.")
        back = self._installing.bring(replace(entry, previous=None), entry.now, tree, Line())
        with suppress(NotFound, OSError):
            self.trash.forget(id)
        return back

    def check_updates(self) -> Task:
        """Ask the sources of all extensions for something newer."""
        task = self._board.open(Purpose.CHECK, None)
        return self._board.run(task.id, TaskState.FETCHING, self._check)

    def forget_removed(self, id: str) -> None:
        """Delete a removed extension for good. Raises NotFound, InvalidRequest."""
        try:
            self.trash.forget(id)
        except OSError as error:
            raise InvalidRequest(
                "id", f"Its files can't be deleted ({error.strerror}). Close what uses them."
            ) from error

    def save_snapshot(self, name: str) -> Snapshot:
        """Keep the whole set as it is. Raises OSError."""
        enabled = self._around.switches.enabled()
        return self.snapshots.save(name, self.lock.now.entries, sorted(enabled))

    def restore(self, id: str) -> Task:
        """Bring a snapshot's set back. Raises NotFound."""
        snapshot = self.snapshots.get(id)
        task = self._board.open(Purpose.RESTORE, None)
        return self._board.run(
            task.id, TaskState.INSTALLING, lambda task, line: self._restore(task, snapshot, line)
        )

    def _fetch(
        self, purpose: Purpose, source: Source, extension: str = "", data: bytes = b""
    ) -> Task:
        task = self._board.open(purpose, source, extension)
        if data:
            self._put_upload(task, source, data)
        step = self._cleaned(self._installing.fetch)
        return self._board.run(task.id, TaskState.FETCHING, step)

    def _put_upload(self, task: Task, source: Source, data: bytes) -> None:
        folder = self._installing.quarantine(task) / "files"
        folder.mkdir(parents=True)
        is_zip = source.kind is SourceKind.ZIP
        name = "packed.zip" if is_zip else f"{name_of(source)}.py"
        (folder / name).write_bytes(data)

    def _cleaned(self, step: Step) -> Step:
        """The step, after whose failure nothing of the task is left in quarantine."""

        def run(task: Task, line: Line) -> Task:
            try:
                return step(task, line)
            except BaseException:
                self._installing.drop(task)
                raise

        return run

    def _check(self, task: Task, line: Line) -> Task:
        faults = self._updates.check(line)
        return replace(task, state=TaskState.DONE, fraction=1.0, note=" ".join(faults))

    def _restore(self, task: Task, snapshot: Snapshot, line: Line) -> Task:
        restoring = Restoring(
            places=self._around.places,
            lock=self.lock,
            trash=self.trash,
            fetching=self._around.fetching,
            switches=self._around.switches,
            installing=self._installing,
            uninstall=self.uninstall,
        )
        faults = restoring.restore(snapshot, self._installing.quarantine(task), line)
        self._installing.drop(task)
        return replace(task, state=TaskState.DONE, fraction=1.0, note=" ".join(faults))
