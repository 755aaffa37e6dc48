"""The packages of all extensions: which are needed, brought together, put to use."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from webui.core.errors import ExtensionFailed, InvalidRequest
from webui.extend.packages import announce_packages, use_packages
from webui.extend.worker.environment import WORKERS
from webui.extend.worker.environment import build as build_environment
from webui.installs.known_bad import KnownBad
from webui.installs.line import Line
from webui.installs.packages.conflict import Conflict, WayOut
from webui.installs.packages.explain import Explainer
from webui.installs.packages.host import Host, fits
from webui.installs.packages.overlay import Overlay
from webui.installs.packages.resolve import Resolved, Resolver, Unsatisfiable, Wish
from webui.installs.packages.uv import Uv
from webui.installs.trees import move_tree, remove_tree

log = logging.getLogger(__name__)

MOST_LEFT_OUT: Final = 30


class Disagreement(InvalidRequest):
    """Packages that don't go together."""

    def __init__(self, conflict: Conflict) -> None:
        super().__init__("packages", conflict.sentence)
        self.conflict = conflict


@dataclass(frozen=True)
class Packages:
    """The packages in a folder. Usable from any thread."""

    folder: Path
    ask_host: Callable[[], Host]
    ask_uv: Callable[[], Uv]
    known_bad: KnownBad

    def start(self) -> None:
        """Clear what a kill left, and let this process and its children find the set in use; one
        that turned out to do harm is not used."""
        self._overlay.start()
        bad = self.known_bad.in_packages(self.pins())
        for reason in bad:
            log.error("%s Packages of extensions are not used until it is gone.", reason)
        if not bad:
            announce_packages(self.folder)

    def resolve(self, new: Wish, others: Sequence[Wish], line: Line) -> Resolved:
        """What all need together. Raises Disagreement, InvalidRequest for what is known to do
        harm, PackagesUnreachable, Stopped."""
        wishes = [wish for wish in (*others, new) if not wish.is_worker]
        if not any(wish.wanted for wish in wishes):
            return Resolved(lock="", pins=())
        try:
            resolved = self._resolver.resolve(wishes, line)
        except Unsatisfiable as error:
            explainer = Explainer(resolver=self._resolver)
            raise Disagreement(explainer.explain(new, others, error.said, line)) from error
        self._refuse_bad(resolved)
        return resolved

    def resolve_leniently(
        self, new: Wish, others: Sequence[Wish], line: Line
    ) -> tuple[Wish, Resolved, tuple[str, ...]]:
        """What all need together when the new one does without what does not go: its wish less
        that, and a sentence for each. Raises as `resolve` when there is no such way out."""
        said: list[str] = []
        new = replace(new, left_out=(*new.left_out, *self._against_host(new, said)))
        for _ in range(MOST_LEFT_OUT):
            try:
                return new, self.resolve(new, others, line), tuple(said)
            except Disagreement as error:
                ways = [w.subject for w in error.conflict.ways if w.way is WayOut.LEAVE_OUT]
                if not ways or ways[0] in new.left_out:
                    raise
                said.append(f"{ways[0]} ({error.conflict.reason.rstrip('.')})")
                new = replace(new, left_out=(*new.left_out, ways[0]))
        return new, self.resolve(new, others, line), tuple(said)

    def _against_host(self, new: Wish, said: list[str]) -> list[str]:
        """Packages that it wants in another version than the program's, told at once."""
        found = []
        for text in new.wanted:
            wanted = Requirement(text)
            version = self._host.version(wanted.name)
            if version is not None and not fits(wanted, version):
                found.append(wanted.name)
                said.append(f"{text} (Gesso has {wanted.name} {version})")
        return found

    def build_own(self, wish: Wish, line: Line, folder: Path) -> Path | None:
        """The environment of a worker, made in a folder; None for others. Raises
        InvalidRequest."""
        if not wish.is_worker:
            return None
        line.check()
        more = ("--only-binary", ":all:", "--cache-dir", str(self._uv.cache), *self._uv.options)
        try:
            build_environment(wish.id, wish.wanted, more, folder=folder)
        except ExtensionFailed as error:
            raise InvalidRequest("packages", str(error)) from error
        return folder / wish.id

    def use_own(self, environment: Path) -> None:
        """Put a worker's environment where it is used."""
        target = self.folder / WORKERS / environment.name
        remove_tree(target)
        move_tree(environment, target)

    def drop_own(self, id: str) -> None:
        """Remove a worker's environment, if there is one."""
        with suppress(OSError):
            remove_tree(self.folder / WORKERS / id)

    def build(self, resolved: Resolved, line: Line) -> Path | None:
        """The folder that holds them; see Overlay.build."""
        return self._building.build(resolved, line) if resolved.pins else None

    def use(self, hash: str) -> None:
        """Let this set be the one in use, in this process at once."""
        self._overlay.use(hash)
        use_packages()

    def has(self, hash: str) -> bool:
        """Whether a set can be used again without asking anybody."""
        return self._overlay.has(hash)

    def pins(self) -> tuple[tuple[str, str], ...]:
        """Names and versions of the packages in use."""
        return self._overlay.pins()

    def tidy(self, kept: Sequence[str]) -> None:
        """Remove sets that nothing goes back to."""
        self._overlay.tidy(kept)

    def _refuse_bad(self, resolved: Resolved) -> None:
        pins = [pin.split("==", 1) for pin in resolved.pins]
        if bad := self.known_bad.in_packages((name, version) for name, version in pins):
            raise InvalidRequest("packages", f"{bad[0]} Nothing was changed.")

    @cached_property
    def _host(self) -> Host:
        return self.ask_host()

    @cached_property
    def _uv(self) -> Uv:
        return self.ask_uv()

    @cached_property
    def _resolver(self) -> Resolver:
        work = self.folder / "resolver"
        return Resolver(host=self._host, uv=self._uv, work=work, known_bad=self.known_bad)

    @cached_property
    def _building(self) -> Overlay:
        return Overlay(folder=self.folder, uv=self._uv, python=self._host.python)

    @cached_property
    def _overlay(self) -> Overlay:
        """Without uv, which is not needed to look."""
        return Overlay(folder=self.folder, uv=Uv(cache=self.folder), python="")
