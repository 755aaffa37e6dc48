"""sha256 of files, computed once and kept as long as the file stays as it is."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from modules import gesso_models, shared
from modules.cache import cache, dump_cache
from webui.compat.missing import unprovided
from webui.core.model import ModelKind

__all__ = ["cache", "dump_cache"]
blksize = 1024 * 1024


def calculate_sha256(filename: str) -> str:
    """The hash of a file, read now."""
    digest = hashlib.sha256()
    with open(filename, "rb") as file:
        while block := file.read(blksize):
            digest.update(block)
    return digest.hexdigest()


def addnet_hash_safetensors(b: Any) -> str:
    """The hash of a safetensors file's tensors, without what is written about them."""
    b.seek(0)
    header = int.from_bytes(b.read(8), "little")
    digest = hashlib.sha256()
    b.seek(header + 8)
    while block := b.read(blksize):
        digest.update(block)
    return digest.hexdigest()


def sha256_from_cache(filename: str, title: str, use_addnet_hash: bool = False) -> str | None:
    """The hash of a file if it is known and the file has not changed since."""
    known = _store(use_addnet_hash).get(title)
    try:
        changed = os.path.getmtime(filename)
    except OSError:
        return None
    if known is not None and known.get("sha256") and changed <= known.get("mtime", 0):
        return str(known["sha256"])
    return None if use_addnet_hash else _catalogs(filename)


def sha256(filename: str, title: str, use_addnet_hash: bool = False) -> str | None:
    """The hash of a file, computed if it is not known; None where hashing is switched off."""
    known = sha256_from_cache(filename, title, use_addnet_hash)
    if known is not None or shared.cmd_opts.no_hashing:
        return known
    if use_addnet_hash:
        with open(filename, "rb") as file:
            value = addnet_hash_safetensors(file)
    else:
        value = calculate_sha256(filename)
    _store(use_addnet_hash)[title] = {"mtime": os.path.getmtime(filename), "sha256": value}
    dump_cache()
    return value


def partial_hash_from_cache(filename: str, **_: Any) -> str | None:
    """The hash that the catalog knows."""
    return _catalogs(filename)


def _store(is_addnet: bool) -> Any:
    return cache("hashes-addnet") if is_addnet else cache("hashes")


def _catalogs(filename: str) -> str | None:
    for kind in (ModelKind.CHECKPOINT, ModelKind.LORA, ModelKind.VAE, ModelKind.EMBEDDING):
        for model in gesso_models.models(kind):
            if str(model.path) == str(filename):
                return model.hash
    return None


__getattr__ = unprovided(__name__)
