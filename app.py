"""The composition root: the one place that knows every part.

Settings -> Engine -> Studio -> API + page -> gate -> serve
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from webui.core.engine import Engine
from webui.core.errors import InvalidRequest
from webui.settings import Settings, SettingsStore, from_flags

log = logging.getLogger("gesso")


def main(arguments: Sequence[str]) -> int:
    """Run the server until it is told to stop; the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    _stay_offline(os.environ)
    try:
        store = SettingsStore(from_flags(arguments, os.environ))
    except InvalidRequest as error:
        log.error("%s", error)
        return 2
    return _serve(store)


def _serve(store: SettingsStore) -> int:
    """Imported late, so that a wrong flag answers at once."""
    from filelock import FileLock, Timeout

    from webui.api.build import ASSETS, build_api
    from webui.gate.server import protect, run
    from webui.studio import Studio
    from webui.ui.build import mount_page

    settings = store.current
    settings.data.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(settings.data / "lock").acquire(timeout=0)
    except Timeout:
        log.error(
            "Gesso already runs with the data folder %s. Use its page, or start this one "
            "with another --data-dir.",
            settings.data,
        )
        return 3
    studio = Studio(store, [_engine(settings)])
    with lock:
        studio.start()
        try:
            app = mount_page(build_api(studio, ASSETS), studio)
            return run(protect(app), settings)
        finally:
            studio.close()


def _engine(settings: Settings) -> Engine:
    from webui.engine.process import EngineProcess

    if settings.engine == "fake":
        pace = {"seconds_per_step": settings.fake_step_s}
        return EngineProcess("fake", "webui.engine.fake:create", pace)
    options = {
        "use_cpu": settings.use_cpu,
        "device_id": settings.device_id,
        "threads": settings.threads,
    }
    return EngineProcess("main", "webui.engine.local:create", options)


def _stay_offline(environment: os._Environ[str]) -> None:
    """No library may call home: not Gradio's analytics, not the hub, not its telemetry."""
    environment["GRADIO_ANALYTICS_ENABLED"] = "False"
    environment["HF_HUB_OFFLINE"] = "1"
    environment["HF_HUB_DISABLE_TELEMETRY"] = "1"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
