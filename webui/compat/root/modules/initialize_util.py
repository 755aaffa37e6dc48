"""Small things of A1111's start."""

from __future__ import annotations

from typing import Any

from modules.shared_cmd_options import cmd_opts
from webui.compat.missing import unprovided


def gradio_server_name() -> str | None:
    """The address that A1111's flags would give."""
    return cmd_opts.server_name or ("0.0.0.0" if cmd_opts.listen else None)


def get_gradio_auth_creds() -> Any:
    """None: people are the gate's business."""
    return iter(())


def configure_cors_middleware(app: Any) -> None:
    """Origins are the gate's business."""


def setup_middleware(app: Any) -> None:
    """The gate is there."""


__getattr__ = unprovided(__name__)
