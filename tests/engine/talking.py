"""A fake engine that talks: it logs, prints, and writes past Python to standard output."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

from webui.engine.fake import FakeEngine

log = logging.getLogger(__name__)


def create(options: Mapping[str, object]) -> FakeEngine:
    """The engine, after some noise."""
    log.info("ready to talk")
    print("a library greets")
    os.write(1, b"\x00\x01 a native library greets\n")
    return FakeEngine()
