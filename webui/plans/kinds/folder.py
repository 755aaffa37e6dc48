"""Folder: the same work on many pictures, each with its own mask and its own words if wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Annotated, Any, Final

from annotated_types import MaxLen

from webui.core.errors import InvalidRequest
from webui.core.request import GenerationRequest, InputId, Mask, Mode, Source
from webui.plans.axis import put_at
from webui.plans.kind import (
    MAX_CELLS,
    Independent,
    Kind,
    Probe,
    Sources,
    chosen,
    limit,
    settle_seeds,
)

MOST_PROBES: Final = 200
TOLD: Final = (
    "prompt",
    "negative_prompt",
    "seed",
    "checkpoint",
    "sampling.steps",
    "sampling.guidance_scale",
    "sampling.sampler",
    "sampling.schedule",
)
"""What a picture's own text can decide."""


@dataclass(frozen=True, kw_only=True)
class NamedInput:
    """An uploaded picture and the name it had as a file."""

    name: Annotated[str, MaxLen(500)]
    image: InputId


@dataclass(frozen=True, kw_only=True)
class FolderOptions:
    """The pictures; masks belong to the picture with the same name, whatever its ending. One
    mask alone is for all."""

    images: tuple[NamedInput, ...] = ()
    masks: tuple[NamedInput, ...] = ()
    from_picture: tuple[str, ...] = ()
    """Which fields each picture's own text decides, where it says something of them."""


class FolderLayout(Independent):
    """One cell for each picture."""

    def __init__(self, base: GenerationRequest, options: FolderOptions) -> None:
        self._base: Final = base
        self._images: Final = options.images
        self._told: Final = options.from_picture
        self._masks: Final = _masks(options)
        self.count: Final = len(options.images)

    def request(self, number: int, sources: Sources | None = None) -> GenerationRequest:
        """What cell `number` asks for."""
        image = self._images[number].image
        request = self._with_source(self._base, image, self._masks[number])
        told = sources.told_by(image) if sources is not None and self._told else None
        for path in self._told if told is not None else ():
            if (value := _at(told, path)) is not None:
                request = put_at(request, path, value)
        return request

    def label(self, number: int) -> str:
        """What is special about a cell."""
        return self._images[number].name

    def probes(self) -> Iterator[Probe]:
        """Requests that are checked first."""
        for number in range(min(self.count, MOST_PROBES)):
            words = f"Picture “{self._images[number].name}”"
            yield Probe(field="images", words=words, request=self.request(number))

    def _with_source(
        self, base: GenerationRequest, image: InputId, mask: InputId | None
    ) -> GenerationRequest:
        if base.extras is not None:
            return replace(base, extras=replace(base.extras, image=image))
        source = Source(image=image) if base.source is None else replace(base.source, image=image)
        painted = base.mask
        if mask is not None:
            painted = Mask(image=mask) if base.mask is None else replace(base.mask, image=mask)
        return replace(base, source=source, mask=painted)


def lay_out(base: GenerationRequest, options: FolderOptions) -> FolderLayout:
    """The cells. Raises InvalidRequest, for a picture without a mask too."""
    limit(len(options.images), MAX_CELLS, "images", "pictures")
    for path in options.from_picture:
        chosen(path, TOLD, "from_picture")
    return FolderLayout(base, options)


def _masks(options: FolderOptions) -> Sequence[InputId | None]:
    if len(options.masks) <= 1:
        only = options.masks[0].image if options.masks else None
        return [only] * len(options.images)
    by_name = {PurePath(mask.name).stem: mask.image for mask in options.masks}
    for image in options.images:
        if PurePath(image.name).stem not in by_name:
            raise InvalidRequest(
                "masks",
                f"There is no mask for “{image.name}”. Name it like the picture, or give one "
                "mask for all.",
            )
    return [by_name[PurePath(image.name).stem] for image in options.images]


def _at(part: Any, path: str) -> Any:
    for name in path.split("."):
        part = getattr(part, name)
    return part


KIND: Final = Kind(
    id="folder",
    label="Folder",
    modes=(Mode.IMG2IMG, Mode.INPAINT, Mode.EXTRAS),
    options=FolderOptions,
    settle=settle_seeds,
    lay_out=lay_out,
    is_complete=False,
)
