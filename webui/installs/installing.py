"""The steps of a task, from an address to an extension that is on."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from webui.core.errors import InvalidRequest
from webui.extend.manifest import Kind, RunMode
from webui.extend.worker.environment import WORKERS
from webui.installs.consent import run_script
from webui.installs.doctor import Doctor
from webui.installs.line import Line
from webui.installs.lockfile import Entry, LockFile, Needs, Version
from webui.installs.names import check_path
from webui.installs.own_files import carry_over, read_list, write_list
from webui.installs.packages.packages import Disagreement, Packages
from webui.installs.packages.resolve import Resolved, Wish
from webui.installs.placing import Change, Placer, copy_aside
from webui.installs.review import Review, changes_between, review_of
from webui.installs.source import Source, name_of
from webui.installs.surroundings import Surroundings
from webui.installs.task import Choices, Purpose, Task, TaskState
from webui.installs.trees import is_link, remove_tree, tree_hash


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an examination found, kept for the owner's yes."""

    tree: Path
    wish: Wish
    others: tuple[Wish, ...]
    resolved: Resolved
    own: Path | None
    """The environment of a worker."""


class Installing:
    """The steps. What it holds of open tasks is theirs alone; changes of the set come one by
    one."""

    def __init__(
        self, around: Surroundings, lock: LockFile, packages: Packages, placer: Placer
    ) -> None:
        self._around: Final = around
        self._lock: Final = lock
        self._packages: Final = packages
        self._placer: Final = placer
        self._plans: Final[dict[str, Plan]] = {}
        self._trees: Final[dict[str, Path]] = {}
        self.doctor: Doctor = around.doctor
        """Who tries extensions out; whoever stands above installing may name another."""
        self.changing: Final = threading.RLock()
        """Held while the set changes."""

    def quarantine(self, task: Task) -> Path:
        """The task's own folder in quarantine."""
        return self._around.places.quarantine / task.id

    def fetch(self, task: Task, line: Line) -> Task:
        """Bring it into quarantine and look at it."""
        if task.source is None:
            raise InvalidRequest("address", "There is no source. Name one.")
        folder = self.quarantine(task) / "files"
        source, tree = self._around.fetching.fetch(task.source, folder, line)
        line.tell(0.9, "Looking through the files")
        review = self._reviewed(task, source, tree)
        self._trees[task.id] = tree
        return replace(
            task, state=TaskState.REVIEW, source=source, extension=review.id, review=review, note=""
        )

    def examine(self, task: Task, choices: Choices, line: Line) -> Task:
        """Bring its packages together and try it out. In REVIEW again, with the reason, when that
        can't be."""
        try:
            return self._examine(task, choices, line)
        except Disagreement as error:
            conflict, note = error.conflict, ""
        except InvalidRequest as error:
            conflict, note = None, str(error)
        waiting = replace(task, state=TaskState.REVIEW, choices=choices, packages=(), verdict=None)
        return replace(waiting, conflict=conflict, note=note)

    def _examine(self, task: Task, choices: Choices, line: Line) -> Task:
        tree, review = self._trees[task.id], _review(task)
        task = replace(task, choices=choices, conflict=None, verdict=None)
        wanted = [*review.requirements, *(t for g in choices.groups for t in review.optional[g])]
        if choices.runs_script and review.install_script:
            task, more = self._run_script(task, tree, line)
            wanted, review = [*wanted, *more], _review(task)
        wish = _wish(review, wanted, choices.left_out)
        others = self.wishes(without=review.id)
        line.tell(0.2, "Finding packages that go together")
        if choices.is_lenient:
            wish, resolved, said = self._packages.resolve_leniently(wish, others, line)
            choices = replace(choices, left_out=wish.left_out)
        else:
            resolved, said = self._packages.resolve(wish, others, line), ()
        line.tell(0.4, "Fetching packages" if resolved.pins else "No packages are missing")
        folder = self._packages.build(resolved, line)
        home = self.quarantine(task) / "packages"
        if (own := self._packages.build_own(wish, line, home / WORKERS)) is not None:
            folder = home / "none"
            folder.mkdir(exist_ok=True)
        line.tell(0.6, "Trying it out")
        trial = copy_aside(tree, self.quarantine(task) / "trial")
        verdict = self.doctor.examine(trial, folder, line)
        remove_tree(trial.parent)
        self._plans[task.id] = Plan(tree=tree, wish=wish, others=others, resolved=resolved, own=own)
        return replace(
            task,
            state=TaskState.EXAMINED,
            choices=choices,
            packages=resolved.pins,
            verdict=verdict,
            note=f"Left out: {'; '.join(said)}." if said else "",
        )

    def install(self, task: Task, fingerprint: str, is_enabled: bool, line: Line) -> Task:
        """Put it into its place and switch it on. Raises InvalidRequest; then nothing is
        changed."""
        plan, review = self._plans[task.id], _review(task)
        if fingerprint != review.fingerprint or tree_hash(plan.tree) != fingerprint:
            raise InvalidRequest(
                "fingerprint", "The files are not those that were looked at. Begin again."
            )
        with self.changing:
            others = self.wishes(without=review.id)
            resolved = plan.resolved
            if others != plan.others:  # another one came in meanwhile
                resolved = self._packages.resolve(plan.wish, others, line)
                self._packages.build(resolved, line)
            line.tell(0.5, "Putting it into its place")
            was_on = review.id in self._around.switches.enabled()
            if plan.own is not None:
                self._packages.use_own(plan.own)
            self._place(task, plan, resolved.hash)
            note = self._switch(review.id, was_on=was_on, is_enabled=is_enabled)
        self.drop(task)
        return replace(task, state=TaskState.DONE, fraction=1.0, note=note)

    def drop(self, task: Task) -> None:
        """Clear what a task left in quarantine."""
        self._plans.pop(task.id, None)
        self._trees.pop(task.id, None)
        with suppress(OSError):
            remove_tree(self.quarantine(task))

    def wishes(self, without: str = "") -> tuple[Wish, ...]:
        """What the installed ones ask of packages."""
        return tuple(
            Wish(
                id=entry.id,
                name=entry.name,
                requirements=entry.now.needs.requirements,
                left_out=entry.now.needs.left_out,
                is_worker=entry.now.needs.is_worker,
            )
            for entry in self._lock.now.entries
            if entry.id != without
        )

    def swap(self, entry: Entry, line: Line) -> Entry:
        """Go back to the state before; the one in use is kept in its place. Raises
        InvalidRequest, Disagreement, PackagesUnreachable."""
        previous = entry.previous
        staged = self._around.places.versions / (previous.kept if previous else "")
        if previous is None or not previous.kept or not staged.exists():
            raise InvalidRequest(
                "id", f"There is no earlier state of “{entry.name}” to go back to."
            )
        return self.bring(entry, previous, staged, line)

    def bring(self, entry: Entry, version: Version, staged: Path, line: Line) -> Entry:
        """Put the files of a state that was agreed to before in place. Raises as `swap`."""
        with self.changing:
            wish = Wish(
                id=entry.id,
                name=entry.name,
                requirements=version.needs.requirements,
                left_out=version.needs.left_out,
                is_worker=version.needs.is_worker,
            )
            resolved = self._packages.resolve(wish, self.wishes(without=entry.id), line)
            self._packages.build(resolved, line)
            home = self._around.places.quarantine / f"again-{entry.id}"
            if (own := self._packages.build_own(wish, line, home)) is not None:
                self._packages.use_own(own)
            was_on = entry.id in self._around.switches.enabled()
            changed = self._change(entry, version, staged, resolved.hash)
            self._placer.put(changed)
            self._switch(entry.id, was_on=was_on, is_enabled=was_on)
        return self._lock.get(entry.id)

    def _reviewed(self, task: Task, source: Source, tree: Path) -> Review:
        review = review_of(tree, name_of(source))
        check_path(review.folder)
        if bad := self._around.known_bad.in_source(source):
            raise InvalidRequest("address", f"{bad[0]} It is not installed.")
        entry = self._lock.find(review.id)
        if task.purpose is Purpose.UPDATE:
            if review.id != task.extension or entry is None:
                raise InvalidRequest(
                    "address", f"The source holds “{review.id}” now, not “{task.extension}”."
                )
            old_tree = self._placer.target(entry)
            old = review_of(old_tree, entry.folder.removesuffix(".py"))
            changes = changes_between(old, old_tree, review, tree)
            review = replace(review, changes=changes, folder=entry.folder)
        else:
            self._refuse_taken(review, entry)
        return review

    def _refuse_taken(self, review: Review, entry: Entry | None) -> None:
        target = self._around.places.extensions / review.folder
        if entry is not None:
            raise InvalidRequest(
                "address", f"“{entry.name}” is installed already. Update it, or uninstall it first."
            )
        if self._around.switches.is_taken(review.id) or target.exists() or is_link(target):
            raise InvalidRequest(
                "address",
                f"There is an extension “{review.id}” already, which was not installed here. Take "
                f"“{review.folder}” out of the extensions folder first.",
            )

    def _run_script(self, task: Task, tree: Path, line: Line) -> tuple[Task, Sequence[str]]:
        """Run its install.py, as the owner agreed; the files are looked at again after it."""
        line.tell(0.1, "Running its install.py")
        others = self.wishes(without=task.extension)

        def provide(texts: Sequence[str]) -> Path | None:
            wish = _wish(_review(task), texts, task.choices.left_out)
            return self._packages.build(self._packages.resolve(wish, others, line), line)

        ran = run_script(tree, provide, self._around.script_roots, line)
        review = replace(review_of(tree), warnings=_review(task).warnings)
        review = replace(review, changes=_review(task).changes, folder=_review(task).folder)
        task = replace(task, review=review, script_output=ran.output)
        return task, ran.requirements

    def _place(self, task: Task, plan: Plan, packages: str) -> None:
        review, source = _review(task), task.source
        if source is None:
            raise InvalidRequest("address", "There is no source. Name one.")
        version = Version(
            source=source,
            version=review.version,
            tree_sha256=review.fingerprint,
            installed_at=time.time(),
            needs=Needs(
                requirements=plan.wish.requirements,
                left_out=plan.wish.left_out,
                is_worker=plan.wish.is_worker,
            ),
            grants=review.grants,
        )
        entry = self._lock.find(review.id) or Entry(
            id=review.id, name=review.name, folder=review.folder, now=version
        )
        entry = replace(entry, name=review.name)
        self._placer.put(self._change(entry, version, plan.tree, packages))

    def _change(self, entry: Entry, version: Version, staged: Path, packages: str) -> Change:
        """The change that puts `version` in place of what is there, which is kept."""
        places, target = self._around.places, self._placer.target(entry)
        link = version.source.address if version.source.is_linked else ""
        keep, before = "", entry.previous
        if not link:
            write_list(places.listed, version.tree_sha256, staged)
        if target.exists() or is_link(target):
            keep = f"{entry.id}-{secrets.token_hex(4)}"
            before = replace(entry.now, kept="" if is_link(target) else keep)
            if not link and not is_link(target):
                carry_over(target, read_list(places.listed, entry.now.tree_sha256), staged)
        changed = replace(entry, now=replace(version, kept=""), previous=before, newest_commit="")
        return Change(
            entry=changed,
            staged=str(staged),
            sha256="" if link else tree_hash(staged),
            keep=keep,
            link=link,
            packages=packages,
        )

    def _switch(self, id: str, *, was_on: bool, is_enabled: bool) -> str:
        """Let the change show; why it is not on although it should be."""
        switches = self._around.switches
        switches.scan()
        if was_on:
            return switches.reload(id)
        return switches.enable(id) if is_enabled else ""


def _wish(review: Review, requirements: Sequence[str], left_out: Sequence[str]) -> Wish:
    return Wish(
        id=review.id,
        name=review.name,
        requirements=tuple(dict.fromkeys(requirements)),
        left_out=tuple(left_out),
        is_native=review.kind is Kind.NATIVE,
        is_worker=review.run is RunMode.WORKER,
    )


def _review(task: Task) -> Review:
    if task.review is None:
        raise InvalidRequest("", "It has not been looked at yet. Wait for its review.")
    return task.review
