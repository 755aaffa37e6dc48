"""Every combination of host, origin, fetch metadata, method and route is let in or kept out.

What must happen is written down here as a table in words, apart from the code that decides: who
sends such a request, and whether they may.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket

from tests.gate.people import NamedDoorkeeper
from tests.gate.site import Answer, Site, plain_app, read_answer, serving
from webui.gate.access import Access, needs
from webui.gate.certificate import own_certificate
from webui.gate.gate import Surroundings
from webui.gate.names import Names, read_allowed
from webui.gate.server import protect
from webui.gate.tls import Tls

GOOD_HOSTS = ("localhost:{port}", "127.0.0.1:{port}", "[::1]:{port}", "LocalHost:{port}")
BAD_HOSTS: tuple[tuple[str, ...], ...] = (
    (),
    ("",),
    ("localhost:{port}", "localhost:{port}"),
    ("localhost:{port}", "evil.example"),
    ("evil.example",),
    ("evil.example:{port}",),
    ("localhost",),
    ("localhost:",),
    ("localhost:1",),
    ("localhost:0{port}",),
    ("localhost:+{port}",),
    ("localhost:{port}:{port}",),
    ("localhost.:{port}",),
    ("localhost.evil.example:{port}",),
    ("evil.example#localhost:{port}",),
    ("localhost:{port}/",),
    ("me@localhost:{port}",),
    ("localhost:{port}@evil.example",),
    ("http://localhost:{port}",),
    ("localhost,evil.example:{port}",),
    ("127.0.0.1.nip.io:{port}",),
    ("127.1:{port}",),
    ("127.0.0.2:{port}",),
    ("127.000.000.001:{port}",),
    ("0.0.0.0:{port}",),
    ("2130706433:{port}",),
    ("0x7f000001:{port}",),
    ("192.168.1.20:{port}",),
    ("[::ffff:127.0.0.1]:{port}",),
    ("[0:0:0:0:0:0:0:1]:{port}",),
    ("::1:{port}",),
    ("[::1%25lo]:{port}",),
    ("locaIhost:{port}",),
    ("l\xf6calhost:{port}",),
)
FOREIGN_ORIGINS = (
    "null",
    "",
    "http://evil.example",
    "https://localhost:{port}",
    "http://localhost",
    "http://localhost:3000",
    "http://127.0.0.1:{port}",
    "http://localhost:{port}/",
    "http://localhost:{port}.evil.example",
    "http://me@localhost:{port}",
    "file://",
    "chrome-extension://abcdefghijklmnop",
)
OWN_ORIGIN = "http://localhost:{port}"

SITES: dict[str, tuple[tuple[str, str], ...]] = {
    "program": (),
    "own page": (("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "cors")),
    "typed": (
        ("Sec-Fetch-Site", "none"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "document"),
    ),
    "link": (
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "document"),
    ),
    "link from another port": (
        ("Sec-Fetch-Site", "same-site"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "document"),
    ),
    "frame": (
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "iframe"),
    ),
    "foreign image": (
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "no-cors"),
        ("Sec-Fetch-Dest", "image"),
    ),
    "foreign fetch": (("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "cors")),
    "other port": (("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "no-cors")),
    "nonsense": (("Sec-Fetch-Site", "sideways"),),
    "two answers": (("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")),
}
PAGES = (("GET", "/"), ("HEAD", "/"), ("GET", "/a-page"))
READS = (
    ("GET", "/api/v1/thing"),
    ("GET", "/config"),
    ("GET", "/theme.css"),
    ("GET", "/static/img/logo_nosize.svg"),
    ("GET", "/gradio_api/file=/etc/hostname"),
    ("GET", "/no/such/route"),
    ("OPTIONS", "/gradio_api/upload"),
)
WRITES = (
    ("POST", "/gradio_api/queue/join"),
    ("POST", "/gradio_api/upload"),
    ("POST", "/gradio_api/cancel"),
    ("POST", "/gradio_api/vibe-edit"),
    ("POST", "/"),
    ("POST", "/a-page"),
)
API_WRITES = (
    ("POST", "/api/v1/thing"),
    ("PUT", "/api/v1/thing"),
    ("PATCH", "/api/v1/thing"),
    ("DELETE", "/api/v1/thing"),
    ("POST", "/api/v1/upload"),
)
FRIENDS = ("program", "own page", "typed")
"""Who may ask for anything, when the Origin is the server's own or absent."""
LINKS = ("link", "link from another port")
"""Who may open a page besides, and nothing else."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A request, and the status of the gate's refusal; 0 when it must be let in."""

    method: str
    path: str
    origin: str | None
    site: str
    has_header: bool
    refusal: int

    @property
    def id(self) -> str:
        header = "+header" if self.has_header else ""
        return f"{self.method} {self.path} {self.origin} {self.site}{header}"


def cases() -> Iterator[Case]:
    """The whole product for one good host."""
    origins = (None, OWN_ORIGIN, *FOREIGN_ORIGINS)
    routes = (*PAGES, *READS, *WRITES, *API_WRITES)
    for (method, path), origin, site in itertools.product(routes, origins, SITES):
        for has_header in (False, True) if (method, path) in API_WRITES else (False,):
            is_friend = origin in (None, OWN_ORIGIN) and site in FRIENDS
            is_link = origin in (None, OWN_ORIGIN) and site in LINKS and (method, path) in PAGES
            is_program = origin is None and site == "program"
            lacks_header = (method, path) in API_WRITES and not has_header and not is_program
            is_let_in = (is_friend or is_link) and not lacks_header
            yield Case(
                method=method,
                path=path,
                origin=origin,
                site=site,
                has_header=has_header,
                refusal=0 if is_let_in else 403,
            )


CASES = tuple(cases())
GATE_WORDS = (b"came from another site", b"X-Gesso: 1", b"does not answer to the address")


def test_the_matrix_is_large_and_has_both_answers() -> None:
    refused = sum(case.refusal == 403 for case in CASES)
    assert len(CASES) >= 2000
    assert 100 <= len(CASES) - refused < refused


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"])
def test_requests_are_let_in_or_kept_out(site: Site, method: str) -> None:
    """One test for each method: three thousand tests of a millisecond would drown the report."""
    wrong = [case.id for case in CASES if case.method == method and not as_expected(site, case)]
    assert wrong == []


def as_expected(site: Site, case: Case) -> bool:
    headers = list(SITES[case.site])
    if case.origin is not None:
        headers.append(("Origin", case.origin.format(port=site.port)))
    if case.has_header:
        headers.append(("X-Gesso", "1"))
    answer = site.ask(case.method, case.path, headers)
    is_refused = case.method != "HEAD" and any(words in answer.body for words in GATE_WORDS)
    if case.method == "HEAD":
        is_refused = answer.status == 403
    return (answer.status == 403 and is_refused) if case.refusal else not is_refused


@pytest.mark.parametrize("hosts", BAD_HOSTS, ids=" + ".join)
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("POST", "/api/v1/thing"), ("GET", "/no/such/route")]
)
def test_other_names_are_not_answered_to(
    site: Site, hosts: tuple[str, ...], method: str, path: str
) -> None:
    answer = site.ask(method, path, hosts=[host.format(port=site.port) for host in hosts])
    # h11 itself takes no request with two Host headers or none.
    assert answer.status in ((421,) if len(hosts) == 1 else (400, 421))
    assert b"gradio" not in answer.body


@pytest.mark.parametrize("host", GOOD_HOSTS)
def test_own_names_are_answered_to(site: Site, host: str) -> None:
    name = host.format(port=site.port)
    assert site.ask("GET", "/", hosts=[name]).status == 200
    own = ("Origin", f"http://{name.lower()}")
    assert site.ask("GET", "/api/v1/thing", [own], hosts=[name]).status == 200


def test_the_ipv6_address_is_served(site: Site) -> None:
    with closing(socket.create_connection(("::1", site.port), timeout=20)) as connection:
        connection.sendall(f"GET /config HTTP/1.1\r\nHost: [::1]:{site.port}\r\n\r\n".encode())
        assert read_answer(connection).status == 200


def test_a_name_of_this_machine_does_not_make_another_one_its_own(site: Site) -> None:
    """A page at 127.0.0.1 is another site to localhost, as it is to the browser."""
    foreign = ("Origin", f"http://127.0.0.1:{site.port}")
    assert site.get("/api/v1/thing", foreign).status == 403


@pytest.mark.parametrize(
    "target",
    ["http://evil.example/", "http://localhost/", "*", "evil", "/a%00b", "/a%0ab", "/login%0a"],
)
def test_odd_request_targets_are_refused(site: Site, target: str) -> None:
    assert site.get(target).status == 400


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:3000", "https://localhost:{port}"]
)
def test_websocket_handshakes_from_elsewhere_are_refused(site: Site, origin: str) -> None:
    handshake = (
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ("Origin", origin.format(port=site.port)),
    )
    assert site.get("/gradio_api/queue/join", *handshake).status == 403
    assert site.get("/", *handshake).status == 403


@pytest.mark.parametrize(
    ("origin", "site", "path", "is_let_in"),
    [
        ("http://localhost:7860", "same-origin", "/socket", True),
        (None, None, "/socket", True),
        ("http://evil.example", None, "/socket", False),
        ("http://evil.example", "cross-site", "/socket", False),
        ("http://localhost:7860", "cross-site", "/socket", False),
        ("null", None, "/socket", False),
        ("http://localhost:7860", "same-origin", "/closed", False),
        ("http://localhost:7860", "same-origin", "/unlisted", False),
    ],
)
def test_websockets_are_judged_before_they_are_accepted(
    origin: str | None, site: str | None, path: str, is_let_in: bool
) -> None:
    given = {"origin": origin, "sec-fetch-site": site}
    headers = {name: value for name, value in given.items() if value is not None}
    client = TestClient(protect(socket_app()), base_url="http://localhost:7860")
    with contextlib.ExitStack() as stack:
        connect = functools.partial(
            client.websocket_connect, f"ws://localhost:7860{path}", headers=headers
        )
        if is_let_in:
            assert stack.enter_context(connect()).receive_text() == "welcome"
        else:
            with pytest.raises(WebSocketDenialResponse) as raised:
                stack.enter_context(connect())
            assert raised.value.status_code in (403, 404)


LAN_HOSTS = ("192.168.1.20", "[fd00::20]", "studio", "studio.local")
LAN_ALLOWED = "gesso.example.org,nas.lan:8080"
LAN_BAD_HOSTS = (
    "192.168.1.21:{port}",
    "192.168.1.200:{port}",
    "192.168.1.20",
    "192.168.1.20:1",
    "0.0.0.0:{port}",
    "[fd00::21]:{port}",
    "[fd00:0:0:0:0:0:0:20]:{port}",
    "[::ffff:192.168.1.20]:{port}",
    "[::]:{port}",
    "studio.local.:{port}",
    "studio.local.evil.example:{port}",
    "other.local:{port}",
    "local:{port}",
    "evil.studio:{port}",
    "studio.evil.example:{port}",
    "192.168.1.20.nip.io:{port}",
    "192.168.1.20@evil.example",
    "evil.example:{port}",
    "www.gesso.example.org",
    "gesso.example.org.evil.example",
    "nas.lan",
    "nas.lan:{port}",
)


@pytest.fixture(scope="module", params=["plain", "tls"])
def lan_site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A server of the network, asked over loopback: the names are what counts."""
    names = Names(own=lambda: LAN_HOSTS, allowed=read_allowed(LAN_ALLOWED))
    folder = tmp_path_factory.mktemp("tls")
    tls = Tls(lambda: own_certificate(folder, LAN_HOSTS)) if request.param == "tls" else None
    gate = protect(lan_app(), Surroundings(names=names, doorkeeper=NamedDoorkeeper()))
    with serving(gate, tls=tls) as running:
        yield running


def lan_app() -> FastAPI:
    """Routes of every kind, those of other programs' dialects and a websocket among them."""
    made = plain_app()

    @needs(Access.ARTIST)
    def thing() -> dict[str, str]:
        return {}

    for path in ("/sdapi/v1/thing", "/v1/thing", "/mcp"):
        made.add_api_route(path, thing, methods=["GET", "POST"])

    @made.websocket("/api/v1/socket")
    @needs(Access.ARTIST, is_stream=True)
    async def welcome(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    return made


LAN_ROUTES = (
    ("GET", "/a-page"),
    ("GET", "/api/v1/thing"),
    ("POST", "/api/v1/thing"),
    ("DELETE", "/api/v1/thing"),
    ("POST", "/sdapi/v1/thing"),
    ("POST", "/v1/thing"),
    ("POST", "/mcp"),
    ("GET", "/sdapi/v1/thing"),
    ("GET", "/no/such/route"),
    ("WEBSOCKET", "/api/v1/socket"),
)
ANYBODY, ARTIST = (), (("X-Person", "artist Ada"),)
HANDSHAKE = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
)


def lan_ask(site: Site, method: str, path: str, host: str, *headers: tuple[str, str]) -> Answer:
    more = HANDSHAKE if method == "WEBSOCKET" else ()
    verb = "GET" if method == "WEBSOCKET" else method
    return site.ask(verb, path, (*more, *headers), hosts=[host])


def lan_origins(site: Site, host: str) -> dict[str, bool]:
    """Origins, and whether each is that of the page at this host."""
    scheme, other = site.scheme, {"http": "https", "https": "http"}[site.scheme]
    named = host.format(port=site.port)
    return {
        f"{scheme}://{named}": True,
        f"{other}://{named}": False,
        f"{scheme}://{named}:1": False,
        f"{scheme}://localhost:{site.port}": False,
        f"{scheme}://evil.example": False,
        f"{scheme}://{named}.evil.example": False,
        f"{scheme}://evil@{named}": False,
        "null": False,
    }


GOOD_LAN_HOSTS = (
    *(f"{name}:{{port}}" for name in LAN_HOSTS),
    "STUDIO.local:{port}",
    "gesso.example.org",
    "gesso.example.org:8443",
    "nas.lan:8080",
)


def test_the_network_matrix_is_large() -> None:
    origins = 9  # 7 foreign ones; the own one for somebody and for nobody
    good = len(GOOD_LAN_HOSTS) * len(LAN_ROUTES) * origins
    assert good + len(LAN_BAD_HOSTS) * len(LAN_ROUTES) >= 500


@pytest.mark.parametrize("host", GOOD_LAN_HOSTS)
def test_each_name_of_the_network_is_a_site_of_its_own(lan_site: Site, host: str) -> None:
    """Its own pages may do what their person may, all others nothing."""
    named, wrong = host.format(port=lan_site.port), []
    for (method, path), (origin, is_own) in itertools.product(
        LAN_ROUTES, lan_origins(lan_site, host).items()
    ):
        for person in (ANYBODY, ARTIST) if is_own else (ARTIST,):
            headers = (("Origin", origin), ("X-Gesso", "1"), *person)
            status = lan_ask(lan_site, method, path, named, *headers).status
            if status != lan_expected(method, path, is_own=is_own, is_known=person is ARTIST):
                wrong.append((method, path, origin, person, status))
    assert wrong == []


def lan_expected(method: str, path: str, *, is_own: bool, is_known: bool) -> int:
    if not is_own:
        return 403
    if path == "/no/such/route":
        return 404
    if not is_known:
        return 303 if path == "/a-page" else 401
    return 101 if method == "WEBSOCKET" else 200


@pytest.mark.parametrize("host", LAN_BAD_HOSTS)
def test_foreign_names_are_not_answered_to(lan_site: Site, host: str) -> None:
    named = host.format(port=lan_site.port)
    own = ("Origin", f"{lan_site.scheme}://{named}")
    statuses = {
        lan_ask(lan_site, method, path, named, *more, *ARTIST).status
        for method, path in LAN_ROUTES
        for more in ((), (own, ("X-Gesso", "1")))
    }
    assert statuses == {421}


def test_tls_and_plain_text_do_not_mix(lan_site: Site) -> None:
    """Who comes without TLS to a server that speaks it gets nothing."""
    with socket.create_connection(("127.0.0.1", lan_site.port), timeout=20) as plain:
        head = f"GET /a-page HTTP/1.1\r\nHost: {lan_site.host}\r\n\r\n"
        plain.sendall(head.encode())
        try:
            received = plain.recv(12)
        except ConnectionResetError:
            received = b""
    assert received == (b"HTTP/1.1 303" if lan_site.scheme == "http" else b"")


def socket_app() -> Starlette:
    @needs(Access.PERSON)
    async def welcome(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("welcome")
        await socket.close()

    @needs(Access.CLOSED)
    async def closed(socket: WebSocket) -> None:
        await socket.accept()

    return Starlette(routes=[WebSocketRoute("/socket", welcome), WebSocketRoute("/closed", closed)])


@pytest.mark.parametrize(
    "path",
    [
        "/login",
        "/logout",
        "/openapi.json",
        "/monitoring",
        "/monitoring/summary",
        "/gradio_api/dev/reload",
        "/gradio_api/info",
        "/gradio_api/openapi.json",
        "/gradio_api/proxy=https://evil.hf.space/",
        "/gradio_api/vibe-code",
        "/gradio_api/file/etc/passwd",
        "/gradio_api/deep_link",
        "/api/v1/hidden",
    ],
)
def test_closed_routes_answer_as_if_they_did_not_exist(site: Site, path: str) -> None:
    answers = [site.ask(method, path) for method in ("GET", "POST", "PUT")]
    nothing = site.ask("GET", "/api/none" if path.startswith("/api/") else "/none")
    assert [a.status for a in answers] == [404, 404, 404]
    assert {a.body for a in answers} == {nothing.body}


@pytest.mark.parametrize(
    "address", ["https://evil.example/x.png", "HTTP://evil.example", "ftp://x"]
)
def test_gradio_fetches_no_file_from_another_server(site: Site, address: str) -> None:
    assert site.get(f"/gradio_api/file={address}").status == 404


def test_a_method_that_an_address_does_not_take_is_named(site: Site) -> None:
    answer = site.ask("PUT", "/config")
    assert (answer.status, answer.one("allow")) == (405, "GET")


def test_gradio_does_not_see_headers_of_a_proxy(site: Site) -> None:
    sent = (
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-For", "203.0.113.9"),
        ("Forwarded", "host=evil.example"),
        ("X-Gradio-Server", "http://evil.example"),
        ("X-Real-IP", "203.0.113.9"),
    )
    assert b"evil.example" not in site.get("/", *sent).body
    seen = site.get("/api/v1/scope", *sent).body
    assert b"evil.example" not in seen
    assert b"203.0.113.9" not in seen
