"""Bodies over the limit of their route are refused before they are read, however they come."""

from __future__ import annotations

import select
import socket

import psutil
import pytest

from tests.gate.site import Answer, Site, read_answer
from webui.gate.access import JSON_BODY_BYTES, MIB, UPLOAD_BYTES

GIB = 1 << 30
KERNEL_BYTES = 8 * MIB
"""What may be under way in the sockets' own buffers when the server has stopped reading."""


def send_chunks(connection: socket.socket, total: int) -> int:
    """Send a chunked body until the answer comes; the number of bytes sent."""
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    sent = 0
    while sent < total:
        readable, _, _ = select.select([connection], [], [], 0)
        if readable:
            break
        connection.sendall(piece)
        sent += 0x10000
    return sent


def head(site: Site, path: str, *lines: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", f"Host: {site.host}", *lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/api/v1/thing", JSON_BODY_BYTES),
        ("/api/v1/upload", UPLOAD_BYTES),
        ("/gradio_api/queue/join", JSON_BODY_BYTES),
        ("/gradio_api/cancel", JSON_BODY_BYTES),
        ("/gradio_api/upload", UPLOAD_BYTES),
        ("/gradio_api/component_server", UPLOAD_BYTES),
    ],
)
def test_a_length_over_the_limit_is_refused_before_the_body(
    site: Site, path: str, limit: int
) -> None:
    """Not one byte of the body is sent, so none can have been read."""
    for length in (limit + 1, GIB, 10**19):
        with site.connect() as connection:
            connection.sendall(head(site, path, f"Content-Length: {length}"))
            answer = read_answer(connection)
        assert answer.status == 413
        assert f"{limit // MIB} MB".encode() in answer.body


@pytest.mark.parametrize("path", ["/api/v1/thing", "/gradio_api/queue/join", "/gradio_api/cancel"])
def test_a_chunked_body_ends_at_the_limit(site: Site, path: str) -> None:
    with site.connect() as connection:
        connection.sendall(
            head(site, path, "Content-Type: application/json", "Transfer-Encoding: chunked")
        )
        sent = send_chunks(connection, GIB)
        answer = read_answer(connection)
    assert answer.status == 413
    assert sent <= JSON_BODY_BYTES + KERNEL_BYTES


def test_a_chunked_upload_ends_at_its_limit(site: Site) -> None:
    with site.connect() as connection:
        connection.sendall(head(site, "/api/v1/upload", "Transfer-Encoding: chunked"))
        sent = send_chunks(connection, GIB)
        answer = read_answer(connection)
    assert answer.status == 413
    assert UPLOAD_BYTES < sent <= UPLOAD_BYTES + KERNEL_BYTES


def test_a_chunked_upload_to_gradio_ends_at_its_limit(site: Site) -> None:
    with site.connect() as connection:
        kind = "Content-Type: multipart/form-data; boundary=edge"
        connection.sendall(head(site, "/gradio_api/upload", kind, "Transfer-Encoding: chunked"))
        part = b'--edge\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        connection.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        sent = send_chunks(connection, GIB)
        answer = read_answer(connection)
    assert answer.status == 413
    assert sent <= UPLOAD_BYTES + KERNEL_BYTES


@pytest.mark.parametrize("size", [0, 1, JSON_BODY_BYTES])
def test_a_body_within_the_limit_arrives_whole(site: Site, size: int) -> None:
    answer = site.ask("POST", "/api/v1/thing", body=b"x" * size)
    assert (answer.status, answer.body) == (200, f'{{"bytes":{size}}}'.encode())


def test_uploads_may_be_larger_than_other_bodies(site: Site) -> None:
    body = b"x" * (3 * MIB)
    assert site.ask("POST", "/api/v1/upload", body=body).status == 200
    assert site.ask("POST", "/api/v1/thing", body=body).status == 413


def test_a_chunked_body_within_the_limit_arrives_whole(site: Site) -> None:
    with site.connect() as connection:
        connection.sendall(head(site, "/api/v1/thing", "Transfer-Encoding: chunked"))
        connection.sendall(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
        assert read_answer(connection).body == b'{"bytes":11}'


def test_a_refused_client_that_sends_on_still_gets_its_answer(site: Site) -> None:
    """Were the connection closed at once, the client would see a reset instead of the reason."""
    body = b"x" * (24 * MIB)
    with site.connect() as connection:
        connection.sendall(head(site, "/api/v1/thing", f"Content-Length: {len(body)}") + body)
        first = read_answer(connection)
        connection.sendall(f"GET /api/v1/thing HTTP/1.1\r\nHost: {site.host}\r\n\r\n".encode())
        second = read_answer(connection)
    assert (first.status, second.status) == (413, 200)


def test_no_permission_to_go_on_is_given_to_a_body_that_is_too_large(site: Site) -> None:
    with site.connect() as connection:
        lines = (f"Content-Length: {GIB}", "Expect: 100-continue")
        connection.sendall(head(site, "/api/v1/upload", *lines))
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_memory_does_not_grow_with_refused_bodies(site: Site) -> None:
    process = psutil.Process()
    flood(site)
    before = process.memory_info().rss
    for _ in range(20):
        flood(site)
    assert process.memory_info().rss - before < 8 * MIB


def flood(site: Site) -> Answer:
    """Claim a gigabyte and send some of it."""
    with site.connect() as connection:
        connection.sendall(head(site, "/gradio_api/queue/join", "Transfer-Encoding: chunked"))
        send_chunks(connection, GIB)
        return read_answer(connection)


def test_a_body_that_contradicts_itself_is_no_second_request(site: Site) -> None:
    """Two lengths, or a length and chunks, have been used to smuggle a request past a check."""
    inner = f"GET /api/v1/hidden HTTP/1.1\r\nHost: {site.host}\r\n\r\n".encode()
    with site.connect() as connection:
        lines = ("Content-Length: 5", f"Content-Length: {5 + len(inner)}")
        connection.sendall(head(site, "/api/v1/thing", *lines) + b"hello" + inner)
        assert read_answer(connection).status == 400
        connection.settimeout(5)
        assert connection.recv(1) == b""
