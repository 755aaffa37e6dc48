"""The hooks of finished pictures, which need no tensors: the fake engine has them as well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from PIL import Image

from webui.core.events import EngineEvent, ImageReady
from webui.engine.extensions.calls import Calls, Hook
from webui.extend.steps import MaskOverlay

HOOKS: Final = ("batch_end", "mask_overlay")


def finished(calls: Calls, events: Iterable[EngineEvent]) -> Iterator[EngineEvent]:
    """The events of a batch, each picture with what its extensions say of it. Where one wants to
    see the pictures of the batch together, all come at its end."""
    held: list[ImageReady] = []
    for event in events:
        if not isinstance(event, ImageReady):
            yield event
            continue
        ready = replace(event, facts={**event.facts, **calls.facts()})
        if calls.has("batch_end"):
            held.append(ready)
        else:
            yield from calls.told()
            yield ready
    if held:
        ended = list(_ended(calls, held))
        yield from calls.told()
        yield from ended


def overlaid(
    calls: Calls, painted: Image.Image, source: Image.Image, mask: Image.Image
) -> MaskOverlay:
    """What is laid over what, and where, as extensions want it. All of one size, the mask "L"."""
    overlay = MaskOverlay(painted=painted, source=source, mask=mask)
    if not calls.has("mask_overlay"):
        return overlay
    overlay = calls.each("mask_overlay", overlay, _ask_overlay)
    calls.note(overlay.facts)
    return overlay


def _ask_overlay(call: Hook, overlay: MaskOverlay) -> MaskOverlay:
    pictures = {name: getattr(overlay, name).copy() for name in ("painted", "source", "mask")}
    changed = call(overlay=replace(overlay, **pictures))
    if changed is None:
        return overlay
    size = overlay.painted.size
    return MaskOverlay(
        painted=_checked(changed.painted, size).convert("RGB"),
        source=_checked(changed.source, size).convert("RGB"),
        mask=_checked(changed.mask, size).convert("L"),
        facts=dict(changed.facts),
    )


def _checked(image: object, size: tuple[int, int]) -> Image.Image:
    if not isinstance(image, Image.Image):
        raise TypeError(f"gave a {type(image).__name__} instead of a picture (PIL.Image)")
    if image.size != size:
        raise ValueError(f"gave a picture of {image.size}, not of {size}")
    return image


def _ended(calls: Calls, held: Sequence[ImageReady]) -> Iterator[ImageReady]:
    """The pictures that were asked for, and behind them those that an extension added."""
    images = calls.each("batch_end", [ready.image for ready in held], partial(_ask_end, len(held)))
    facts = calls.facts()
    for ready, image in zip(held, images, strict=False):
        yield replace(ready, image=image, facts={**ready.facts, **facts})
    for index, image in enumerate(images[len(held) :]):
        yield replace(held[-1], index=index, image=image, is_extra=True)


def _ask_end(least: int, call: Hook, images: list[Image.Image]) -> list[Image.Image]:
    changed = call(items=[image.copy() for image in images])
    if changed is None:
        return images
    given = [_checked(image, getattr(image, "size", (0, 0))).convert("RGB") for image in changed]
    if len(given) < least:
        raise ValueError(f"gave {len(given)} pictures of {least}; none may get lost")
    return given
