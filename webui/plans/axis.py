"""One axis of an X/Y/Z plot: how its values are read and put into a request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from webui.core.errors import InvalidRequest
from webui.core.registry import Registry
from webui.core.request import GenerationRequest
from webui.plans.values import numbers, whole_numbers, words

Put = Callable[[GenerationRequest, Any, Sequence[Any]], GenerationRequest]
"""The request with one value in it; all values of the axis are given too."""

Axes = Callable[[], "Registry[Axis]"]
"""All axes that there are now."""

PREFIX: Final = "extensions."
"""How the ids of axes begin that extensions add."""

PARENTS: Final = (
    ("hires", "Turn on the second pass (hires fix)"),
    ("refiner", "Choose a refiner"),
    ("source", "Add a source picture"),
    ("mask", "Paint a mask"),
    ("step_cache", "Switch the step cache on"),
)
"""Parts that a request may lack, and what makes it have them."""


class Choices(StrEnum):
    """Lists of names that the page can offer for an axis."""

    NONE = ""
    SAMPLERS = "samplers"
    SCHEDULES = "schedules"
    CHECKPOINTS = "checkpoints"
    UPSCALERS = "upscalers"
    VAES = "vaes"
    STYLES = "styles"


@dataclass(frozen=True, kw_only=True)
class Axis:
    """`cost` says how long a change of the value takes: dearer axes change less often.
    `names` are the values to choose from, when there are few."""

    id: str
    label: str
    read: Callable[[str], Sequence[Any]]
    put: Put
    show: Callable[[Any], str] = str
    example: str = ""
    cost: int = 0
    choices: Choices = Choices.NONE
    names: tuple[str, ...] = ()
    is_random: bool = False
    """Whether -1 stands for a random seed."""


def whole(id: str, label: str, path: str, example: str, *, is_random: bool = False) -> Axis:
    """An axis of whole numbers."""
    return Axis(
        id=id,
        label=label,
        read=whole_numbers,
        put=_at(path),
        example=example,
        is_random=is_random,
    )


def number(id: str, label: str, path: str, example: str) -> Axis:
    """An axis of numbers."""
    return Axis(id=id, label=label, read=numbers, put=_at(path), show=plain, example=example)


def name(
    id: str,
    label: str,
    path: str,
    choices: Choices,
    *,
    cost: int = 0,
    blanks: tuple[str, ...] = (),
) -> Axis:
    """An axis of names. Those in `blanks` (in small letters) stand for the default."""

    def put(request: GenerationRequest, value: str, _: Sequence[str]) -> GenerationRequest:
        return put_at(request, path, None if value.lower() in blanks else value)

    return Axis(
        id=id,
        label=label,
        read=words,
        put=put,
        example="names, with commas between them",
        cost=cost,
        choices=choices,
    )


def one_of(id: str, label: str, path: str, kind: type[StrEnum]) -> Axis:
    """An axis of fixed words."""
    names = tuple(member.value for member in kind)

    def read(text: str) -> list[StrEnum]:
        return [kind(_known(part, names)) for part in words(text)]

    return Axis(id=id, label=label, read=read, put=_at(path), example=", ".join(names), names=names)


def flag(id: str, label: str, path: str) -> Axis:
    """An axis of true and false."""
    names = ("true", "false")

    def read(text: str) -> list[bool]:
        return [_known(part, names) == "true" for part in words(text)]

    return Axis(
        id=id,
        label=label,
        read=read,
        put=_at(path),
        show=lambda value: str(value).lower(),
        example="true, false",
        names=names,
    )


def put_at(request: GenerationRequest, path: str, value: object) -> GenerationRequest:
    """The request with `value` at a path such as "sampling.steps".

    Raises InvalidRequest when the part that would hold it is missing.
    """
    put: GenerationRequest = _put(request, path.split("."), value)
    return put


def _put(part: Any, names: list[str], value: object) -> Any:
    head, *rest = names
    if not rest:
        return replace(part, **{head: value})
    inner = getattr(part, head)
    if inner is None:
        way_out = dict(PARENTS).get(head, f"Give {head} first")
        raise InvalidRequest(head, f"This needs a part that is switched off. {way_out}.")
    return replace(part, **{head: _put(inner, rest, value)})


def prompts_of(request: GenerationRequest) -> list[str]:
    """All prompts of a request, those of the second pass too."""
    hires = request.hires
    second = [hires.prompt, hires.negative_prompt] if hires else []
    return [text for text in (request.prompt, request.negative_prompt, *second) if text]


def with_prompts(request: GenerationRequest, change: Callable[[str], str]) -> GenerationRequest:
    """The request with `change` made in all its prompts."""
    hires = request.hires
    if hires is not None:
        hires = replace(
            hires,
            prompt=hires.prompt and change(hires.prompt),
            negative_prompt=hires.negative_prompt and change(hires.negative_prompt),
        )
    return replace(
        request,
        prompt=change(request.prompt),
        negative_prompt=change(request.negative_prompt),
        hires=hires,
    )


def plain(value: float) -> str:
    """A number as people write it: 7 for 7.0."""
    return f"{value:g}"


def _at(path: str) -> Put:
    return lambda request, value, _: put_at(request, path, value)


def _known(part: str, names: Sequence[str]) -> str:
    if part.lower() in names:
        return part.lower()
    raise InvalidRequest("values", f"“{part}” is not one of {', '.join(names)}.")
