"""Stable Diffusion 1.5 and XL, whole: ours beside stock diffusers, on the same random weights.

    python benchmarks/diffusion.py [--cpu] [--quick] [--tiny] [--only ROW ...] [--out FILE]

Each side runs in a process of its own and appends its rows to a file of JSON lines at once, so that
a run that is cut short keeps what it measured; a row that fails says so and the rest goes on.
At the end: a table of medians and ratios, and all of it as JSON. Rows (`--only` takes beginnings):

| row | what |
|---|---|
| sd15-b1, sd15-b4, sdxl-b1, sdxl-b4 | prompt to PIL picture, 30 Euler steps with guidance |
| sd15-unet, sdxl-unet | one call of the UNet on the GPU: eager, as a graph, in both layouts |
| sd15-compiled, sdxl-compiled | the same, blocks compiled (only with --compile: it takes minutes) |
| sd15-fp8-unet, sdxl-fp8-unet | one call with matrices in 8 bits: times as fast, how far off |
| sd15-fp8-b1, sdxl-fp8-b1 | whole pictures so, beside those in 16 bits |
| sd15-cache-b1, sdxl-cache-b1 | whole pictures with the step cache, beside those without |
| sd15-vae, sdxl-vae | decoding: at once, by rows, in both layouts |
| sdxl-first | the first SDXL model of a process, told before or not: until ready, until a step |
| sdxl-switch | from one checkpoint to another and back, and what memory stays behind |
| cap-5.5, cap-3.5, cap-1.7, cap-sd15-3.5 | SDXL with so many GiB of the GPU, and SD 1.5 |

`--cpu` runs the SD 1.5 rows on the processor; `--tiny` goes all ways with networks of no weight.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

SIDES = (
    ("sd15", "stock"),
    ("sd15", "gesso"),
    ("sdxl", "stock"),
    ("sdxl", "gesso"),
    ("caps", "gesso"),
    ("caps", "stock"),
)
CHILD = Path(__file__).with_name("diffusion_side.py")
LIMIT_S = 420
"""Of one process."""


def main() -> None:
    """Measure and print."""
    options = _options()
    out = Path(options.out or "diffusion-benchmark.json")
    lines = out.with_suffix(".jsonl")
    lines.unlink(missing_ok=True)
    folder = Path(options.dir or tempfile.mkdtemp(prefix="gesso-benchmark-", dir=_roomy()))
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    try:
        for kind, side in _wanted(options):
            _run(options, kind, side, folder, lines)
            print(f"-- {kind} {side} done after {time.monotonic() - started:.0f} s", flush=True)
            _report(lines, out)
    finally:
        if not options.dir:
            shutil.rmtree(folder, ignore_errors=True)
    print(_table(_read(lines)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--cpu", action="store_true", help="the processor, SD 1.5 alone")
    parser.add_argument("--tiny", action="store_true", help="networks of no weight: a rehearsal")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--compile", action="store_true", help="also compiled blocks: minutes")
    parser.add_argument("--switches", type=int, default=10, help="of checkpoints, for the memory")
    parser.add_argument("--threads", type=int, default=0, help="of the processor")
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[], help="rows that begin so")
    parser.add_argument("--sides", nargs="*", default=[], help="stock, gesso")
    parser.add_argument("--dir", help="where the checkpoints lie; they stay there")
    parser.add_argument("--out", help="the JSON file")
    return parser.parse_args()


def _wanted(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    for kind, side in SIDES:
        if options.cpu and kind != "sd15":
            continue
        if options.sides and side not in options.sides:
            continue
        is_named = any(row.startswith(kind.rstrip("s")) or kind == row for row in options.only)
        if not options.only or is_named:
            yield kind, side


def _run(options: argparse.Namespace, kind: str, side: str, folder: Path, lines: Path) -> None:
    """One process. Whatever becomes of it is in the file."""
    told = {**vars(options), "kind": kind, "side": side, "dir": str(folder), "lines": str(lines)}
    environment = dict(os.environ)
    if options.threads:
        environment["OMP_NUM_THREADS"] = str(options.threads)
    limit = None if options.cpu or options.tiny else LIMIT_S
    try:
        done = subprocess.run(
            [sys.executable, str(CHILD), json.dumps(told)], env=environment, timeout=limit
        )
        failure = f"ended with {done.returncode}" if done.returncode else ""
    except subprocess.TimeoutExpired:
        failure = f"not done after {limit} s"
    if failure:
        with lines.open("a") as file:
            file.write(json.dumps({"row": kind, "side": side, "failed": failure}) + "\n")


def _roomy() -> str | None:
    """A folder in memory, where there is room for the checkpoints."""
    memory = Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > 12e9:
        return str(memory)
    return None


def _read(lines: Path) -> list[dict[str, Any]]:
    if not lines.exists():
        return []
    return [json.loads(line) for line in lines.read_text().splitlines() if line]


def _report(lines: Path, out: Path) -> None:
    rows = _read(lines)
    out.write_text(json.dumps({"rows": rows, "ratios": _ratios(rows)}, indent=1))


def _ratios(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """How many times as long stock diffusers takes."""
    seconds = {(row["row"], row["side"]): row["s"] for row in rows if "s" in row}
    return {
        name: round(took / seconds[name, "gesso"], 3)
        for (name, side), took in seconds.items()
        if side == "stock" and seconds.get((name, "gesso"))
    }


def _table(rows: Sequence[dict[str, Any]]) -> str:
    """For people."""
    ratios, shown = _ratios(rows), []
    for row in rows:
        facts = {key: value for key, value in row.items() if key not in ("row", "side", "times")}
        if row["side"] == "gesso" and row["row"] in ratios:
            facts["times_faster"] = ratios[row["row"]]
        words = "  ".join(f"{key} {value}" for key, value in facts.items())
        shown.append(f"{row['row']:28} {row['side']:6} {words}")
    return "\n".join(shown)


if __name__ == "__main__":
    main()
