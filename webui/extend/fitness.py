"""Whether an extension can run here, beside the others, and in which order they come."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from webui import __version__
from webui.extend.manifest import Manifest


def unfit(manifest: Manifest, api: str, app: str = __version__) -> str:
    """Why it can't run with these versions, on this system; empty when it can."""
    python = platform.python_version()
    asked = (
        ("api", manifest.api, api, "of webui.extend"),
        ("app", manifest.app, app, "of Gesso"),
        ("python", manifest.python, python, "of Python"),
    )
    for key, specifier, version, words in asked:
        try:
            fits = SpecifierSet(specifier).contains(version, prereleases=True)
        except InvalidSpecifier:
            return (
                f"Its {key} “{specifier}” is no version specifier. Write one as “>=1,<2” into "
                "extension.toml."
            )
        if not fits:
            return (
                f"“{manifest.name}” needs a version {words} that is {specifier}; this is "
                f"{version}. Look for another version of it."
            )
    if manifest.platforms and sys.platform not in manifest.platforms:
        return (
            f"“{manifest.name}” runs on {', '.join(manifest.platforms)} only, and this is "
            f"{sys.platform}."
        )
    return ""


def misfit(
    manifest: Manifest,
    on: AbstractSet[str],
    coming: AbstractSet[str],
    known: Mapping[str, Manifest],
) -> str:
    """Why it can't be on beside those that are, and those that come before it; empty when it
    can."""
    for id in manifest.requires:
        if id not in on:
            state = "is not on. Switch it on first" if id in known else "is not here. Add it first"
            return f"“{manifest.name}” needs the extension “{_name(id, known)}”, which {state}."
    for id in sorted({*on, *coming}):
        if id in manifest.conflicts or manifest.id in known[id].conflicts:
            return (
                f"“{manifest.name}” and “{_name(id, known)}” can't be on together. Switch one of "
                "them off."
            )
    return ""


def in_order(manifests: Sequence[Manifest]) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """The ids, each behind what it requires or comes after, else as they were given; and of those
    that wait for each other in a circle a sentence that says so. These are left out."""
    waits = _predecessors(manifests)
    ordered: list[str] = []
    left = [manifest.id for manifest in manifests]
    while ready := next((id for id in left if not waits[id] & set(left)), None):
        ordered.append(ready)
        left.remove(ready)
    circle = ", ".join(f"“{id}”" for id in left)
    why = f"{circle} want to come before each other. Change before, after or requires in one."
    return tuple(ordered), dict.fromkeys(left, why)


def _predecessors(manifests: Sequence[Manifest]) -> dict[str, set[str]]:
    """Of each id those that come before it."""
    ids = {manifest.id for manifest in manifests}
    waits = {each.id: {*each.requires, *each.after} & ids for each in manifests}
    for manifest in manifests:
        for id in ids.intersection(manifest.before):
            waits[id].add(manifest.id)
    return waits


def _name(id: str, known: Mapping[str, Manifest]) -> str:
    return known[id].name if id in known else id
