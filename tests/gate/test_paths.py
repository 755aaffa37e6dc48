"""No address reads a file that is not to be read, however it is written.

Paths are made by a grammar of everything that has ever led out of a folder: dots, both slashes,
encodings of them, drives, shares, reserved names, streams, absolute paths of files that are there.
Each goes to every route that takes something from its address, as the owner, who may ask for all.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import make_studio, png
from tests.gate.whole import Said, ask, served_app
from webui.gate.access import Access
from webui.gate.audit import audit
from webui.gate.gate import Gate
from webui.gate.gradio_rules import GRADIO_RULES
from webui.gate.server import protect

CANARY: Final = b"the canary sings"
ROOTS: Final = ("data", "outputs", "models")
SIGNS: Final = (CANARY, b"root:x:0:", b"SQLite format 3", b"[fonts]", b"-----BEGIN")
"""What no answer may hold: planted files, files of systems, databases, keys."""
PATHS_AT_ONCE: Final = 25


@dataclass(frozen=True, kw_only=True)
class Target:
    """A studio behind its gate, the routes to try, and the planted files."""

    gate: Gate
    routes: tuple[tuple[str, str], ...]
    """Method and path, the parameters of the path in braces."""
    planted: tuple[Path, ...]
    runner: asyncio.Runner


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A studio with a picture, and canaries beside and within its folders."""
    root = tmp_path_factory.mktemp("paths")
    studio = make_studio(root / "studio")
    studio.start()
    studio.inputs.add(png())
    places = [root, root / "studio", *(root / "studio" / name for name in ROOTS)]
    planted = tuple(place / "canary.txt" for place in places)
    for path in (*planted, root / "studio" / "outputs" / "canary.png"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CANARY)
    app = served_app(studio)
    routes = tuple(
        (method, decision.path)
        for decision in audit(app, GRADIO_RULES)
        for method in sorted(decision.methods & {"GET", "PUT", "POST", "PATCH", "DELETE"})
        if "{" in decision.path
        and decision.rule.access is not Access.CLOSED
        and not decision.rule.is_stream
    )
    with asyncio.Runner() as runner:
        yield Target(gate=protect(app), routes=routes, planted=planted, runner=runner)
    studio.close()


DOTS = ("..", ".", "...", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "%c0%ae%c0%ae", "．．", "․․")
SEPARATORS = ("/", "//", "\\", "%2f", "%5c", "%2F", "%252f", "%255c", "/./", "／", "∕", ";/")
NAMES = (
    "canary.txt", "canary.png", "CANARY.TXT", "data", "outputs", "models", "studio", "inputs",
    "people.sqlite", "jobs.sqlite", "settings.json", "gesso.log", "etc", "passwd", "proc", "self",
    "environ", "Windows", "win.ini", "app.py", "webui", "tls", "key.pem", "uploads", "x", "",
)  # fmt: skip
ODD = (
    "CON", "NUL", "aux.txt", "COM1", "lpt9.png", "canary.txt.", "canary.txt ", "canary.txt%20",
    "canary.txt::$DATA", "canary.txt:x", "canary.txt%00.png", "%00", "~", "~root", "$HOME",
    "%USERPROFILE%", "CANARY~1.TXT", "*", "?", "file:", "a" * 300,
)  # fmt: skip
STARTS = (
    "", "/", "//", "\\", "\\\\", "C:", "C:\\", "c:/", "%43%3a%5c", "\\\\?\\C:\\", "\\\\.\\",
    "//localhost/c$/", "\\\\127.0.0.1\\share\\", "file://", "file:///", "%2f", "%5c%5c",
    "/proc/self/root/", "/dev/fd/", "./", "../", "..\\",
)  # fmt: skip


def written(draw: st.DrawFn, planted: tuple[Path, ...]) -> str:
    """A path by the grammar, or that of a planted file in some spelling."""
    if draw(st.integers(0, 3)) == 0:
        real = str(draw(st.sampled_from(planted)))
        return draw(
            st.sampled_from(
                (real, real[1:], quote(real, safe=""), real.replace("/", "\\"), f"/{real}",
                 f"file://{real}", f"{real}/.", real.replace("/", "/./"), f"x/../..{real}")
            )
        )  # fmt: skip
    parts = draw(st.lists(st.sampled_from((*DOTS, *DOTS, *NAMES, *ODD)), min_size=1, max_size=9))
    between = [draw(st.sampled_from(SEPARATORS)) for _ in parts]
    body = "".join(f"{part}{separator}" for part, separator in zip(parts, between, strict=True))
    return draw(st.sampled_from(STARTS)) + body[: draw(st.sampled_from((len(body), -1)))]


def aimed(route: str, path: str) -> bytes:
    """The address of a route with this in place of its parameters, as a client may send it."""
    address = re.sub(r"\{[^}]*\}", lambda _: path, route)
    return address.encode("utf-8", "surrogatepass")


def check(target: Target, paths: list[str], rounds: int) -> None:
    """Send each path to a route in turn; nothing that is secret may come back."""

    async def everything() -> None:
        for n, path in enumerate(paths):
            for step in range(rounds):
                method, route = target.routes[(hash(path) + n + step * 7) % len(target.routes)]
                said = await ask(target.gate, method, aimed(route, path), [("x-gesso", "1")])
                assert_harmless(said, method, route, path)

    target.runner.run(everything())


def assert_harmless(said: Said, method: str, route: str, path: str) -> None:
    for sign in SIGNS:
        assert sign not in said.body, (method, route, path)
    assert said.status < 500, (method, route, path, said.status)


def try_paths(target: Target, examples: int) -> None:
    """Draw and send `examples` × PATHS_AT_ONCE paths."""

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def run(data: st.DataObject) -> None:
        paths = st.composite(written)(target.planted)
        check(target, data.draw(st.lists(paths, min_size=25, max_size=25)), rounds=1)

    run()
    assert all(path.read_bytes() == CANARY for path in target.planted)


def test_no_address_reads_outside_its_folder(target: Target) -> None:
    try_paths(target, 80)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_a_hundred_thousand_addresses_read_nothing(target: Target) -> None:
    try_paths(target, 4000)


@pytest.mark.parametrize("path", ["a" * 256, "é" * 128, "/".join(["a" * 200] * 20)])
def test_names_too_long_for_a_disk_are_refused(target: Target, path: str) -> None:
    """Gradio asks the disk, and would answer that it broke."""
    address = aimed("/assets/{path:path}", path)
    assert target.runner.run(ask(target.gate, "GET", address)).status == 400


def test_each_route_refuses_the_plain_way_out(target: Target) -> None:
    """Not left to chance: each route, each planted file, in each of the plain spellings."""
    ways = [
        spelling
        for path in target.planted
        for spelling in (
            str(path),
            quote(str(path), safe=""),
            "../" * 8 + str(path)[1:],
            quote("../" * 8 + str(path)[1:], safe=""),
            str(path).replace("/", "\\"),
        )
    ]

    async def everything() -> None:
        for method, route in target.routes:
            for way in ways:
                said = await ask(target.gate, method, aimed(route, way), [("x-gesso", "1")])
                assert_harmless(said, method, route, way)

    target.runner.run(everything())
