"""What the API says of installing extensions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webui.extend.manifest import Kind, Permission, RunMode
from webui.extend.watch import Sighting
from webui.installs.doctor import Outcome
from webui.installs.lockfile import Entry, Version
from webui.installs.packages.conflict import Conflict, WayOut
from webui.installs.review import Changes, Review
from webui.installs.scan import MEANINGS, Finding, Sign
from webui.installs.snapshots import Snapshot
from webui.installs.source import Source, SourceKind
from webui.installs.task import Purpose, Task, TaskState
from webui.installs.trash import KEPT_DAYS, Removed

MOST_PLACES = 20
MOST_FILES = 500


@dataclass(frozen=True, kw_only=True)
class SourceView:
    """Where it comes from; `commit` is empty where there are none."""

    kind: SourceKind
    address: str
    ref: str
    commit: str
    is_linked: bool
    has_submodules: bool


@dataclass(frozen=True, kw_only=True)
class FindingView:
    """What strikes the eye in the code, by kind: `meaning` in words, how often, the first places.
    `line` is 0 where a whole file is meant."""

    sign: Sign
    meaning: str
    count: int
    places: Sequence[Finding]


@dataclass(frozen=True, kw_only=True)
class FileView:
    """A file of the extension."""

    name: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class ReviewView:
    """All that the owner should see before anything runs. `changes` is null for a new one; its
    `reasons` say why an update has to be looked at again."""

    id: str
    name: str
    version: str
    kind: Kind
    run: RunMode
    description: str
    folder: str
    fingerprint: str
    file_count: int
    bytes: int
    files: Sequence[FileView]
    licence: str
    authors: Sequence[str]
    homepage: str
    permissions: Mapping[str, Permission]
    requirements: Sequence[str]
    optional: Mapping[str, Sequence[str]]
    unread: Sequence[str]
    findings: Sequence[FindingView]
    install_script: str
    warnings: Sequence[str]
    changes: Changes | None


@dataclass(frozen=True, kw_only=True)
class WayView:
    """A way out of a conflict. For `leave_out` send `subject` in `left_out` and examine again."""

    way: WayOut
    subject: str
    label: str


@dataclass(frozen=True, kw_only=True)
class ConflictView:
    """Packages that don't go together."""

    sentence: str
    parties: Sequence[str]
    ways: Sequence[WayView]
    details: str


@dataclass(frozen=True, kw_only=True)
class VerdictView:
    """What a trial showed."""

    outcome: Outcome
    summary: str
    notes: Sequence[str]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ChoicesView:
    """What the owner chose for the trial."""

    groups: Sequence[str]
    left_out: Sequence[str]
    is_lenient: bool
    runs_script: bool


@dataclass(frozen=True, kw_only=True)
class TaskView:
    """A change of the set on its way. `review` is there from the state `review` on, `packages` and
    `verdict` from `examined` on. `note` says what it does, or why it failed."""

    id: str
    purpose: Purpose
    state: TaskState
    is_over: bool
    created_at: float
    source: SourceView | None
    extension: str
    fraction: float
    note: str
    choices: ChoicesView
    review: ReviewView | None
    conflict: ConflictView | None
    packages: Sequence[str]
    verdict: VerdictView | None
    script_output: str


@dataclass(frozen=True, kw_only=True)
class VersionView:
    """One state of an installed extension."""

    version: str
    source: SourceView
    installed_at: float
    tree_sha256: str
    requirements: Sequence[str]
    left_out: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class SightingView:
    """What an extension did without having declared it: `what` is "network" or "subprocess",
    `detail` the host or the program."""

    what: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class InstalledView:
    """An installed extension. `previous` is what a rollback brings back; null when there is none.
    `newest_commit` is what its source had when it was last asked (`checked_at`)."""

    id: str
    name: str
    folder: str
    now: VersionView
    previous: VersionView | None
    can_update: bool
    has_update: bool
    newest_commit: str
    checked_at: float | None
    known_bad: Sequence[str]
    sightings: Sequence[SightingView]


@dataclass(frozen=True, kw_only=True)
class RemovedView:
    """A removed extension; gone for good at `kept_until`."""

    id: str
    extension: str
    name: str
    version: str
    removed_at: float
    kept_until: float


@dataclass(frozen=True, kw_only=True)
class SnapshotView:
    """A saved set."""

    id: str
    name: str
    made_at: float
    extensions: Sequence[str]
    enabled: Sequence[str]


def task_view(task: Task) -> TaskView:
    """A task as the API shows it."""
    return TaskView(
        id=task.id,
        purpose=task.purpose,
        state=task.state,
        is_over=task.state.is_over,
        created_at=task.created_at,
        source=source_view(task.source) if task.source else None,
        extension=task.extension,
        fraction=task.fraction,
        note=task.note,
        choices=ChoicesView(
            groups=task.choices.groups,
            left_out=task.choices.left_out,
            is_lenient=task.choices.is_lenient,
            runs_script=task.choices.runs_script,
        ),
        review=_review_view(task.review) if task.review else None,
        conflict=_conflict_view(task.conflict) if task.conflict else None,
        packages=task.packages,
        verdict=_verdict_view(task),
        script_output=task.script_output,
    )


def installed_view(
    entry: Entry, known_bad: Sequence[str], sightings: Sequence[Sighting]
) -> InstalledView:
    """An installed extension as the API shows it."""
    has_previous = entry.previous is not None and bool(entry.previous.kept)
    return InstalledView(
        id=entry.id,
        name=entry.name,
        folder=entry.folder,
        now=_version_view(entry.now),
        previous=_version_view(entry.previous) if entry.previous and has_previous else None,
        can_update=entry.now.source.can_update,
        has_update=entry.has_update,
        newest_commit=entry.newest_commit,
        checked_at=entry.checked_at,
        known_bad=known_bad,
        sightings=[SightingView(what=each.what, detail=each.detail) for each in sightings],
    )


def removed_view(removed: Removed) -> RemovedView:
    """A removed extension as the API shows it."""
    return RemovedView(
        id=removed.id,
        extension=removed.entry.id,
        name=removed.entry.name,
        version=removed.entry.now.version,
        removed_at=removed.removed_at,
        kept_until=removed.removed_at + KEPT_DAYS * 86400,
    )


def snapshot_view(snapshot: Snapshot) -> SnapshotView:
    """A saved set as the API shows it."""
    return SnapshotView(
        id=snapshot.id,
        name=snapshot.name,
        made_at=snapshot.made_at,
        extensions=[entry.id for entry in snapshot.entries],
        enabled=snapshot.enabled,
    )


def source_view(source: Source) -> SourceView:
    """A source as the API shows it."""
    return SourceView(
        kind=source.kind,
        address=source.address,
        ref=source.ref,
        commit=source.commit,
        is_linked=source.is_linked,
        has_submodules=source.has_submodules,
    )


def _review_view(review: Review) -> ReviewView:
    return ReviewView(
        id=review.id,
        name=review.name,
        version=review.version,
        kind=review.kind,
        run=review.run,
        description=review.description,
        folder=review.folder,
        fingerprint=review.fingerprint,
        file_count=review.file_count,
        bytes=review.bytes,
        files=[FileView(name=f.name, bytes=f.bytes) for f in review.files[:MOST_FILES]],
        licence=review.licence,
        authors=review.authors,
        homepage=review.homepage,
        permissions=review.permissions,
        requirements=review.requirements,
        optional=review.optional,
        unread=review.unread,
        findings=_finding_views(review.findings),
        install_script=review.install_script,
        warnings=review.warnings,
        changes=review.changes,
    )


def _finding_views(findings: Sequence[Finding]) -> list[FindingView]:
    counts = Counter(finding.sign for finding in findings)
    return [
        FindingView(
            sign=sign,
            meaning=MEANINGS[sign],
            count=counts[sign],
            places=[each for each in findings if each.sign is sign][:MOST_PLACES],
        )
        for sign in Sign
        if counts[sign]
    ]


def _conflict_view(conflict: Conflict) -> ConflictView:
    return ConflictView(
        sentence=conflict.sentence,
        parties=conflict.parties,
        ways=[WayView(way=w.way, subject=w.subject, label=w.label) for w in conflict.ways],
        details=conflict.details,
    )


def _verdict_view(task: Task) -> VerdictView | None:
    verdict = task.verdict
    if verdict is None:
        return None
    return VerdictView(
        outcome=verdict.outcome,
        summary=verdict.summary,
        notes=verdict.notes,
        seconds=verdict.seconds,
    )


def _version_view(version: Version) -> VersionView:
    return VersionView(
        version=version.version,
        source=source_view(version.source),
        installed_at=version.installed_at,
        tree_sha256=version.tree_sha256,
        requirements=version.needs.requirements,
        left_out=version.needs.left_out,
    )
