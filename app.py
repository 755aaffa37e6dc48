"""The composition root: the one place that knows every part.

    Settings -> Engine -> Studio -> API + page -> gate -> serve

`app.py owner NAME` makes the owner of a studio instead, `app.py ext` works on extensions.

Heavy parts are imported late, so that a wrong flag answers at once and the engine's process gets
ready while this one builds the page.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Final

from webui.core.engine import Engine
from webui.core.errors import InvalidRequest
from webui.settings import Settings, SettingsStore, from_flags

if TYPE_CHECKING:
    from webui.team.opening import Opening

log = logging.getLogger("gesso")

LOG_BYTES: Final = 1_000_000
PORTS_TRIED: Final = 10
"""From the default port on, when the person asked for none: A1111 has the same default."""


def main(arguments: Sequence[str]) -> int:
    """Run the server until it is told to stop; the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    _stay_offline(os.environ)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that "finally" is done then, too
    if arguments[:1] == ["owner"]:
        from webui.team.owner import main as make_owner

        return make_owner(arguments[1:], os.environ)
    if arguments[:1] == ["ext"]:
        from webui.doctor.commands import main as work_on_extensions

        return work_on_extensions(arguments[1:])
    try:
        store = SettingsStore(from_flags(arguments, os.environ))
        return _serve_alone(store)
    except InvalidRequest as error:
        log.error("%s", error)
        return 2
    except KeyboardInterrupt:
        return 0


def _serve_alone(store: SettingsStore) -> int:
    """One server for a data folder: two would each run the other's jobs."""
    from filelock import FileLock, Timeout

    data = store.current.data
    data.mkdir(mode=0o700, parents=True, exist_ok=True)  # prompts and secrets lie there
    try:
        with FileLock(data / "lock").acquire(timeout=0):
            _keep_log(data)
            _serve(store)
    except Timeout:
        log.error(
            "Gesso already runs with the data folder %s. Use its page, or start another with "
            "--data-dir.",
            data,
        )
        return 3
    return 0


def _keep_log(data: Path) -> None:
    """What the terminal shows, also in a file: most artists never see a terminal."""
    kept = RotatingFileHandler(data / "gesso.log", maxBytes=LOG_BYTES, backupCount=1, delay=True)
    kept.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger().addHandler(kept)


def _serve(store: SettingsStore) -> None:
    from webui.doctor.at_install import InstallDoctor
    from webui.extend.watch import Watch
    from webui.gate.server import page_address, protect, run
    from webui.studio import SHIPPED, Studio
    from webui.team.opening import Opening

    opening = Opening(store.current)
    studio = Studio(store, [_engine(store.current)])
    sockets = _open_sockets(store, opening, has_owner=studio.people.has_owner())
    own = studio.extensions.data("")
    Watch([store.current.extensions, SHIPPED], studio.installs.saw, own).begin()
    studio.installs.use_doctor(InstallDoctor())
    studio.start()
    try:
        from webui.api.build import ASSETS, build_api
        from webui.desktop import show_page
        from webui.ui.build import mount_page

        app = mount_page(build_api(studio, ASSETS), studio)
        gate = protect(app, opening.surroundings(studio.people), additions=app.state.page.additions)
        studio.people.on_revoked(gate.end_streams)
        if opening.asks_who and not studio.people.has_owner():
            _ask_for_an_owner(page_address(sockets, opening.tls))
        if store.current.autolaunch:
            show_page(page_address(sockets, opening.tls))
        run(gate, sockets, opening.tls, opening.network(studio.people))
    finally:
        studio.close()


def _ask_for_an_owner(address: str) -> None:
    log.info(
        "This studio has no owner yet, so only this machine can reach it. Open %s and choose a "
        "name and a password, or run “python launch.py owner NAME” in another terminal.",
        address,
    )


def _open_sockets(
    store: SettingsStore, opening: Opening, *, has_owner: bool
) -> list[socket.socket]:
    """On the port asked for; when none was, on the first free one from the default on. Others
    can't come before there is an owner."""
    from webui.gate.sockets import open_loopback, open_network

    def opened(port: int) -> list[socket.socket]:
        if opening.is_lan and has_owner:
            return open_network(port, opening.addresses)
        return open_loopback(port)

    port = store.current.port
    if "port" not in store.fixed:
        for candidate in range(port, port + PORTS_TRIED):
            with contextlib.suppress(InvalidRequest):
                return opened(candidate)
    return opened(port)


def _engine(settings: Settings) -> Engine:
    from webui.engine.process import EngineProcess

    if settings.engine == "fake":
        pace = {"seconds_per_step": settings.fake_step_s}
        return EngineProcess("fake", "webui.engine.fake:create", pace)
    options = {
        "use_cpu": settings.use_cpu,
        "device_id": settings.device_id,
        "threads": settings.threads,
        "compile_models": settings.compile_models,
        "fp8_matmul": settings.fp8_matmul,
        "state_dir": str(settings.data / "engine"),
    }
    return EngineProcess("main", "webui.engine.local:create", options)


def _stay_offline(environment: os._Environ[str]) -> None:
    """No library may call home: not Gradio's analytics, not the hub, not its telemetry."""
    environment["GRADIO_ANALYTICS_ENABLED"] = "False"
    environment["HF_HUB_OFFLINE"] = "1"
    environment["HF_HUB_DISABLE_TELEMETRY"] = "1"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
