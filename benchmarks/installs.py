"""How long an extension takes from a zip to being on, with the doctor, and which part takes it.

    python benchmarks/installs.py [--rounds 3]

The extension is small (an image_post hook), or the folder named with --folder. Packages come from
where pip is set to fetch them. Prints JSON: medians in seconds of fetching and looking through it,
of finding packages and trying it out, of putting it into its place and switching it on; `ours` is
all but the doctor's own time. The bar is 20 s for the whole.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import statistics
import tempfile
import time
import zipfile
from pathlib import Path

from webui.doctor.at_install import InstallDoctor
from webui.engine.fake import FakeEngine
from webui.installs.installs import Confirmed, Installs
from webui.installs.source import Asked
from webui.installs.task import Choices, Task
from webui.settings import SettingsStore
from webui.studio import Studio

MANIFEST = 'id = "small-one"\nname = "Small one"\nversion = "1"\n'
CODE = "from webui.extend import hook\n\n@hook\ndef image_post(item):\n    return item.image\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    rows = [one_round(given.folder) for _ in range(given.rounds)]
    print(json.dumps({name: statistics.median(row[name] for row in rows) for name in rows[0]}))


def one_round(folder: Path | None) -> dict[str, float]:
    """An installation into an empty studio."""
    with tempfile.TemporaryDirectory() as root:
        settings = SettingsStore({"data_dir": root, "keep_free_mb": 0})
        studio = Studio(settings, [FakeEngine("fake")])
        studio.start()
        studio.installs.use_doctor(InstallDoctor())
        try:
            return timed(studio.installs, folder)
        finally:
            studio.close()


def timed(installs: Installs, folder: Path | None) -> dict[str, float]:
    """Seconds of each step."""
    times = [time.perf_counter()]

    def done(task: Task) -> Task:
        times.append(time.perf_counter())
        assert task.review is not None, task.note
        return task

    if folder is None:
        begun = installs.begin_upload("small-one.zip", packed())
    else:
        begun = installs.begin(Asked(address=str(folder.resolve())))
    task = done(installs.wait(begun.id))
    task = done(installs.wait(installs.examine(task.id, Choices(is_lenient=True)).id))
    assert task.review is not None
    assert task.verdict is not None, task.note
    yes = Confirmed(fingerprint=task.review.fingerprint)
    task = done(installs.wait(installs.confirm(task.id, yes).id))
    assert task.state.value == "done", task.note
    looked, tried, put = (late - early for early, late in itertools.pairwise(times))
    whole, doctor = times[-1] - times[0], task.verdict.seconds if task.verdict else 0.0
    return {"look": looked, "try": tried, "put": put, "whole": whole, "ours": whole - doctor}


def packed() -> bytes:
    """The zip of a small extension."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("extension.toml", MANIFEST)
        made.writestr("__init__.py", CODE)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
