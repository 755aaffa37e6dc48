"""Whether a package index can be reached, found out within seconds."""

from __future__ import annotations

import socket
import ssl
import threading
import urllib.error
import urllib.request
from typing import Final

PATIENCE_S: Final = 5.0


def why_unreachable(url: str, patience_s: float = PATIENCE_S) -> str:
    """In a few words why an index does not answer, "" when it does. Takes `patience_s` at most.

    Proxies of the environment are used. A certificate that Python doesn't trust counts as an
    answer: pip has its own settings for those. It runs in a thread because looking a name up
    knows no timeout.
    """
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(_ask(url, patience_s)), daemon=True)
    thread.start()
    thread.join(patience_s)
    return answers[0] if answers else f"no answer within {patience_s:g} s"


def _ask(url: str, patience_s: float) -> str:
    try:
        request = urllib.request.Request(f"{url.rstrip('/')}/torch/", method="HEAD")
        with urllib.request.urlopen(request, timeout=patience_s):
            return ""
    except urllib.error.HTTPError as error:
        return f"it answered {error.code} {error.reason}"
    except urllib.error.URLError as error:
        return explain(error.reason)
    except (OSError, ValueError) as error:
        return explain(error)


def explain(reason: object) -> str:
    """A network error in a few words; "" for an untrusted certificate."""
    match reason:
        case ssl.SSLCertVerificationError():
            return ""
        case socket.gaierror():
            return "its name can't be looked up"
        case TimeoutError():
            return "no answer"
        case ConnectionRefusedError():
            return "connection refused"
        case _:
            return str(reason)
