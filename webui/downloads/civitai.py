"""What a version of a model at Civitai has to offer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from webui.core.model import ModelKind
from webui.downloads.address import CIVITAI, CivitaiRef
from webui.downloads.download import FileOffer, Offer
from webui.downloads.names import safe_name
from webui.downloads.replies import get_json, items, sha256_of, text
from webui.net.faults import FetchRefused
from webui.net.fetch import Fetcher

KINDS: Final = (
    ("checkpoint", ModelKind.CHECKPOINT),
    ("lora", ModelKind.LORA),
    ("locon", ModelKind.LORA),
    ("dora", ModelKind.LORA),
    ("textualinversion", ModelKind.EMBEDDING),
    ("vae", ModelKind.VAE),
    ("upscaler", ModelKind.UPSCALER),
    ("textencoder", ModelKind.TEXT_ENCODER),
    ("text encoder", ModelKind.TEXT_ENCODER),
)
MODELS: Final = ("model", "pruned model", "vae", "negative", "text encoder", "")
"""Types of files that are models; others are training data, configurations and archives."""


def look_at_version(fetcher: Fetcher, base: str, ref: CivitaiRef, address: str) -> Offer:
    """The files of a version. Raises FetchRefused or FetchCut."""
    version = _version(fetcher, base, ref)
    about = version.get("model")
    model = about if isinstance(about, dict) else {}
    kind = text(model.get("type")).lower()
    number = ref.model or str(version.get("modelId") or "")
    files = [
        _file(item, kind)
        for item in items(version.get("files"))
        if text(item.get("type")).lower() in MODELS and text(item.get("downloadUrl"), 2000)
    ]
    if not files:
        raise FetchRefused(f"Model {number} at Civitai has no files to download. Look there.")
    title = " · ".join(filter(None, (text(model.get("name")), text(version.get("name")))))
    return Offer(
        address=address,
        title=title or f"Model {number}",
        source=CIVITAI,
        licence=_licence(model),
        page=f"{base}/models/{number}",
        made_for=text(version.get("baseModel"), 60),
        files=files,
    )


def _version(fetcher: Fetcher, base: str, ref: CivitaiRef) -> Mapping[str, Any]:
    """A version with what is known of its model, the newest if none is named."""
    if ref.version:
        return get_json(fetcher, f"{base}/api/v1/model-versions/{ref.version}", CIVITAI)
    model = get_json(fetcher, f"{base}/api/v1/models/{ref.model}", CIVITAI)
    versions = items(model.get("modelVersions"))
    if not versions:
        raise FetchRefused(f"Model {ref.model} at Civitai has no version to download.")
    return {**versions[0], "model": model}


def _file(item: Mapping[str, Any], kind: str) -> FileOffer:
    """Sizes are told in KB of 1024 with many decimals, which is not always the whole number."""
    hashes = item.get("hashes")
    said = text(item.get("name"), 500)
    own = text(item.get("type")).lower()
    return FileOffer(
        path=said or str(item.get("id") or ""),
        name=safe_name(said),
        url=text(item.get("downloadUrl"), 2000),
        size_bytes=_size(item.get("sizeKB")),
        sha256=sha256_of(hashes.get("SHA256")) if isinstance(hashes, dict) else "",
        kind=dict(KINDS).get(own) or dict(KINDS).get(kind),
    )


def _size(kilobytes: object) -> int | None:
    if isinstance(kilobytes, bool) or not isinstance(kilobytes, int | float):
        return None
    return round(kilobytes * 1024) if 0 < kilobytes < 2**40 else None


def _licence(model: Mapping[str, Any]) -> str:
    """Civitai has a list of permissions in place of a name."""
    uses = model.get("allowCommercialUse")
    if uses is None:
        return ""
    sold = [text(use, 30) for use in uses] if isinstance(uses, list) else [text(uses, 30)]
    words = [f"commercial use: {', '.join(filter(None, sold)) or 'none'}"]
    if model.get("allowNoCredit") is False:
        words.append("name the author")
    if model.get("allowDerivatives") is False:
        words.append("no merges")
    return "; ".join(words)
