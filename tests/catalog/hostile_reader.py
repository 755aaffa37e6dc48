"""Looks through a folder of models in a process of its own, and says what that took.

    python -m tests.catalog.hostile_reader FOLDER

Prints JSON: by file, what the catalog, the converter and the loader said, with processor seconds;
and the peak of this process's memory, and of any converter's, in MB.
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
import time
from pathlib import Path

from webui.catalog.recognise import recognise
from webui.core.errors import ModelUnreadable
from webui.families import load_families
from webui.families.safetensors_file import read_table
from webui.modelfiles.conversion import Converter


def main() -> None:
    """Read each file by all doors: the list of models, the converter, the loader of weights."""
    folder = Path(sys.argv[1])
    families, converter = tuple(load_families()), Converter(folder.parent / "converted")
    files = {}
    for path in sorted(file for file in folder.rglob("*") if file.is_file()):
        began = seconds()
        finding = recognise(path, (), families)
        looked = seconds()
        conversion = converted(converter, path)
        loading = loaded(path)
        files[str(path)] = {
            "kind": finding.kind,
            "problem": finding.problem,
            "look_s": looked - began,
            "conversion": conversion,
            "loading": loading,
            "use_s": seconds() - looked,
        }
    child_peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    peaks = {"peak_mb": own_peak_mb(), "child_peak_mb": child_peak_mb}
    sys.stdout.write(json.dumps({"files": files, **peaks}))


def own_peak_mb() -> float:
    """Of this program alone: what getrusage tells counts its parent's too, from before it began."""
    status = Path("/proc/self/status").read_text()
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return int(peak) / 1024


def seconds() -> float:
    """Processor time of this process and of those that it has ended."""
    times = os.times()
    return max(time.process_time(), times.user + times.system) + (
        times.children_user + times.children_system
    )


def converted(converter: Converter, path: Path) -> str:
    """Why a file is not converted; empty for one that was, or that is no pickle."""
    try:
        converter.safe_path(path)
    except ModelUnreadable as error:
        return str(error)
    return ""


def loaded(path: Path) -> str:
    """Why a file is not loaded; empty for one that would be."""
    try:
        read_table(path.name, path)
    except ModelUnreadable as error:
        return str(error)
    return ""


if __name__ == "__main__":
    main()
