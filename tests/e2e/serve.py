"""The program as `app.py` runs it, with a fake engine that takes its time and fails on order.

Run as a process of its own: `python -m tests.e2e.serve FOLDER PORT SECONDS_PER_STEP SETTINGS`,
the last as JSON.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from webui.api.build import ASSETS, build_api
from webui.core.codec import encode
from webui.engine.faults import Fault, FaultKind
from webui.engine.process import EngineProcess
from webui.gate.server import open_loopback, protect, run
from webui.settings import SettingsStore
from webui.studio import Studio
from webui.team.opening import Opening
from webui.ui.build import mount_page

OUT_OF_MEMORY = "too large for this device"
CRASHES_ONCE = "crashes once"


def main(folder: str, port: str, seconds_per_step: str, more: str) -> None:
    """Serve until ended."""
    logging.basicConfig(level=logging.INFO)
    settings = SettingsStore({"data_dir": folder, "port": int(port), **json.loads(more)})
    faults = (
        Fault(kind=FaultKind.OUT_OF_MEMORY, prompt=OUT_OF_MEMORY),
        Fault(kind=FaultKind.CRASH, prompt=CRASHES_ONCE, times=1),
    )
    tally = Path(folder) / "tally"
    tally.mkdir(parents=True, exist_ok=True)
    options = {
        "seconds_per_step": float(seconds_per_step),
        "faults": [encode(fault) for fault in faults],
        "tally": str(tally),
    }
    studio = Studio(settings, [EngineProcess("fake", "webui.engine.fake:create", options)])
    studio.start()
    try:
        app = mount_page(build_api(studio, ASSETS), studio)
        gate = protect(
            app,
            Opening(settings.current).surroundings(studio.people),
            additions=app.state.page.additions,
        )
        studio.people.on_revoked(gate.end_streams)
        run(gate, open_loopback(int(port)))
    finally:
        studio.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
