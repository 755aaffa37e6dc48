"""What lies at an address, told before it is fetched: names, sizes, hashes, kinds, licence."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from webui.core.errors import ModelUnreadable
from webui.core.shelf import Shelf
from webui.downloads.address import CivitaiRef, HuggingFaceRef, UrlRef, read_address
from webui.downloads.civitai import look_at_version
from webui.downloads.download import FileOffer, Offer, Options
from webui.downloads.hugging_face import look_at_repository
from webui.downloads.names import name_in_answer
from webui.downloads.replies import check_status, sha256_of
from webui.modelfiles.container import Container, container_told
from webui.net.faults import FetchCut, FetchRefused
from webui.net.fetch import Answer, Fetcher

FIRST_BYTES: Final = 64 * 2**10
MOST_HEADER_BYTES: Final = 4 * 2**20
RANGE: Final = re.compile(r"bytes (?P<first>\d{1,18})-(?P<last>\d{1,18})/(?P<total>\d{1,18})")
MOST_DIGITS: Final = 18


@dataclass(frozen=True, kw_only=True)
class LookUp:
    """Asks the sources. `scratch` is a folder for headers while they are looked at."""

    fetcher: Fetcher
    shelf: Shelf
    scratch: Path

    def offer(self, address: str, options: Options, file: str = "") -> Offer:
        """What `address` offers; only its file `file` if one is named. A single file's header is
        looked at. Raises FetchRefused or FetchCut."""
        offer = self._listed(address, options)
        files = [one for one in offer.files if file in ("", one.path)]
        if not files:
            raise FetchRefused(f"There is no file “{file}” at this address. Look it up again.")
        files = [replace(one, here=self.shelf.known(one.sha256)) for one in files]
        if len(files) == 1:
            files = [self._peeked(files[0], offer.source)]
        return replace(offer, files=files)

    def _listed(self, address: str, options: Options) -> Offer:
        ref = read_address(address, options.hugging_face, options.civitai)
        match ref:
            case HuggingFaceRef():
                return look_at_repository(self.fetcher, options.hugging_face, ref, address)
            case CivitaiRef():
                return look_at_version(self.fetcher, options.civitai, ref, address)
            case UrlRef():
                return self._file_at(ref.url)

    def _file_at(self, url: str) -> Offer:
        answer = self.fetcher.get(url, {"Range": f"bytes=0-{FIRST_BYTES - 1}"})
        try:
            check_status(answer, "")
            name = name_in_answer(answer.header("Content-Disposition"), answer.path)
            told = sha256_of(answer.header("X-Linked-Etag").strip('"'))
            offered = FileOffer(
                path="", name=name, url=url, size_bytes=whole_size(answer), sha256=told
            )
            refuse_no_model(name, _start(answer, 512))
        finally:
            answer.close()
        return Offer(address=url, title=name, page="", files=[offered])

    def _peeked(self, file: FileOffer, source: str) -> FileOffer:
        """With what the file's own header says of it. Nothing depends on it."""
        with suppress(FetchCut, OSError):
            answer = self.fetcher.get(file.url, {"Range": f"bytes=0-{FIRST_BYTES - 1}"})
            try:
                check_status(answer, source)
                size = whole_size(answer) or file.size_bytes
                start = _start(answer, FIRST_BYTES)
            finally:
                answer.close()
            refuse_no_model(file.name, start)
            return self._judged(replace(file, size_bytes=size), start)
        return file

    def _judged(self, file: FileOffer, start: bytes) -> FileOffer:
        """The catalog looks at a file that has the header and, of the weights, only the size."""
        length = 8 + int.from_bytes(start[:8], "little")
        if file.size_bytes is None or start[8:9] != b"{" or length > MOST_HEADER_BYTES:
            return file
        if length > len(start):
            start = self._more(file.url, length)
        if not length <= len(start) <= file.size_bytes:
            return file
        self.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            path = Path(folder) / "header.safetensors"
            with path.open("wb") as header:
                header.write(start[:length])
                header.truncate(file.size_bytes)  # a hole: takes no room
            judged = self.shelf.judge(path, file.kind)
        problem = judged.problem.replace(path.name, file.name)
        kind = judged.kind or file.kind
        return replace(file, kind=kind, label=judged.label, problem=problem)

    def _more(self, url: str, length: int) -> bytes:
        answer = self.fetcher.get(url, {"Range": f"bytes=0-{length - 1}"})
        try:
            return _start(answer, length) if answer.status in (200, 206) else b""
        finally:
            answer.close()


def whole_size(answer: Answer) -> int | None:
    """How long the whole file is, None if the server does not say."""
    if (told := content_range(answer)) is not None:
        return told[1]
    length = answer.header("Content-Length")
    is_number = length.isdecimal() and len(length) <= MOST_DIGITS
    return int(length) if is_number and answer.status == 200 else None


def content_range(answer: Answer) -> tuple[int, int] | None:
    """From which byte on an answer goes, and the length of the whole; None for a whole file."""
    told = RANGE.fullmatch(answer.header("Content-Range")) if answer.status == 206 else None
    return (int(told["first"]), int(told["total"])) if told else None


def refuse_no_model(name: str, start: bytes) -> Container:
    """The form of a file that begins so. Raises FetchRefused for what is no model."""
    try:
        return container_told(name, start[:512])
    except ModelUnreadable as error:
        raise FetchRefused(str(error)) from error


def _start(answer: Answer, most: int) -> bytes:
    pieces: list[bytes] = []
    while (missing := most - sum(map(len, pieces))) > 0 and (piece := answer.read(missing)):
        pieces.append(piece)
    return b"".join(pieces)


def choose(files: Sequence[FileOffer]) -> FileOffer:
    """The only file there is. Raises FetchRefused when there are more to choose from."""
    if len(files) == 1:
        return files[0]
    raise FetchRefused(f"There are {len(files)} files at this address. Choose one of them.")
