"""All downloads: accepted, fetched one or two at a time, paused, resumed, cancelled, settled.

Nothing is asked of anybody before a person calls `look_up` or `add`, save to go on with what they
began: downloads that were open when the server ended go on when it starts.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from webui.core.errors import DiskFull, GessoError, InvalidRequest
from webui.core.events import DownloadChanged
from webui.core.shelf import Shelf
from webui.downloads.address import CIVITAI, HUGGING_FACE
from webui.downloads.download import Download, DownloadState, Offer, Options, Speed, Wish
from webui.downloads.look_up import LookUp, choose
from webui.downloads.placing import Placer, discard, was_placed
from webui.downloads.replies import sha256_of
from webui.downloads.store import DownloadStore
from webui.downloads.tokens import TokenStore
from webui.downloads.transfer import Line, Transfer
from webui.net.faults import FetchCut, FetchRefused
from webui.net.fetch import SILENCE_S, Fetcher
from webui.net.guard import Guard, Resolve, origin_of, resolve_host

log = logging.getLogger(__name__)

WAITS_S: Final = (1.0, 3.0, 10.0, 30.0, 60.0)
"""Before each further try, counted anew whenever something came."""
PAUSE: Final = "pause"
CANCEL: Final = "cancel"
CLOSE: Final = "close"
SERVICES: Final = (HUGGING_FACE, CIVITAI)
SMOOTHING: Final = 0.3
"""Of the newest measurement in the speed that is told."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the downloads know of the rest of the program."""

    data: Path
    shelf: Shelf
    options: Callable[[], Options]
    tell: Callable[[DownloadChanged], object]
    allowed_hosts: Collection[str] = ()
    resolve: Resolve = resolve_host
    waits_s: tuple[float, ...] = WAITS_S
    silence_s: float = SILENCE_S


@dataclass
class _Running:
    line: Line = field(default_factory=Line)
    thread: threading.Thread | None = None
    speed: Speed = field(default_factory=Speed)
    seen: tuple[float, int] = (0.0, 0)


class Downloads:
    """The downloads of a server. Usable from any thread."""

    def __init__(self, around: Surroundings) -> None:
        self._around: Final = around
        self._store: Final = DownloadStore(around.data / "downloads.sqlite")
        self.tokens: Final = TokenStore(around.data / "tokens.json")
        self._fetcher: Final = Fetcher(
            guard=Guard(around.allowed_hosts, around.resolve),
            token_for=self.tokens.get,
            silence_s=around.silence_s,
        )
        self._look_up: Final = LookUp(
            fetcher=self._fetcher, shelf=around.shelf, scratch=around.data / "headers"
        )
        self._lock: Final = threading.RLock()
        self._running: Final[dict[str, _Running]] = {}
        self._is_closing = False

    def start(self) -> None:
        """Go on with what was open when the server ended."""
        for download in self._store.all():
            if download.state.is_open:
                self._store.save(replace(download, state=DownloadState.WAITING))
        self._fill()

    def close(self) -> None:
        """Stop all, to go on at the next start, and close the files."""
        with self._lock:
            self._is_closing = True
            running = list(self._running.values())
        for one in running:
            one.line.stop(CLOSE)
        for one in running:
            if one.thread is not None:
                one.thread.join()
        self._store.close()

    def look_up(self, address: str, file: str = "") -> Offer:
        """What lies at an address; see LookUp. Raises InvalidRequest."""
        return self._look_up.offer(address, self._around.options(), file)

    def add(self, wish: Wish) -> Download:
        """Accept a download: when this returns, it is stored and goes on whatever happens. What is
        already on its way is not begun twice. Raises InvalidRequest."""
        if wish.sha256 and not sha256_of(wish.sha256):
            raise InvalidRequest(
                "sha256", f"“{wish.sha256[:80]}” is no sha256. It has 64 digits of 0-9 and a-f."
            )
        offer = self.look_up(wish.address, wish.file)
        file = choose(offer.files)
        kind = wish.kind or file.kind
        id = secrets.token_hex(6)
        download = Download(
            id=id,
            address=wish.address,
            name=file.name,
            url=file.url,
            part=str(self._around.shelf.home(kind) / f"{file.name}.{id}.part"),
            source=offer.source,
            sha256=sha256_of(wish.sha256) or file.sha256,
            kind=kind,
            label=file.label,
            total_bytes=file.size_bytes,
        )
        with self._lock:
            for other in self._store.all():
                if other.url == download.url and other.state is DownloadState.FAILED:
                    self._forget(other)
                elif other.url == download.url and other.state is not DownloadState.DONE:
                    return self.resume(other.id)
            self._store.add(download)
        log.info("Downloading %s.", download.name)
        self._fill()
        return download

    def all(self) -> list[tuple[Download, Speed]]:
        """All downloads and their speeds, the oldest first."""
        with self._lock:
            return [(self._seen(one), self._speed(one.id)) for one in self._store.all()]

    def get(self, id: str) -> tuple[Download, Speed]:
        """One download and its speed. Raises NotFound."""
        with self._lock:
            return self._seen(self._store.get(id)), self._speed(id)

    def pause(self, id: str) -> Download:
        """Stop a download for now; what came stays. Raises NotFound."""
        with self._lock:
            download = self._store.get(id)
            if (running := self._running.get(id)) is not None:
                running.line.stop(PAUSE)
            elif download.state.is_open:
                return self._keep(replace(download, state=DownloadState.PAUSED, note=""))
            return download

    def resume(self, id: str) -> Download:
        """Go on with a download that was paused or failed. Raises NotFound."""
        with self._lock:
            download = self._store.get(id)
            if download.state is DownloadState.DONE or id in self._running:
                return download
            download = self._keep(replace(download, state=DownloadState.WAITING, note=""))
        self._fill()
        return download

    def remove(self, id: str) -> None:
        """Cancel a download and remove what came of it, or forget one that is over; a model that
        is done stays. Raises NotFound."""
        with self._lock:
            download = self._store.get(id)
            if (running := self._running.get(id)) is not None:
                running.line.stop(CANCEL)
                return
            self._forget(download)

    def token_origin(self, service: str) -> str:
        """Where the token of a service goes. Raises InvalidRequest."""
        options = self._around.options()
        if service not in SERVICES:
            raise InvalidRequest("service", f"“{service}” is none of {', '.join(SERVICES)}.")
        return origin_of(options.hugging_face if service == HUGGING_FACE else options.civitai)

    def _fill(self) -> None:
        """Begin as many downloads as may run at once."""
        with self._lock:
            waiting = (o for o in self._store.all() if o.state is DownloadState.WAITING)
            for download in waiting:
                free = self._around.options().at_once - len(self._running)
                if self._is_closing or free <= 0:
                    return
                if download.id not in self._running:
                    self._begin(download)

    def _begin(self, download: Download) -> None:
        running = _Running()
        running.thread = threading.Thread(
            target=self._run, args=(download, running), name=f"download-{download.id}", daemon=True
        )
        self._running[download.id] = running
        running.thread.start()

    def _run(self, download: Download, running: _Running) -> None:
        """A download from where it is to its end, in a thread of its own."""
        try:
            self._go(download, running)
        except Exception:  # the border of the thread
            log.exception("The download of %s failed.", download.name)
            self._end(download.id, DownloadState.FAILED, "Something went wrong inside Gesso.")
        finally:
            with self._lock:  # nothing after it: `close` waits only for what is listed as running
                self._stopped(download.id, running.line.why)
                del self._running[download.id]
                if not self._is_closing:
                    self._announce(download.id)
                    self._fill()

    def _go(self, download: Download, running: _Running) -> None:
        try:
            if was_placed(download) is None:
                self._keep(replace(download, state=DownloadState.RUNNING))
                download = self._received(download, running)
            if not running.line.is_stopped:
                self._settle(replace(download, state=DownloadState.CHECKING), running.line)
        except FetchRefused as error:
            self._end(download.id, DownloadState.FAILED, str(error))
        except (FetchCut, DiskFull) as error:
            self._end(download.id, DownloadState.PAUSED, str(error))
        except OSError as error:
            self._end(download.id, DownloadState.PAUSED, _unwritten(download, error))

    def _received(self, download: Download, running: _Running) -> Download:
        """The download with all its bytes, tried again while the other side is silent."""
        tries = 0
        while True:
            before = download.received_bytes
            transfer = Transfer(fetcher=self._fetcher, options=self._around.options())
            try:
                for now in transfer.receive(download, running.line):
                    download = replace(now, state=DownloadState.RUNNING)
                    self._measure(running, download)
                    self._keep(download)
                return download
            except FetchCut:
                tries = 0 if download.received_bytes > before else tries
                if running.line.is_stopped:
                    return download
                if tries >= len(self._around.waits_s):
                    raise
                if running.line.wait(self._around.waits_s[tries]):
                    return download
                tries += 1

    def _settle(self, download: Download, line: Line) -> None:
        self._keep(download)
        download = Placer(shelf=self._around.shelf).place(download, line, self._keep)
        if not line.is_stopped or was_placed(download) is not None:
            self._keep(replace(download, state=DownloadState.DONE))
            log.info("%s is here.", download.name)

    def _stopped(self, id: str, why: str) -> None:
        """What a person's wish to stop leaves of a download."""
        with suppress(GessoError):
            download = self._store.get(id)
            if why == CANCEL and download.state is not DownloadState.DONE:
                self._forget(download)
            elif why == PAUSE and download.state.is_open:
                self._keep(replace(download, state=DownloadState.PAUSED, note=""))
            elif why == CLOSE and download.state.is_open:
                self._keep(replace(download, state=DownloadState.WAITING))

    def _end(self, id: str, state: DownloadState, note: str) -> None:
        with suppress(GessoError):  # a full disk: it is seen as paused, and goes on later
            self._keep(replace(self._store.get(id), state=state, note=note))

    def _forget(self, download: Download) -> None:
        discard(download)
        self._store.remove(download.id)
        self._tell(download, "removed")

    def _keep(self, download: Download) -> Download:
        self._store.save(download)
        self._tell(download, download.state.value)
        return download

    def _announce(self, id: str) -> None:
        """Tell the last state once more, now that nothing runs."""
        with suppress(GessoError):
            download = self._store.get(id)
            self._tell(download, download.state.value)

    def _tell(self, download: Download, state: str) -> None:
        speed = self._speed(download.id)
        self._around.tell(
            DownloadChanged(
                download_id=download.id,
                state=state,
                received_bytes=download.received_bytes,
                total_bytes=download.total_bytes,
                bytes_per_s=speed.bytes_per_s,
                seconds_left=speed.seconds_left,
            )
        )

    def _speed(self, id: str) -> Speed:
        running = self._running.get(id)
        return running.speed if running is not None else Speed()

    def _seen(self, download: Download) -> Download:
        """As people see it: what should run and does not has met a full disk."""
        stuck = download.state in (DownloadState.RUNNING, DownloadState.CHECKING)
        if not stuck or download.id in self._running or self._is_closing:
            return download
        return replace(
            download,
            state=DownloadState.PAUSED,
            note="There is too little room on the disk. Make room and press Resume.",
        )

    def _measure(self, running: _Running, download: Download) -> None:
        now, (then, had) = time.monotonic(), running.seen
        running.seen = (now, download.received_bytes)
        if not then or now <= then or download.received_bytes < had:
            return
        newest = (download.received_bytes - had) / (now - then)
        last = running.speed.bytes_per_s or newest
        speed = last + SMOOTHING * (newest - last)
        left = None
        if download.total_bytes is not None and speed > 0:
            left = (download.total_bytes - download.received_bytes) / speed
        running.speed = Speed(bytes_per_s=speed, seconds_left=left)


def _unwritten(download: Download, error: OSError) -> str:
    return (
        f"{download.name} can't be written ({error.strerror or 'no reason given'}). Check the disk "
        "and the folder of models, and press Resume."
    )
