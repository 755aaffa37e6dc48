"""A look into pickled files (.pt, .pth, .bin, .ckpt) that runs nothing of them.

Unpickling runs whatever a file says. This reads the same bytes as text: the strings in them name
the tensors. (docs.python.org/3/library/pickletools.html, genops)
"""

from __future__ import annotations

import contextlib
import io
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

MAX_PICKLE_BYTES: Final = 8 * 2**20
MAX_NAMES: Final = 20_000
LEGACY_PICKLES: Final = 4
"""torch before 1.6 wrote a magic number, a version, facts of the system, then the object."""


DAMAGE: Final = (
    *(ValueError, EOFError, IndexError, KeyError, OverflowError, struct.error),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError),
    RuntimeError,  # zipfile says so of encrypted files
)
"""What reading a damaged or hostile file may lead to."""


def names_in(path: Path) -> frozenset[str]:
    """The strings in a pickled file, the names of its tensors among them; of a damaged one those
    before the damage. Raises nothing but OSError."""
    found: set[str] = set()
    with path.open("rb") as file, contextlib.suppress(*DAMAGE):
        found.update(_strings(file))
    return frozenset(found)


def _strings(file: IO[bytes]) -> Iterator[str]:
    found = 0
    for pickle in _pickles(file):
        for _, value, _ in pickletools.genops(pickle):
            if isinstance(value, str):
                yield value
                found += 1
            if found > MAX_NAMES:
                return


def _pickles(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """The pickles in a file of torch.save, old or new; each is to be read to its end."""
    if not zipfile.is_zipfile(file):
        file.seek(0)
        head = io.BytesIO(file.read(MAX_PICKLE_BYTES))
        yield from [head] * LEGACY_PICKLES
        return
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            if entry.filename.endswith("data.pkl"):
                with archive.open(entry) as member:
                    yield io.BytesIO(member.read(MAX_PICKLE_BYTES))
                return
