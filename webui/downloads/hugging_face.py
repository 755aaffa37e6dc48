"""What a repository of Hugging Face has to offer. Files are named by their commit: they stay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from webui.core.model import ModelKind
from webui.downloads.address import HUGGING_FACE, HuggingFaceRef
from webui.downloads.download import FileOffer, Offer
from webui.downloads.names import ENDINGS, name_in_repository
from webui.downloads.replies import get_json, items, sha256_of, size, text
from webui.net.faults import FetchRefused
from webui.net.fetch import Fetcher

SHARD: Final = re.compile(r".+-\d{5}-of-\d{5}\.\w+")
MOST_FILES: Final = 500
FOLDERS: Final = (
    ("vae", ModelKind.VAE),
    ("text_encoder", ModelKind.TEXT_ENCODER),
    ("text_encoders", ModelKind.TEXT_ENCODER),
    ("lora", ModelKind.LORA),
    ("loras", ModelKind.LORA),
)


def look_at_repository(fetcher: Fetcher, base: str, ref: HuggingFaceRef, address: str) -> Offer:
    """The model files of a repository. Raises FetchRefused or FetchCut."""
    url = f"{base}/api/models/{quote(ref.repository)}/revision/{quote(ref.revision, safe='')}"
    told = get_json(fetcher, f"{url}?blobs=true", HUGGING_FACE)
    commit = text(told.get("sha"), 64) or ref.revision
    listed = [(text(item.get("rfilename"), 1000), item) for item in items(told.get("siblings"))]
    files = [
        _file(f"{base}/{ref.repository}/resolve/{quote(commit, safe='')}", ref, path, item)
        for path, item in listed
        if _is_wanted(path, ref.path)
    ]
    if not files:
        raise FetchRefused(_nothing(ref, [path for path, _ in listed]))
    return Offer(
        address=address,
        title=ref.repository,
        source=HUGGING_FACE,
        licence=_licence(told),
        page=f"{base}/{ref.repository}",
        is_gated=bool(told.get("gated")),
        files=files[:MOST_FILES],
    )


def _is_wanted(path: str, asked: str) -> bool:
    if asked:
        return path == asked
    return path.lower().endswith(ENDINGS) and not SHARD.fullmatch(path) and ".." not in path


def _file(base: str, ref: HuggingFaceRef, path: str, item: Mapping[str, Any]) -> FileOffer:
    """Large files are kept with Git LFS, whose pointers hold the sha256."""
    stored = item.get("lfs")
    lfs = stored if isinstance(stored, dict) else {}
    folder = path.rpartition("/")[0].split("/")[0]
    return FileOffer(
        path=path,
        name=name_in_repository(ref.repository, path),
        url=f"{base}/{quote(path)}",
        size_bytes=size(lfs.get("size")) or size(item.get("size")),
        sha256=sha256_of(lfs.get("sha256") or lfs.get("oid")),
        kind=dict(FOLDERS).get(folder),
    )


def _licence(told: Mapping[str, Any]) -> str:
    card = told.get("cardData")
    said = card if isinstance(card, dict) else {}
    tags = told.get("tags")
    listed = [text(tag) for tag in tags] if isinstance(tags, list) else []
    tagged = [tag[8:] for tag in listed if tag.startswith("license:")]
    name = text(said.get("license_name"), 100) or text(said.get("license"), 100)
    return name or (tagged[0] if tagged else "")


def _nothing(ref: HuggingFaceRef, paths: list[str]) -> str:
    if ref.path:
        return f"{ref.repository} has no file “{ref.path}”. Check its name on the model's page."
    if any(SHARD.fullmatch(path) for path in paths):
        return (
            f"The model files of {ref.repository} are cut into parts, which this version can't "
            "use. Look for one that is in a single file."
        )
    return f"{ref.repository} has no model files ({', '.join(ENDINGS[:4])} …). Check its page."
