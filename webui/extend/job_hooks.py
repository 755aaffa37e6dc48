"""The hooks of those that take part in one job, from its start to its last picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, Final, TypeVar

from PIL import Image

from webui.core.errors import InvalidRequest
from webui.core.request import GenerationRequest
from webui.extend.calls import Calls
from webui.extend.data import Context, ImageItem, Runner, StopJob
from webui.extend.loaded import Loaded

FACT: Final = "extensions"
"""Under which a picture's facts say who failed."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Member:
    """Somebody who takes part, with what their hooks get in each call."""

    loaded: Loaded
    inputs: SimpleNamespace
    ctx: Context


class JobHooks:
    """Used by one thread at a time. Who fails keeps out of the rest of the job."""

    def __init__(
        self, members: Sequence[Member], calls: Calls, job: str = "", notes: Sequence[str] = ()
    ) -> None:
        """`notes` say who failed already."""
        self._members: Final = tuple(members)
        self._calls: Final = calls
        self._job: Final = job
        self._notes: Final = list(notes)
        self._out: Final[set[str]] = set()

    @property
    def facts(self) -> dict[str, str]:
        """What a picture says of extensions that failed; empty when none did."""
        return {FACT: "; ".join(self._notes)} if self._notes else {}

    @property
    def failed(self) -> frozenset[str]:
        """Ids of those that keep out."""
        return frozenset(self._out)

    def has(self, hook: str) -> bool:
        """Whether anybody would be called."""
        return any(True for _ in self._with(hook))

    def note(self, id: str, hook: str) -> None:
        """Somebody failed elsewhere, in the engine: they keep out from now on."""
        if id not in self._out:
            self._out.add(id)
            self._notes.append(f"{id} failed at {hook}")

    def fold(
        self,
        hook: str,
        argument: str,
        value: T,
        accept: Callable[[Any], T],
        *,
        passing: tuple[type[Exception], ...] = (),
        **more: Any,
    ) -> T:
        """The value after all have seen it, each what the one before gave back. `accept` turns
        what comes back into a value, or raises; None changes nothing. `more` is given to all."""
        for member in self._with(hook):
            result = self._call(member, hook, {argument: value, **more}, accept, passing)
            value = value if result is None else result
        return value

    def pictures(self, hook: str, item: ImageItem) -> list[ImageItem]:
        """What becomes of a picture: `image_post` or `extras_op`. One or several."""
        items = [item]
        for member in self._with(hook):
            made: list[ImageItem] = []
            for each in items:
                result = None
                if member.loaded.id not in self._out:
                    result = self._call(member, hook, {"item": _own_copy(each)}, _accepting(each))
                made.extend([each] if result is None else result)
            items = made
        return items

    def before_saving(self, item: ImageItem) -> ImageItem:
        """The picture and its facts after the last look."""
        for member in self._with("image_save_before"):
            given = {"item": _own_copy(item)}
            item = self._call(member, "image_save_before", given, _of(ImageItem)) or item
        return item

    def tell(self, hook: str, **given: Any) -> None:
        """Let all know of something."""
        for member in self._with(hook):
            self._call(member, hook, given, lambda _: None)

    def run(
        self, script: str, request: GenerationRequest, runner: Runner
    ) -> Iterator[ImageItem] | None:
        """The pictures of the one that takes the job over; None if it does not want to. Raises
        StopJob when it fails, as there is nothing to go on with."""
        for member in self._with("job_run"):
            if member.loaded.id == script:
                return self._run(member, request, runner)
        return None

    def _run(
        self, member: Member, request: GenerationRequest, runner: Runner
    ) -> Iterator[ImageItem] | None:
        given = {"request": request, "runner": runner, **_own(member)}
        outcome = self._calls.call(
            member.loaded, "job_run", given, accept=_iterator, job=self._job,
            passing=(InvalidRequest,),
        )  # fmt: skip
        if outcome.failure is not None:
            raise StopJob(f"{member.loaded.name} failed: {outcome.failure.message}")
        if outcome.value is None:
            return None
        return self._calls.iterate(member.loaded, "job_run", outcome.value, job=self._job)

    def _with(self, hook: str) -> Iterator[Member]:
        for member in self._members:
            if hook in member.loaded.hooks and member.loaded.id not in self._out:
                yield member

    def _call(
        self,
        member: Member,
        hook: str,
        given: Mapping[str, Any],
        accept: Callable[[Any], T],
        passing: tuple[type[Exception], ...] = (),
    ) -> T | None:
        def accepted(value: Any) -> T | None:
            return None if value is None else accept(value)

        outcome = self._calls.call(
            member.loaded, hook, {**given, **_own(member)},
            accept=accepted, job=self._job, passing=passing,
        )  # fmt: skip
        if outcome.failure is not None:
            self.note(member.loaded.id, hook)
            return None
        result: T | None = outcome.value
        return result


def _own(member: Member) -> dict[str, Any]:
    return {"inputs": member.inputs, "ctx": member.ctx}


def _own_copy(item: ImageItem) -> ImageItem:
    """For one who may paint into it and then fail: the picture must stay as it was."""
    return replace(item, image=item.image.copy())


def _of(kind: type[T]) -> Callable[[Any], T]:
    """Takes only values of this kind."""

    def accept(value: Any) -> T:
        if not isinstance(value, kind):
            raise TypeError(f"it gave back a {type(value).__name__}, not a {kind.__name__}")
        return value

    return accept


def _accepting(item: ImageItem) -> Callable[[Any], list[ImageItem]]:
    """Takes a picture, an item or several items in place of `item`."""

    def accept(value: Any) -> list[ImageItem]:
        if isinstance(value, Image.Image):
            return [replace(item, image=value)]
        several = [*value] if isinstance(value, list | tuple) else [value]
        if not several:
            raise ValueError("it gave back no picture at all")
        return [_of(ImageItem)(each) for each in several]

    return accept


def _iterator(value: Any) -> Iterator[ImageItem] | None:
    if value is None:
        return None
    return map(_of(ImageItem), iter(value))
