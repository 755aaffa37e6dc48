"""How soon the page follows when an extension is switched on or off, as a browser sees it.

    python benchmarks/page_swap.py [--rounds 10]

A whole server runs in a process of its own, with the fake engine in another. Told are the medians:
`answer_s` until the switch is answered, `page_s` until the page that is handed out is another,
`page_of_ours_s` what the first page took to build when the server was started, and whether the
engine is the same process as before (its model was not dropped). Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
import urllib.request
from multiprocessing.connection import Connection
from pathlib import Path

ID = "wash"
MODULE = """
from webui.extend import Slider, Tab, Toggle, hook

INPUTS = [Toggle("enabled", "Wash"), Slider("depth", "Depth", 0.5)]

@hook
def image_post(item, inputs): ...

@hook
def register_tabs(register):
    import gradio as gr
    register(Tab(title="Washing", build=lambda page: gr.Textbox("", label="Words")))
"""
HEADERS = {"X-Gesso": "1"}
NUMBER = "/gradio_api/app_id"
"""Of the page that is handed out."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    asked = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "extensions").mkdir()
        (Path(folder) / "extensions" / f"{ID}.py").write_text(MODULE, "utf-8")
        server = context.Process(target=serve, args=(folder, theirs))
        server.start()
        port, built_s = ours.recv()
        url = f"http://localhost:{port}"
        answers, pages = [], []
        boot = ask(url, "GET", "/api/v1/state")["engines"][0]
        for _ in range(asked.rounds):
            for verb, is_there in (("enable", True), ("disable", False)):
                answer_s, page_s = switched(url, verb, is_there=is_there)
                answers.append(answer_s)
                pages.append(page_s)
        same = ask(url, "GET", "/api/v1/state")["engines"][0] == boot
        ours.send("stop")
        server.join()
    result = {
        "answer_s": statistics.median(answers),
        "page_s": statistics.median(pages),
        "page_worst_s": max(pages),
        "page_of_ours_s": built_s,
        "engine_stayed": same,
    }
    print(json.dumps(result, indent=2))


def switched(url: str, verb: str, *, is_there: bool) -> tuple[float, float]:
    """Seconds until the answer, and until the page shows it."""
    before = fetch(url, "GET", NUMBER)
    begun = time.perf_counter()
    ask(url, "POST", f"/api/v1/extensions/{ID}/{verb}")
    answered = time.perf_counter() - begun
    while fetch(url, "GET", NUMBER) == before:
        time.sleep(0.01)
    took = time.perf_counter() - begun
    assert (b"Washing" in fetch(url, "GET", "/config")) is is_there
    return answered, took


def ask(url: str, method: str, path: str) -> dict[str, object] | list[dict[str, object]]:
    return json.loads(fetch(url, method, path))


def fetch(url: str, method: str, path: str) -> bytes:
    request = urllib.request.Request(url + path, method=method, headers=HEADERS)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())


def serve(folder: str, pipe: Connection) -> None:
    """Until told to stop."""
    import threading

    from webui.api.build import ASSETS, build_api
    from webui.engine.process import EngineProcess
    from webui.gate.server import build_server, open_loopback, protect
    from webui.settings import SettingsStore
    from webui.studio import Studio
    from webui.ui.build import mount_page

    store = SettingsStore({"data_dir": folder, "keep_free_mb": 0})
    studio = Studio(store, [EngineProcess("fake", "webui.engine.fake:create", {})])
    studio.start()
    try:
        api = build_api(studio, ASSETS)
        begun = time.perf_counter()
        app = mount_page(api, studio)
        built_s = time.perf_counter() - begun
        sockets = open_loopback(0)
        server = build_server(protect(app, additions=app.state.page.additions))
        threading.Thread(target=lambda: (pipe.recv(), setattr(server, "should_exit", True))).start()
        pipe.send((sockets[0].getsockname()[1], built_s))
        server.run(sockets=sockets)
    finally:
        studio.close()


if __name__ == "__main__":
    main()
