"""How soon the page answers, what it costs, and how soon the engine is ready.

    python benchmarks/startup.py [--engine fake] [--runs 3]

Starts the real server in an empty data folder each time, asks for the page until it answers, and
submits a request at once, before the engine can be ready. Prints seconds as JSON; the processor
time of the web process is read from the system when the page has answered.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
PORT = 7893


def main() -> None:
    """Print the medians of some starts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    runs = [start_once(options.engine) for _ in range(options.runs)]
    median = {key: round(statistics.median(run[key] for run in runs), 2) for key in runs[0]}
    print(json.dumps({"median": median, "runs": runs}, indent=2))


def start_once(engine: str) -> dict[str, float]:
    """One start: seconds until the page answered, the engine was ready, the picture was there."""
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--data-dir", folder, "--port", str(PORT), "--no-autolaunch", "--engine", engine]
        began = time.monotonic()
        server = subprocess.Popen(
            [sys.executable, "app.py", *flags], cwd=ROOT, stderr=subprocess.DEVNULL
        )
        try:
            return measure(server.pid, began)
        finally:
            server.terminate()
            server.wait(30)


def measure(pid: int, began: float) -> dict[str, float]:
    """The figures of a server that has just been started."""
    wait_for("/")
    page_s, times = time.monotonic() - began, psutil.Process(pid).cpu_times()
    job = call("/api/v1/jobs", {"prompt": "a red apple, 3d style", "seed": 1})
    while call("/api/v1/state")["engines"][0]["state"] not in ("ready", "busy"):
        time.sleep(0.05)
    ready_s = time.monotonic() - began
    while call(f"/api/v1/jobs/{job['id']}")["state"] != "done":
        time.sleep(0.05)
    return {
        "page_s": round(page_s, 2),
        "page_cpu_s": round(times.user + times.system, 2),
        "engine_ready_s": round(ready_s, 2),
        "ready_after_page_s": round(ready_s - page_s, 2),
        "first_picture_s": round(time.monotonic() - began, 2),
    }


def wait_for(path: str) -> None:
    """Return when the server answers, at the latest after a minute."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}") as answer:
                answer.read()
                return
        except urllib.error.URLError:
            time.sleep(0.02)
    raise TimeoutError(path)


def call(path: str, body: dict[str, Any] | None = None) -> Any:
    """The JSON answer of the API."""
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
        request.add_header("X-Gesso", "1")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


if __name__ == "__main__":
    main()
