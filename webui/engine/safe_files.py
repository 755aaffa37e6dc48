"""Puts safe versions of a batch's files in place of pickles, before anything opens one."""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

from webui.core.engine import UsedFile, Work
from webui.core.errors import ModelUnreadable
from webui.core.events import EngineEvent, Loading
from webui.core.model import ModelInfo, ModelKind
from webui.modelfiles.conversion import Converter

log = logging.getLogger(__name__)


def made_safe(work: Work, converter: Converter) -> Generator[EngineEvent, None, Work]:
    """The batch with safetensors files only. Those that have to be converted first are, with
    events that tell how far it is. Raises ModelUnreadable."""
    model = work.model
    if work.recipes[0].extras is None:  # which names a model, and uses none
        model = yield from _safe(model, converter)
    files: list[UsedFile] = []
    for used in work.files:
        try:
            file = yield from _safe(used.model, converter)
        except ModelUnreadable as error:
            if used.kind is not ModelKind.PREVIEW:
                raise
            log.warning("%s", error)  # no picture shall fail by its preview
        else:
            files.append(replace(used, model=file))
    return replace(work, model=model, files=tuple(files))


def _safe(model: ModelInfo, converter: Converter) -> Generator[EngineEvent, None, ModelInfo]:
    if not model.path.exists():
        return model  # whoever needs it says so; a batch may name a model that it does not use
    path = yield from _converted(model, converter)
    if path == model.path:
        return model
    if path.is_dir():
        return replace(model, path=path)
    return replace(model, path=path, size_bytes=path.stat().st_size)


def _converted(model: ModelInfo, converter: Converter) -> Generator[EngineEvent, None, Path]:
    conversion = converter.convert(model.path)
    try:
        while True:
            done = next(conversion).fraction
            note = f"Converting {model.name} (only this once): {done:.0%}"
            yield Loading(model=model.name, note=note)
    except StopIteration as end:
        path: Path = end.value
        return path
    finally:
        conversion.close()
