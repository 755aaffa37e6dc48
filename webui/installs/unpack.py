"""Opening zip files of strangers: no way out of the folder, no links, no bombs."""

from __future__ import annotations

import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webui.core.errors import InvalidRequest
from webui.installs.line import Line
from webui.installs.names import check_names
from webui.installs.trees import LEFT_OUT

CHUNK_BYTES: Final = 2**18
PARTS: Final = ("scripts", "javascript", "localizations")
"""Folders of an extension for AUTOMATIC1111, which may have nothing else."""
_DOS_FOLDER: Final = 0x10


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most that an extension may be."""

    files: int = 20_000
    bytes: int = 512 * 2**20
    packed_bytes: int = 256 * 2**20
    file_bytes: int = 256 * 2**20
    ratio: int = 200
    """How many times as large as its packed form a file may be that has more than a megabyte."""


def unpack(archive: Path, to: Path, line: Line, limits: Limits | None = None) -> None:
    """The files of a zip in the new folder `to`, without a single folder around them all. Raises
    InvalidRequest."""
    limits = limits or Limits()
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = _entries(packed, limits)
            around = _folder_around([name for name, _ in entries])
            to.mkdir(parents=True)
            left = limits.bytes
            for count, (name, entry) in enumerate(entries, 1):
                line.tell(count / len(entries), f"Unpacking {name[-60:]}")
                left -= _write(packed, entry, to / name[len(around) :], min(left, entry.file_size))
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise InvalidRequest(
            "address", f"Two things in the zip have one name ({Path(error.filename).name})."
        ) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InvalidRequest(
            "address", f"This is no zip file that can be opened ({error}). Fetch it again."
        ) from error


def _entries(packed: zipfile.ZipFile, limits: Limits) -> list[tuple[str, zipfile.ZipInfo]]:
    """The files by their names, all checked before anything is written."""
    infos = packed.infolist()
    if len(infos) > limits.files:
        raise _too_much(f"{len(infos)} files, more than {limits.files}")
    found = [(info.filename, info) for info in infos if not _is_folder(info)]
    check_names(name.rstrip("/") or name for name in packed.namelist())
    found = [(name, info) for name, info in found if not LEFT_OUT & set(name.split("/"))]
    if not found:
        raise InvalidRequest("address", "The zip is empty. Fetch it again.")
    if sum(info.file_size for _, info in found) > limits.bytes:
        raise _too_much(f"more than {limits.bytes // 2**20} MB")
    for name, info in found:
        _check_entry(name, info, limits)
    return found


def _check_entry(name: str, info: zipfile.ZipInfo, limits: Limits) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise InvalidRequest(
            "address", f"“{name[:100]}” in the zip is a link or a device. Nothing was installed."
        )
    if info.flag_bits & 1:
        raise InvalidRequest("address", "The zip is locked with a password. Unpack it first.")
    swells = info.file_size > max(2**20, limits.ratio * max(1, info.compress_size))
    if info.file_size > limits.file_bytes or swells:
        raise _too_much(f"a file “{name[:100]}” of {info.file_size // 2**20} MB")


def _write(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, to: Path, most: int) -> int:
    """How many bytes came; never more than `most`, whatever the zip says of itself."""
    to.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with packed.open(entry) as source, to.open("xb") as file:
        while chunk := source.read(CHUNK_BYTES):
            size += len(chunk)
            if size > most:
                raise _too_much(f"more in “{entry.filename[:100]}” than it says")
            file.write(chunk)
    return size


def _is_folder(info: zipfile.ZipInfo) -> bool:
    return info.is_dir() or bool(info.external_attr & _DOS_FOLDER and not info.file_size)


def _folder_around(names: list[str]) -> str:
    """The one folder that everything lies in ("name-1.0/"); empty if there is none."""
    first = names[0].partition("/")[0] + "/"
    is_part = first.rstrip("/") in PARTS
    return first if not is_part and all(name.startswith(first) for name in names) else ""


def _too_much(what: str) -> InvalidRequest:
    return InvalidRequest("address", f"The zip holds {what}. An extension is not that large.")
