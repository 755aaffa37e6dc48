"""The model that pictures were made with last, known from one start to the next."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from webui.core.codec import from_json, to_json
from webui.core.errors import InvalidRequest
from webui.core.files import write_atomic
from webui.core.model import ModelInfo

log = logging.getLogger(__name__)


class LastModel:
    """Remembers one. A single engine uses a file."""

    def __init__(self, file: Path | None) -> None:
        """Without a file nothing outlives this object. A damaged one is as none."""
        self._file: Final = file
        self._known = _read(file)

    @property
    def known(self) -> ModelInfo | None:
        """None where nothing is known, and where the model is gone."""
        return self._known if self._known and self._known.path.exists() else None

    def note(self, model: ModelInfo) -> None:
        """Remember this one."""
        if model == self._known:
            return
        self._known = model
        if self._file is None:
            return
        try:
            write_atomic(self._file, to_json(model).encode())
        except OSError as error:  # no picture shall fail by it
            log.warning("The model that was used can't be remembered (%s).", error)


def _read(file: Path | None) -> ModelInfo | None:
    try:
        return None if file is None else from_json(ModelInfo, file.read_bytes())
    except (OSError, InvalidRequest):
        return None
