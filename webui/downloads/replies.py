"""What the answers of other servers mean: refusals in words, JSON as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from webui.downloads.address import CIVITAI, HUGGING_FACE, plain
from webui.net.faults import FetchCut, FetchRefused
from webui.net.fetch import Answer, Fetcher

BUSY: Final = (408, 425, 429)
NAMES: Final[tuple[tuple[str, str], ...]] = (
    (HUGGING_FACE, "Hugging Face"),
    (CIVITAI, "Civitai"),
    ("", ""),
)
WAYS: Final[tuple[tuple[str, str], ...]] = (
    (
        HUGGING_FACE,
        "Open its page in a browser, log in and agree to its terms; then make a token there "
        "(Settings, Access Tokens) and put it under “Tokens” here. A name that does not exist is "
        "answered in the same way.",
    ),
    (
        CIVITAI,
        "Log in there in a browser, make a key (Account settings, API Keys) and put it under "
        "“Tokens” here. Models in early access must be bought there first.",
    ),
    ("", "Download it in a browser where you are logged in, and put it into the models folder."),
)


def service_name(source: str) -> str:
    """What people call a service; empty for any other server."""
    return dict(NAMES)[source]


def check_status(answer: Answer, source: str) -> None:
    """Passes what may be read. Raises FetchRefused or FetchCut in words."""
    status, who = answer.status, dict(NAMES)[source] or f"“{answer.host}”"
    if status in (200, 206):
        return
    if status in (401, 403):
        raise FetchRefused(
            f"{who} wants to know who asks for this ({status}). {dict(WAYS)[source]}"
        )
    if status in (404, 410):
        raise FetchRefused(f"{who} has nothing there ({status}). Check the address.")
    if status in BUSY or status >= 500:
        raise FetchCut(f"{who} can't answer now ({status}). Try again in a few minutes.")
    raise FetchRefused(f"{who} refuses this ({status}). Check the address.")


def get_json(fetcher: Fetcher, url: str, source: str) -> Mapping[str, Any]:
    """A JSON object of an API. Raises FetchRefused or FetchCut."""
    answer = fetcher.get(url, {"Accept": "application/json"})
    try:
        check_status(answer, source)
        data = json.loads(answer.text())
    except (ValueError, RecursionError) as error:
        if isinstance(error, FetchRefused | FetchCut):
            raise
        raise FetchCut(_nonsense(source)) from error
    finally:
        answer.close()
    if not isinstance(data, dict):
        raise FetchCut(_nonsense(source))
    return data


def items(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list; empty for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: object, most: int = 300) -> str:
    """A text on one line; empty for anything else."""
    return " ".join(plain(value).split())[:most] if isinstance(value, str) else ""


def size(value: object) -> int | None:
    """A number of bytes, None for anything else."""
    is_number = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return int(value) if is_number else None  # type: ignore[call-overload]


def sha256_of(value: object) -> str:
    """A hash of 64 hex digits in small letters; empty for anything else."""
    said = value.strip().lower() if isinstance(value, str) else ""
    return said if len(said) == 64 and set(said) <= set("0123456789abcdef") else ""


def _nonsense(source: str) -> str:
    return f"{dict(NAMES)[source]} answered with nothing known. Try again later."
