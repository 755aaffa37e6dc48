"""GFPGAN is not built in: using it says so."""

from __future__ import annotations

from typing import Any

from webui.compat.missing import unprovided

gfpgan_face_restorer: Any = None
have_gfpgan = False
user_path: Any = None


def _refuse(*arguments: Any, **named: Any) -> Any:
    raise NotImplementedError(
        "GFPGAN is not built in. Choose an extension that brings a restorer of faces."
    )


def setup_model(dirname: str = "") -> None:
    """Nothing is there to be set up."""


gfpgan_fix_faces = gfpgann = _refuse

__getattr__ = unprovided(__name__)
