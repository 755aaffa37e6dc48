"""Sets of extensions that were kept: the page of extensions has them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from webui.compat.missing import unprovided

all_config_states: OrderedDict[str, Any] = OrderedDict()


def list_config_states() -> OrderedDict[str, Any]:
    """None here."""
    return all_config_states


def get_webui_config() -> dict[str, Any]:
    """Nothing is known of a repository."""
    return {"remote": None, "commit_hash": None, "commit_date": None, "branch": None}


def get_extension_config() -> dict[str, Any]:
    """Nothing: see the page of extensions."""
    return {}


def get_config() -> dict[str, Any]:
    """Both."""
    return {"webui": get_webui_config(), "extensions": get_extension_config()}


__getattr__ = unprovided(__name__)
