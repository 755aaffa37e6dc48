"""CodeFormer is not built in: using it says so."""

from __future__ import annotations

from typing import Any

from webui.compat.missing import unprovided

codeformer: Any = None
have_codeformer = False


def _refuse(*arguments: Any, **named: Any) -> Any:
    raise NotImplementedError(
        "CodeFormer is not built in. Choose an extension that brings a restorer of faces."
    )


def setup_model(dirname: str = "") -> None:
    """Nothing is there to be set up."""


face_restoration = _refuse

__getattr__ = unprovided(__name__)
