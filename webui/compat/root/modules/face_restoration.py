"""Restoring of faces: none is built in; extensions may add theirs to `shared.face_restorers`."""

from __future__ import annotations

from typing import Any

from modules import shared
from webui.compat.missing import unprovided


class FaceRestoration:
    """What makes faces better."""

    def name(self) -> str:
        """What people choose."""
        return "None"

    def restore(self, np_image: Any) -> Any:
        """The picture, its faces better."""
        return np_image


def restore_faces(np_image: Any) -> Any:
    """The picture after the restorer that the options name; unchanged without one."""
    wanted = shared.opts.data.get("face_restoration_model")
    chosen = [each for each in shared.face_restorers if each.name() == wanted]
    chosen = chosen or list(shared.face_restorers)
    return chosen[0].restore(np_image) if chosen else np_image


__getattr__ = unprovided(__name__)
