"""How long parts of a start take."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from webui.compat.missing import unprovided


class Timer:
    """Seconds by category, from one `record` to the next."""

    def __init__(self, print_log: bool = False) -> None:
        self.start = time.time()
        self.records: dict[str, float] = {}
        self.total: float = 0
        self.base_category = ""
        self.print_log = print_log
        self.subcategory_level = 0

    def elapsed(self) -> float:
        """Seconds since the last call."""
        end = time.time()
        passed = end - self.start
        self.start = end
        return passed

    def record(self, category: str, extra_time: float = 0, disable_log: bool = False) -> None:
        """What passed since the last record belongs to this category."""
        passed = self.elapsed()
        name = self.base_category + category
        self.records[name] = self.records.get(name, 0) + passed + extra_time
        self.total += passed + extra_time

    @contextmanager
    def subcategory(self, name: str) -> Iterator[None]:
        """What is recorded within belongs to `name/`."""
        self.elapsed()
        before, self.base_category = self.base_category, f"{self.base_category}{name}/"
        try:
            yield
        finally:
            self.base_category = before
            self.record(name, disable_log=True)

    def summary(self) -> str:
        """All in a line."""
        parts = [f"{name}: {seconds:.1f}s" for name, seconds in self.records.items()]
        return f"{self.total:.1f}s" + (f" ({', '.join(parts)})" if parts else "")

    def dump(self) -> dict[str, Any]:
        """All as data."""
        return {"total": self.total, "records": self.records}

    def reset(self) -> None:
        """Begin anew."""
        self.__init__()  # type: ignore[misc]


parser = argparse.ArgumentParser(add_help=False)
startup_timer = Timer()
startup_record: Any = None

__getattr__ = unprovided(__name__)
