"""Why packages don't go together, in one sentence that names both parties, and the ways out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement

from webui.installs.line import Line
from webui.installs.packages.conflict import Conflict, Way, WayOut
from webui.installs.packages.host import fits
from webui.installs.packages.resolve import Resolver, Unsatisfiable, Wish

PROGRAM: Final = "Gesso"
MOST_TRIED: Final = 25
_ASKED: Final = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?"
    r"((?:[<>=!~]=?=?[^\s,;]+)(?:,[<>=!~]=?=?[^\s,;]+)*)"
)


@dataclass(frozen=True, kw_only=True)
class Explainer:
    """Finds who can't agree by trying smaller sets of wishes."""

    resolver: Resolver

    def explain(self, new: Wish, others: Sequence[Wish], said: str, line: Line) -> Conflict:
        """The conflict that the wish of a new extension makes. Raises Stopped."""
        alone = self._fault([new], line)
        if alone is not None:
            return self._with_program(new, alone, line)
        for other in others[:MOST_TRIED]:
            if (fault := self._fault([new, other], line)) is not None:
                return self._with_other(new, other, fault)
        return Conflict(
            reason=_plain(said),
            sentence=f"“{new.name}” and the other extensions can't agree on their packages.",
            parties=(new.name, "the other extensions"),
            ways=tuple(_last_ways(new)),
            details=said,
        )

    def _with_program(self, new: Wish, said: str, line: Line) -> Conflict:
        wanted, said = self._culprit(new, said, line)
        ways = [*self._lighter(new, wanted, line), *_last_ways(new)]
        reason = self._reason(wanted, said)
        return Conflict(
            sentence=f"“{new.name}” and {PROGRAM} can't agree: {reason}{_offer(ways)}",
            reason=reason,
            parties=(new.name, PROGRAM),
            ways=tuple(ways),
            details=said,
        )

    def _with_other(self, new: Wish, other: Wish, said: str) -> Conflict:
        shared = [text for text in new.wanted if _names(text) & _all_names(other.wanted)]
        theirs = [text for text in other.wanted if _names(text) & _all_names(shared)]
        ways = [*map(_leave_out, shared), *_last_ways(new, other)]
        reason = _plain(said)
        if shared:
            reason = f"the first needs {', '.join(shared)}, the second {', '.join(theirs)}."
        return Conflict(
            sentence=f"“{new.name}” and “{other.name}” can't agree: {reason}{_offer(ways)}",
            reason=reason,
            parties=(new.name, other.name),
            ways=tuple(ways),
            details=said,
        )

    def _culprit(self, new: Wish, said: str, line: Line) -> tuple[str, str]:
        """The first requirement that fails by itself, and why; empty if only several together
        do."""
        for text in new.wanted[:MOST_TRIED]:
            if (fault := self._fault_of([text], line)) is not None:
                return text, fault
        return "", said

    def _lighter(self, new: Wish, culprit: str, line: Line) -> Iterator[Way]:
        """What could be left out so that the rest goes."""
        tried = [culprit] if culprit else list(new.wanted[:MOST_TRIED])
        for text in tried:
            yield from self._lighter_by_extra(new, text, line)
        for text in tried:
            rest = [other for other in new.wanted if other != text]
            if self._fault_of(rest, line) is None or culprit:
                yield _leave_out(text, self.resolver.host.version(Requirement(text).name))

    def _lighter_by_extra(self, new: Wish, text: str, line: Line) -> Iterator[Way]:
        wanted = Requirement(text)
        for extra in sorted(wanted.extras):
            less = Requirement(text)
            less.extras = wanted.extras - {extra}
            if self._fault_of([str(less)], line) is None:
                yield Way(
                    way=WayOut.LEAVE_OUT,
                    subject=f"{wanted.name}[{extra}]",
                    label=f"Do without the optional part “{extra}” of {wanted.name}",
                )

    def _fault(self, wishes: Sequence[Wish], line: Line) -> str | None:
        return self._fault_of([text for wish in wishes for text in wish.wanted], line)

    def _fault_of(self, texts: Sequence[str], line: Line) -> str | None:
        """Why these don't go together; None if they do."""
        try:
            self.resolver.of_requirements(texts, line)
        except Unsatisfiable as error:
            return error.said
        return None

    def _reason(self, wanted: str, said: str) -> str:
        host = self.resolver.host
        for name, spec in _ASKED.findall(said):
            version = host.version(name)
            if version is not None and not _allows(name + spec, version):
                party = f"{wanted} needs" if _names(wanted) != _names(name) else "it needs"
                party = party if wanted else "it needs"
                return f"{party} {name}{spec}, {PROGRAM} has {name} {version} and keeps it."
        return _plain(said)


def _plain(said: str) -> str:
    """The cause as uv words it, without its conclusions."""
    text = " ".join(said.split("cause:", 1)[-1].split())
    text = re.sub(r"^error:\s*", "", text)
    text = re.sub(r"^Because ", "", text).split(", we can conclude")[0]
    text = text.replace("you require", "it needs").replace("depend on", "need")
    return text.replace("depends on", "needs")[:400].rstrip(".") + "."


def _offer(ways: Sequence[Way]) -> str:
    labels = [way.label[0].lower() + way.label[1:] for way in ways]
    return f" Ways out: {'; '.join(labels)}." if labels else ""


def _leave_out(text: str, version: str | None = None) -> Way:
    name = Requirement(text).name
    with_ours = f"Try it with {PROGRAM}'s {name} {version}" if version else f"Do without {name}"
    return Way(way=WayOut.LEAVE_OUT, subject=name, label=with_ours)


def _last_ways(new: Wish, other: Wish | None = None) -> Iterator[Way]:
    if new.is_native:
        yield Way(
            way=WayOut.WORKER, label="Let it run in a worker: its author says so in extension.toml"
        )
    if other is not None:
        yield Way(way=WayOut.LEAVE_OFF, subject=other.id, label=f"Uninstall “{other.name}” first")
    yield Way(way=WayOut.LEAVE_OFF, subject=new.id, label="Leave it off")


def _names(text: str) -> set[str]:
    try:
        return {Requirement(text).name.lower().replace("_", "-")}
    except InvalidRequirement:
        return set()


def _all_names(texts: Sequence[str]) -> set[str]:
    return {name for text in texts for name in _names(text)}


def _allows(text: str, version: str) -> bool:
    try:
        return fits(Requirement(text), version)
    except InvalidRequirement:
        return True
