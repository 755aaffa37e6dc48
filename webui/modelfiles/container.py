"""What a file really is, told by its first bytes: its name may say anything."""

from __future__ import annotations

import pickletools
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Final

from webui.core.errors import ModelUnreadable
from webui.modelfiles.damage import WHATEVER

SNIFFED: Final = 512


class Container(StrEnum):
    """The forms that model files come in."""

    SAFETENSORS = "safetensors"
    GGUF = "gguf"
    TORCH_ZIP = "torch zip"
    """What torch.save writes since 1.6."""
    PICKLE = "pickle"
    """What it wrote before, and bare pickles."""


PICKLES: Final = frozenset({Container.TORCH_ZIP, Container.PICKLE})
"""Those that are programs to whoever opens them in the usual way."""

BINARY: Final = (
    (b"GGUF", Container.GGUF),
    (b"PK\x03\x04", Container.TORCH_ZIP),
    (b"PK\x05\x06", Container.TORCH_ZIP),
)
AGAIN: Final = "Download the model again."
PAGE: Final = (
    "it is a web page, not a model: the download failed, or it needs a login or a token. "
    "Download it again in a browser where you are logged in."
)
UNPACK: Final = "Unpack it, and put the model file that is in it here."
OTHERS: Final = (
    (b"7z\xbc\xaf\x27\x1c", f"it is a 7z archive. {UNPACK}"),
    (b"Rar!\x1a\x07", f"it is a RAR archive. {UNPACK}"),
    (b"\x1f\x8b", f"it is a gzip archive. {UNPACK}"),
    (b"BZh", f"it is a bzip2 archive. {UNPACK}"),
    (b"\xfd7zXZ", f"it is an xz archive. {UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"it is a zstd archive. {UNPACK}"),
    (b"version https://git-lfs", f"it is a pointer of Git LFS, not the model itself. {AGAIN}"),
    (b"\x89PNG", "it is a picture. Remove it."),
    (b"\xff\xd8\xff", "it is a picture. Remove it."),
    (b"%PDF", "it is a PDF document. Remove it."),
    (b"MZ", "it is a program of Windows. Remove it; if you did not put it there, be careful."),
    (b"\x7fELF", "it is a program. Remove it; if you did not put it there, be careful."),
    (
        b"SQLite format 3\0",
        "it is a database, as Draw Things for the Mac keeps its models. Look for a safetensors "
        "version.",
    ),
    (b"\x89HDF", "it is an HDF5 file, of Keras or the like. Look for a safetensors version."),
    (b"\x93NUMPY", "it is a file of NumPy. Look for a safetensors version."),
    (b"\x08\x00\x00\x00", "it is an ONNX file or nothing known. Look for a safetensors version."),
)
PAGE_STARTS: Final = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<script", b"<body")
TELLING: Final = 5
"""Operations in a row that no other text happens to be."""
TAR_MAGIC: Final = slice(257, 262)
PICKLE_STARTS: Final = frozenset(b"(])}cNIJKFGVXST.\x80\x8c\x95")
"""The first operation of a pickle: since protocol 2 always \\x80."""


def container_of(path: Path) -> Container:
    """The form of the file. Raises ModelUnreadable that says what else it seems to be."""
    try:
        with path.open("rb") as file:
            start = file.read(SNIFFED)
    except OSError as error:
        raise ModelUnreadable(path.name, f"it can't be read ({error.strerror}).") from error
    return container_told(path.name, start)


def container_told(name: str, start: bytes) -> Container:
    """The form of a file that begins with `start`, its first 512 bytes. Raises as
    `container_of`."""
    found = _sniffed(start)
    if isinstance(found, Container):
        return found
    raise ModelUnreadable(name, found)


def _sniffed(start: bytes) -> Container | str:
    """The form, or why there is none."""
    if _is_safetensors(start):
        return Container.SAFETENSORS
    for magic, container in BINARY:
        if start.startswith(magic):
            return container
    if start[:1] == b"\x80":
        return Container.PICKLE
    return _refused(start) or (
        Container.PICKLE if start[0] in PICKLE_STARTS else f"it is of no known form. {AGAIN}"
    )


def _is_safetensors(start: bytes) -> bool:
    """Eight bytes of length, of which the upper ones are zero, then JSON."""
    return len(start) >= 9 and start[8:9] == b"{" and start[4:8] == bytes(4)


def _refused(start: bytes) -> str:
    """Why files of some other forms are no models; empty for what is none of them."""
    if not start.strip(b"\0"):
        return f"it is empty. {AGAIN}"
    for magic, why in OTHERS:
        if start.startswith(magic):
            return why
    if start[TAR_MAGIC] == b"ustar":
        return f"it is a tar archive, or from the first PyTorch of 2016. {UNPACK}"
    words = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if words.startswith(PAGE_STARTS):
        return PAGE
    if words.startswith((b"{", b"[")):
        return f"it is a text (JSON), not a model. The download may have failed. {AGAIN}"
    if all(byte >= 32 or byte in b"\t\r\n" for byte in start) and not _begins_pickle(start):
        return f"it is a text, not a model. The download may have failed. {AGAIN}"
    return ""


def _begins_pickle(start: bytes) -> bool:
    """Whether a text is a program for unpickling, in the form of the first protocol."""
    read = 0
    with suppress(*WHATEVER):
        for operation, _, _ in pickletools.genops(start):
            read += 1
            if operation.name == "STOP" or read == TELLING:
                return True
    return False
