"""Where the tensors of a safetensors file lie. What a header may say is checked by
`webui.modelfiles.header`."""

from __future__ import annotations

from pathlib import Path

from webui.families.stored import Stored, WeightFile, damaged, missing
from webui.modelfiles.container import container_of
from webui.modelfiles.header import read_front


def read_table(model: str, path: Path) -> dict[str, Stored]:
    """All tensors of a file by key. Raises ModelUnreadable. `model` is its name in messages."""
    try:
        stat = path.stat()
    except FileNotFoundError as error:
        raise missing(model, path) from error
    except OSError as error:
        raise damaged(model, path, error.strerror or error) from error
    container_of(path)  # says of a web page, or of a pointer of Git, that it is one
    front = read_front(path)
    file = WeightFile(model=model, path=path, size_bytes=stat.st_size, changed_ns=stat.st_mtime_ns)
    return {
        key: Stored(file=file, offset=front.begins[key], dtype=tensor.dtype, shape=tensor.shape)
        for key, tensor in front.tensors.items()
    }
