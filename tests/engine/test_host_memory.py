"""What the C library does with memory that is free again; in processes of their own, as it is told
for good."""

from __future__ import annotations

import json
import mmap
import os
import platform
import subprocess
import sys
from typing import Final

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc alone can be told")

SCRIPT: Final = """
import json, mmap, resource, threading
from pathlib import Path
from webui.engine.host_memory import give_back_freed_memory, keep_freed_memory

if LIMIT:
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def used():
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE

def fill():
    before = faults()
    for _ in range(5):
        pieces = [b"x" * (8 << 20) for _ in range(20)]
        del pieces
    told["faults"] = faults() - before
    told["used"] = used()

told = {"is_kept": keep_freed_memory()}
thread = threading.Thread(target=fill)
thread.start()
thread.join()
give_back_freed_memory()
told["used_after"] = used()
print(json.dumps(told))
"""
ROUND_BYTES: Final = 20 * (8 << 20)
ROUND_PAGES: Final = ROUND_BYTES // mmap.PAGESIZE


def told(limit: int = 0, **environment: str) -> dict[str, int]:
    """What the script saw that makes twenty large pieces five times. `limit`: of its addresses."""
    done = subprocess.run(
        [sys.executable, "-c", f"LIMIT = {limit}{SCRIPT}"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, int] = json.loads(done.stdout)
    return answer


def test_what_is_freed_is_used_again_and_goes_back_in_the_end() -> None:
    kept = told()
    assert kept["is_kept"]
    assert kept["faults"] < 2 * ROUND_PAGES
    assert kept["used"] - kept["used_after"] > ROUND_BYTES / 2


def test_what_the_person_said_of_memory_stays() -> None:
    left = told(MALLOC_MMAP_THRESHOLD_=str(1 << 20))
    assert not left["is_kept"]
    assert left["faults"] > 4 * ROUND_PAGES


def test_nothing_is_kept_where_addresses_are_counted() -> None:
    assert not told(limit=1 << 40)["is_kept"]
