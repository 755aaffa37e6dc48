"""What every answer tells the browser: no guessing of types, no framing, no foreign scripts.

The page's own inline scripts are allowed by their hashes, computed for each answer: Gradio writes
the state of the page into them. 'unsafe-eval' stays because Gradio compiles the `js=` of its
components. What that buys: markup that slips into the page runs nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html.parser import HTMLParser
from http import HTTPStatus
from typing import Final

from starlette.types import Message, Send

RawHeaders = list[tuple[bytes, bytes]]

SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    # Not no-referrer: with it browsers send "Origin: null" for our own forms.
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), hid=(), midi=()",
    ),
)
_POLICY: Final = b"content-security-policy"
_PAGE_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'{hashes}; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; frame-src 'self'; frame-ancestors 'none'; base-uri 'self'; "
    "form-action 'self'"
)
_CODE_POLICY: Final = b"default-src 'self'; frame-ancestors 'none'"
_FILE_POLICY: Final = b"default-src 'none'; style-src 'unsafe-inline'; sandbox; " + (
    b"frame-ancestors 'none'"
)
_CODE_TYPES: Final = (b"text/javascript", b"application/javascript", b"text/css")
_PICTURE_TYPES: Final = (b"image/png", b"image/jpeg", b"image/webp", b"image/gif")
STRICT_TRANSPORT: Final = (b"strict-transport-security", b"max-age=2592000")
"""A month; only where the certificate is one that browsers accept, or the way back in is shut."""


class Headers:
    """Sends an answer on with the security headers. An HTML page is held until it is whole."""

    def __init__(
        self,
        send: Send,
        *,
        serves_uploads: bool,
        may_be_framed: bool = False,
        more: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        """`more` are put on this answer besides."""
        self._send = _framable(send) if may_be_framed else send
        self._serves_uploads = serves_uploads
        self._more = more
        self._page_start: Message | None = None
        self._page = b""

    async def __call__(self, message: Message) -> None:
        """The `send` of the application behind."""
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif message["type"] == "http.response.body" and self._page_start is not None:
            await self._add(message)
        else:
            await self._send(message)

    async def _begin(self, message: Message) -> None:
        headers = [*_cleaned(message.get("headers", ())), *self._more]
        content_type = _first(headers, b"content-type").partition(b";")[0].strip().lower()
        if self._serves_uploads and message["status"] < 300:
            content_type, headers = _harmless(content_type, headers)
        if content_type == b"text/html" and not _first(headers, b"content-encoding"):
            self._page_start = {**message, "headers": headers}
            return
        if content_type == b"application/json" and not _first(headers, b"cache-control"):
            headers.append((b"cache-control", b"no-store"))
        if message["status"] != HTTPStatus.NOT_MODIFIED:  # its headers replace the stored ones
            headers.append((_POLICY, policy_for(content_type)))
        await self._send({**message, "headers": headers})

    async def _add(self, message: Message) -> None:
        self._page += message.get("body", b"")
        if message.get("more_body", False) or self._page_start is None:
            return
        start, self._page_start = self._page_start, None
        start["headers"] = [*start["headers"], (_POLICY, page_policy(self._page))]
        await self._send(start)
        await self._send({"type": "http.response.body", "body": self._page})


def _framable(send: Send) -> Send:
    """Lets pages of this same server show an answer in a frame."""

    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [_own_frames(*each) for each in message["headers"]]}
        await send(message)

    return send_on


def _own_frames(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    if name == b"x-frame-options":
        return name, b"SAMEORIGIN"
    if name == _POLICY:
        return name, value.replace(b"frame-ancestors 'none'", b"frame-ancestors 'self'")
    return name, value


def policy_for(content_type: bytes) -> bytes:
    """The content security policy of an answer that is not a whole HTML page."""
    if content_type == b"text/html":
        return _PAGE_POLICY.format(hashes="").encode()
    return _CODE_POLICY if content_type in _CODE_TYPES else _FILE_POLICY


def page_policy(html: bytes) -> bytes:
    """The content security policy that allows just the inline scripts of this page."""
    return _PAGE_POLICY.format(hashes="".join(f" {h}" for h in script_hashes(html))).encode()


def script_hashes(html: bytes) -> list[str]:
    """The sources 'sha256-...' of the page's inline scripts, sorted."""
    # Browsers hash what their parser made of the script: decoded, line ends as \n.
    reader = _ScriptReader()
    reader.feed(html.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n"))
    reader.close()
    digests = {hashlib.sha256(script.encode()).digest() for script in reader.scripts}
    return sorted(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


class _ScriptReader(HTMLParser):
    """Collects the text of the script elements that have no src."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.scripts: list[str] = []
        self._is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_inside = tag == "script" and all(name != "src" for name, _ in attrs)
        if self._is_inside:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._is_inside = False

    def handle_data(self, data: str) -> None:
        if self._is_inside:
            self.scripts[-1] += data


def _cleaned(headers: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """The application's headers with ours in place of any it set, and no leave for other sites."""
    ours = {name for name, _ in SECURITY_HEADERS} | {_POLICY}
    kept = [(name.lower(), value) for name, value in headers]
    return [
        *((name, value) for name, value in kept if not _is_replaced(name, ours)),
        *SECURITY_HEADERS,
    ]


def _is_replaced(name: bytes, ours: set[bytes]) -> bool:
    return name in ours or name.startswith(b"access-control-")


def _harmless(content_type: bytes, headers: RawHeaders) -> tuple[bytes, RawHeaders]:
    """A file from outside as a picture or as a download: never as a script or a page of ours."""
    if content_type in _PICTURE_TYPES:
        return content_type, headers
    kept = [h for h in headers if h[0] not in (b"content-type", b"content-disposition")]
    return b"application/octet-stream", [
        *kept,
        (b"content-type", b"application/octet-stream"),
        (b"content-disposition", b"attachment"),
    ]


def _first(headers: RawHeaders, name: bytes) -> bytes:
    return next((value for key, value in headers if key == name), b"")
