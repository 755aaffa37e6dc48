"""Extensions: which there are and how they do, switching, settings, the search for a culprit.

Installing is in extension_installs.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import MaxLen
from fastapi import APIRouter, Request

from webui.api.context import RawBody, the_studio
from webui.api.known_fields import refuse_unknown_fields
from webui.extend.bisection import Bisection
from webui.extend.extension import Extension, Failure
from webui.extend.inputs import Input
from webui.gate.access import Access, needs
from webui.studio import Studio

ROUTER = APIRouter(prefix="/api/v1", tags=["extensions"])

Id = Annotated[str, MaxLen(64)]


@dataclass(frozen=True, kw_only=True)
class AddedView:
    """What an extension adds, of one kind ("hook", "input", "sampler", "tab" ...)."""

    kind: str
    names: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class PermissionView:
    """Something that it does beyond pictures, and why."""

    name: str
    reason: str
    details: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class ExtensionView:
    """An extension in the list. `state` is "on", "off", "held", "unfit" or "failed"; `error` says
    in a sentence why it is not on, or what went wrong. `seconds` were spent in its hooks since it
    was loaded."""

    id: str
    name: str
    version: str
    kind: str
    origin: str
    description: str
    license: str
    authors: Sequence[str]
    homepage: str
    is_enabled: bool
    state: str
    error: str
    failures: int
    seconds: float
    adds: Sequence[AddedView]
    permissions: Sequence[PermissionView]
    has_settings: bool


@dataclass(frozen=True, kw_only=True)
class FailureView:
    """One time that it failed, with Python's traceback; `at` in seconds since 1970."""

    hook: str
    message: str
    traceback: str
    at: float
    job: str


@dataclass(frozen=True, kw_only=True)
class ExtensionDetail(ExtensionView):
    """An extension with all that is known of it. `traceback` is of the failure to load it."""

    folder: str
    traceback: str
    failed: Sequence[FailureView]


@dataclass(frozen=True, kw_only=True)
class SearchView:
    """A search for the extension that makes trouble. `on` run now, `suspects` may still be it;
    when `is_over`, `culprit` is who it was, "" for none."""

    suspects: Sequence[str]
    on: Sequence[str]
    is_over: bool
    culprit: str
    steps_left: int


@dataclass(frozen=True, kw_only=True)
class ExtensionsView:
    """All extensions. `search` is null when no culprit is looked for."""

    extensions: Sequence[ExtensionView]
    is_safe_mode: bool
    search: SearchView | None


@dataclass(frozen=True, kw_only=True)
class ActiveView:
    """An extension that is on, as everybody may know it."""

    id: str
    name: str
    version: str
    description: str


@dataclass(frozen=True, kw_only=True)
class SettingView:
    """One setting of an extension. `kind` is "toggle", "slider", "text" or "choice"; numbers and
    choices are only there where the kind has them."""

    id: str
    kind: str
    label: str
    help: str
    value: Any
    default: Any
    low: float | None
    high: float | None
    step: float | None
    lines: int | None
    choices: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Whether the trouble is there with those that are on now."""

    is_bad: bool


@ROUTER.get("/extensions/active")
@needs(Access.PERSON)
def list_active_extensions(request: Request) -> list[ActiveView]:
    """Those that are on, for everybody."""
    return [
        ActiveView(
            id=each.id,
            name=each.name,
            version=each.manifest.version,
            description=each.manifest.description,
        )
        for each in the_studio(request).extensions.all()
        if each.is_on
    ]


@ROUTER.get("/extensions")
@needs(Access.OWNER)
def list_extensions(request: Request) -> ExtensionsView:
    """All extensions: those that are on in their order, then the others by name."""
    return _list(the_studio(request))


@ROUTER.post("/extensions")
@needs(Access.OWNER)
def look_for_extensions(request: Request) -> ExtensionsView:
    """Look into the folders again."""
    studio = the_studio(request)
    studio.extensions.scan()
    return _list(studio)


@ROUTER.get("/extensions/search")
@needs(Access.OWNER)
def read_search(request: Request) -> SearchView | None:
    """The search for a culprit, null when there is none."""
    return _search(the_studio(request))


@ROUTER.post("/extensions/search")
@needs(Access.OWNER)
def begin_search(request: Request) -> SearchView | None:
    """Begin one: all that are on are held back first."""
    studio = the_studio(request)
    studio.extensions.begin_bisection()
    return _search(studio)


@ROUTER.patch("/extensions/search")
@needs(Access.OWNER)
def answer_search(request: Request, answer: Answer, body: RawBody) -> SearchView | None:
    """Go on: with the half that it must be in, or to the end."""
    refuse_unknown_fields(Answer, body)
    studio = the_studio(request)
    studio.extensions.answer_bisection(is_bad=answer.is_bad)
    return _search(studio)


@ROUTER.delete("/extensions/search")
@needs(Access.OWNER)
def end_search(request: Request) -> ExtensionsView:
    """End it: all run again that did."""
    studio = the_studio(request)
    studio.extensions.end_bisection()
    return _list(studio)


@ROUTER.get("/extensions/{id}")
@needs(Access.OWNER)
def read_extension(request: Request, id: Id) -> ExtensionDetail:
    """One extension with its failures."""
    extension = the_studio(request).extensions.get(id)
    return ExtensionDetail(
        **{name: getattr(_view(extension), name) for name in ExtensionView.__dataclass_fields__},
        folder=str(extension.file or extension.folder),
        traceback=extension.traceback,
        failed=[_failure(each) for each in extension.failures],
    )


@ROUTER.post("/extensions/{id}/enable")
@needs(Access.OWNER)
def enable_extension(request: Request, id: Id) -> ExtensionView:
    """Switch one on. Whether that went well is in its state. The page follows within a second."""
    return _view(the_studio(request).extensions.enable(id))


@ROUTER.post("/extensions/{id}/disable")
@needs(Access.OWNER)
def disable_extension(request: Request, id: Id) -> ExtensionView:
    """Switch one off."""
    return _view(the_studio(request).extensions.disable(id))


@ROUTER.post("/extensions/{id}/reload")
@needs(Access.OWNER)
def reload_extension(request: Request, id: Id) -> ExtensionView:
    """Read one's code anew."""
    return _view(the_studio(request).extensions.reload(id))


@ROUTER.get("/extensions/{id}/settings")
@needs(Access.OWNER)
def read_extension_settings(request: Request, id: Id) -> list[SettingView]:
    """The settings of one that is on."""
    return _settings(the_studio(request), id)


@ROUTER.patch("/extensions/{id}/settings")
@needs(Access.OWNER)
def set_extension_settings(request: Request, id: Id, values: dict[str, Any]) -> list[SettingView]:
    """Change some of its settings, by their ids."""
    studio = the_studio(request)
    studio.extensions.set_settings(id, values)
    return _settings(studio, id)


def _list(studio: Studio) -> ExtensionsView:
    return ExtensionsView(
        extensions=[_view(each) for each in studio.extensions.all()],
        is_safe_mode=studio.settings.current.safe_mode,
        search=_search(studio),
    )


def _view(extension: Extension) -> ExtensionView:
    manifest = extension.manifest
    return ExtensionView(
        id=extension.id,
        name=extension.name,
        version=manifest.version,
        kind=extension.kind,
        origin=extension.origin,
        description=manifest.description,
        license=manifest.license,
        authors=manifest.authors,
        homepage=manifest.homepage,
        is_enabled=extension.is_enabled,
        state=extension.state,
        error=extension.error,
        failures=len(extension.failures),
        seconds=round(extension.seconds, 3),
        adds=_added(extension),
        permissions=[
            PermissionView(name=name, reason=each.reason, details=(*each.hosts, *each.paths))
            for name, each in manifest.permissions.items()
        ],
        has_settings=bool(extension.settings_inputs),
    )


def _added(extension: Extension) -> list[AddedView]:
    added: list[tuple[str, Sequence[str]]] = [
        ("input", [each.label for each in extension.inputs]),
        *extension.registered.items(),
        ("hook", sorted(extension.hooks)),
    ]
    return [AddedView(kind=kind, names=list(names)) for kind, names in added if names]


def _failure(failure: Failure) -> FailureView:
    return FailureView(
        hook=failure.hook,
        message=failure.message,
        traceback=failure.traceback,
        at=failure.at,
        job=failure.job,
    )


def _search(studio: Studio) -> SearchView | None:
    step: Bisection | None = studio.extensions.bisection
    if step is None:
        return None
    return SearchView(
        suspects=step.suspects,
        on=step.on,
        is_over=step.is_over,
        culprit=step.culprit,
        steps_left=step.steps_left,
    )


def _settings(studio: Studio, id: str) -> list[SettingView]:
    values = studio.extensions.settings(id)
    return [_setting(each, values) for each in studio.extensions.get(id).settings_inputs]


def _setting(each: Input, values: Mapping[str, Any]) -> SettingView:
    own = {name: getattr(each, name, None) for name in ("low", "high", "step", "lines")}
    return SettingView(
        id=each.id,
        kind=each.kind,
        label=each.label,
        help=each.help,
        value=values.get(each.id, each.default),
        default=each.default,
        choices=list(getattr(each, "choices", ())),
        **own,
    )
