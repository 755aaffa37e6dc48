"""The converter's process: a pickle comes in on standard input, a safetensors file goes out on
standard output, lines of JSON say on standard error how it goes. It knows no paths.

Started by `conversion`. Even here the pickle is not unpickled, only followed as data.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import IO, Final

from webui.modelfiles import copying, sandbox
from webui.modelfiles.container import Container
from webui.modelfiles.damage import WHATEVER, Damage
from webui.modelfiles.torch_file import read_open_torch

MEMORY_BYTES: Final = 3 * 2**29
FILE_TIMES: Final = 3
FILE_SPARE_BYTES: Final = 40 * 2**20
"""A file may become as much larger: see torch_file's bound, and the header."""
REPORT_BYTES: Final = 32 * 2**20


def main(container: str, note: str, seconds: int) -> None:
    """Convert what is on standard input and end the process: 0 when it is done, 1 when it was
    refused; any other code is a crash."""
    source, target = os.fdopen(0, "rb"), os.fdopen(1, "wb")
    size = os.fstat(0).st_size
    sandbox.limit(MEMORY_BYTES, FILE_TIMES * size + FILE_SPARE_BYTES, seconds)
    sandbox.seal()
    code = 1
    try:
        _convert(source, target, Container(container), note)
        code = 0
    except Damage as error:
        _say(refused=str(error))
    except OSError as error:
        _say(refused=f"it could not be converted ({error.strerror or error}). Try again.")
    except WHATEVER as error:
        _say(refused=f"it could not be converted ({type(error).__name__}).")
    os._exit(code)  # no clean-up that could wish for more than there is left


def _convert(source: IO[bytes], target: IO[bytes], container: Container, note: str) -> None:
    tensors = read_open_torch(source, container).tensors
    if not tensors:
        raise Damage("it holds no tensors that could be used. Remove it.")
    total, done, told = copying.written_bytes(tensors), 0, 0
    _say(done=0, total=total)
    for count in copying.copy_tensors(source, target, tensors, note):
        done += count
        if done - told >= REPORT_BYTES:
            _say(done=done, total=total)
            told = done
    os.fsync(target.fileno())


def _say(**words: object) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more: the end is near
        sys.stderr.write(json.dumps(words) + "\n")
        sys.stderr.flush()
