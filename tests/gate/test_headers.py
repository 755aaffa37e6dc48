"""What every answer tells the browser, errors included; and that the page's own scripts may run."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gate.site import HEADER_TEXT, Answer, Site, read_answer
from webui.gate.headers import page_policy, script_hashes

ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def assert_guarded(answer: Answer) -> None:
    for name, value in ALWAYS.items():
        assert answer.all(name) == [value]
    assert answer.one("permissions-policy")
    assert "server" not in dict(answer.headers)
    assert [n for n, _ in answer.headers if n.startswith("access-control-")] == []


def sources(answer: Answer) -> list[str]:
    (policy,) = answer.all("content-security-policy")
    (found,) = re.findall(r"script-src ([^;]*)", policy)
    return found.split()


@pytest.mark.parametrize(
    ("status", "method", "path", "headers"),
    [
        (200, "GET", "/", ()),
        (200, "HEAD", "/", ()),
        (200, "GET", "/config", ()),
        (200, "GET", "/theme.css", ()),
        (200, "GET", "/api/v1/thing", ()),
        (200, "POST", "/api/v1/thing", ()),
        (403, "GET", "/", (("Origin", "http://evil.example"),)),
        (403, "GET", "/gradio_api/file=/etc/hostname", ()),
        (404, "GET", "/nowhere", ()),
        (404, "GET", "/static/nothing.js", ()),
        (405, "PUT", "/config", ()),
        (413, "POST", "/api/v1/thing", (("Content-Length", "1000000000"),)),
        (422, "POST", "/gradio_api/queue/join", ()),
        (500, "GET", "/api/v1/broken", ()),
    ],
)
def test_every_answer_has_the_headers(
    site: Site, status: int, method: str, path: str, headers: tuple[tuple[str, str], ...]
) -> None:
    answer = site.ask(method, path, headers)
    assert answer.status == status
    assert_guarded(answer)
    assert "frame-ancestors 'none'" in answer.one("content-security-policy")


def test_what_is_no_http_is_answered_with_the_headers_too(site: Site) -> None:
    with site.connect() as connection:
        connection.sendall(b"what is this\r\n\r\n")
        answer = read_answer(connection)
    assert answer.status == 400
    for name, value in ALWAYS.items():
        assert answer.all(name) == [value]


def test_a_wrong_host_is_answered_with_the_headers_too(site: Site) -> None:
    answer = site.ask("GET", "/", hosts=["evil.example"])
    assert answer.status == 421
    assert_guarded(answer)


def test_headers_of_the_application_are_kept(site: Site) -> None:
    assert site.get("/api/v1/thing").one("x-own") == HEADER_TEXT


def test_answers_with_data_are_not_kept_by_the_browser(site: Site) -> None:
    assert site.get("/api/v1/thing").one("cache-control") == "no-store"
    assert site.get("/config").one("cache-control") == "no-store"


def test_own_origin_gets_no_leave_for_others(site: Site) -> None:
    """Gradio echoes the Origin with leave to send cookies; the gate takes that back."""
    assert_guarded(site.get("/config", ("Origin", site.origin)))


@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, deflate, br, zstd", "identity", "*"])
def test_the_page_allows_its_own_scripts_and_no_others(site: Site, encoding: str) -> None:
    answer = site.get("/", ("Accept-Encoding", encoding))
    inline = re.findall(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", answer.body, re.DOTALL)
    expected = {digest(script.replace(b"\r\n", b"\n")) for script in inline}
    assert len(inline) >= 4
    assert set(sources(answer)) == {"'self'", "'unsafe-eval'"} | expected
    assert "unsafe-inline" not in answer.one("content-security-policy").split("style-src")[0]


def test_a_page_that_could_be_compressed_still_has_its_hashes(site: Site) -> None:
    answer = site.get("/a-page", ("Accept-Encoding", "gzip"))
    assert digest(b"one()") in sources(answer)
    assert answer.all("content-encoding") == []


def test_other_answers_may_run_nothing(site: Site) -> None:
    for path in ("/api/v1/thing", "/nowhere", "/static/img/logo_nosize.svg"):
        policy = site.get(path).one("content-security-policy")
        assert "default-src 'none'" in policy
        assert "sandbox" in policy


def test_code_of_the_page_may_start_workers_of_its_own(site: Site) -> None:
    policy = site.get("/theme.css").one("content-security-policy")
    assert policy.startswith("default-src 'self'")


def digest(script: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"


@pytest.mark.parametrize(
    ("html", "scripts"),
    [
        (b"<script>a()</script>", [b"a()"]),
        (b"<SCRIPT>a()</SCRIPT >", [b"a()"]),
        (b"<script\n type='module' data-src='x'>a()</script\n>", [b"a()"]),
        (b"<script src='x.js'>never()</script>", []),
        (b"<script src>never()</script>", []),
        (b"<script>a('<b>')</script><b>text</b><script>b &amp; c</script>", [b"a('<b>')"]),
        (b"<script>one\r\ntwo\rthree</script>", [b"one\ntwo\nthree"]),
        ("<script>'\u00e9\u4e16'</script>".encode(), ["'\u00e9\u4e16'".encode()]),
        (b"<script></script>", [b""]),
        (b"<p>no script</p>", []),
    ],
)
def test_hashes_are_those_of_the_text_that_the_browser_sees(
    html: bytes, scripts: list[bytes]
) -> None:
    assert set(script_hashes(html)) >= {digest(script) for script in scripts}
    assert len(script_hashes(html)) == html.lower().count(b"<script") - html.count(b" src")


@given(st.text(), st.text(alphabet=st.characters(exclude_characters="<\r")))
def test_text_around_a_script_does_not_change_its_hash(around: str, script: str) -> None:
    quiet = around.replace("<", "&lt;")
    html = f"<p>{quiet}</p><script>{script}</script><p>{quiet}</p>".encode("utf-8", "replace")
    expected = script.encode("utf-8", "replace").decode().encode()
    assert digest(expected) in page_policy(html).decode()


def test_uploaded_files_are_shown_only_as_pictures(site: Site) -> None:
    """A script or page that came as an upload must not run as if it were one of ours."""
    script = b"parent.hacked = 1"
    for name, kind in (
        ("evil.js", "text/javascript"),
        ("evil.html", "text/html"),
        ("evil.svg", "image/svg+xml"),
        ("evil.xml", "text/xml"),
        ("evil.css", "text/css"),
        ("evil.pdf", "application/pdf"),
        ("evil.json", "application/json"),
        ("evil.txt", "text/plain"),
        ("evil.mp4", "video/mp4"),
        ("evil", "application/x-unknown"),
    ):
        answer = site.get(f"/gradio_api/file={upload(site, name, kind, script)}")
        assert answer.status == 200
        assert answer.body == script
        assert answer.one("content-type") == "application/octet-stream"
        assert answer.one("content-disposition").startswith("attachment")
        assert "sandbox" in answer.one("content-security-policy")
    shown = site.get(f"/gradio_api/file={upload(site, 'fine.png', 'image/png', script)}")
    assert shown.one("content-type") == "image/png"


def upload(site: Site, name: str, kind: str, data: bytes) -> str:
    """The path that Gradio gives to an uploaded file."""
    body = (
        (
            f'--edge\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
            f"Content-Type: {kind}\r\n\r\n"
        ).encode()
        + data
        + b"\r\n--edge--\r\n"
    )
    headers = [("Content-Type", "multipart/form-data; boundary=edge")]
    answer = site.ask("POST", "/gradio_api/upload", headers, body)
    assert answer.status == 200, answer.body
    return answer.body.decode().strip('[]"')
