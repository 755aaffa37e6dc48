"""What a person may write to name a model: an address, or an id of Hugging Face or Civitai."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from webui.net.faults import FetchRefused
from webui.net.guard import SECRET_NAMES

HUGGING_FACE: Final = "hugging_face"
CIVITAI: Final = "civitai"
HUGGING_FACE_HOSTS: Final = frozenset({"huggingface.co", "www.huggingface.co", "hf.co"})
CIVITAI_HOSTS: Final = re.compile(r"(www\.)?civitai\.(com|red|green)")
REPOSITORY: Final = re.compile(r"(?P<repo>[\w.-]{1,96}/[\w.-]{1,96})(?:/(?P<path>[^?#]+))?")
MODEL_NUMBER: Final = re.compile(r"(?:.*civitai:)?(?P<model>\d{1,12})(?:@(?P<version>\d{1,12}))?")
VIEWS: Final = ("blob", "resolve", "raw", "tree")


@dataclass(frozen=True, kw_only=True)
class HuggingFaceRef:
    """A repository of Hugging Face, a file of it if `path` is not empty."""

    repository: str
    revision: str = "main"
    path: str = ""


@dataclass(frozen=True, kw_only=True)
class CivitaiRef:
    """A version of a model of Civitai; without one its newest."""

    model: str = ""
    version: str = ""


@dataclass(frozen=True, kw_only=True)
class UrlRef:
    """A file at an address."""

    url: str


Ref = HuggingFaceRef | CivitaiRef | UrlRef


def read_address(text: str, hugging_face: str, civitai: str) -> Ref:
    """What `text` names. The two are the addresses of the services that the settings name. Raises
    FetchRefused."""
    text = plain(text).strip()
    if "://" in text:
        return _read_url(text, _host(hugging_face), _host(civitai))
    if number := MODEL_NUMBER.fullmatch(text):
        return CivitaiRef(model=number["model"], version=number["version"] or "")
    if (named := REPOSITORY.fullmatch(text.removeprefix("hf:"))) and not _is_dotted(text):
        return HuggingFaceRef(repository=named["repo"], path=named["path"] or "")
    if re.match(r"[\w.-]+\.[a-z]{2,}/", text):
        return _read_url(f"https://{text}", _host(hugging_face), _host(civitai))
    raise FetchRefused(
        f"“{text[:100]}” names no model. Write an address (https://…), owner/name for Hugging "
        "Face, or the number of a model at Civitai."
    )


def plain(text: str) -> str:
    """A text without halves of signs, which can't be written anywhere."""
    return text.encode("utf-8", "replace").decode()


def _is_dotted(text: str) -> bool:
    """Whether it begins as a host does: owners of repositories have no dots in their names."""
    return "." in text.split("/")[0] or ".." in text


def _host(address: str) -> str:
    return urlsplit(address).netloc.lower()


def _read_url(url: str, hugging_face: str, civitai: str) -> Ref:
    try:
        parts = urlsplit(url)
        host, asked = parts.netloc.lower(), parse_qs(parts.query)
    except ValueError as error:
        raise FetchRefused(f"“{url[:100]}” is not a web address. Copy it again.") from error
    _refuse_secrets(asked)
    pieces = [unquote(piece) for piece in parts.path.split("/") if piece]
    if host in HUGGING_FACE_HOSTS or host == hugging_face:
        return _hugging_face(pieces) or UrlRef(url=url)
    if CIVITAI_HOSTS.fullmatch(host) or host == civitai:
        return _civitai(pieces, asked) or UrlRef(url=url)
    return UrlRef(url=url)


def _refuse_secrets(asked: dict[str, list[str]]) -> None:
    """What is in an address is written down in lists and logs."""
    named = [name for name in asked if name.lower() in SECRET_NAMES]
    if named:
        raise FetchRefused(
            f"The address has a secret in it (“{named[0]}”). Leave it out, and put the token under "
            "“Tokens” in the Models tab: there it stays private."
        )


def _hugging_face(pieces: list[str]) -> Ref | None:
    if len(pieces) < 2 or pieces[0] in ("api", "datasets", "spaces") or ".." in pieces:
        return None
    repository, rest = "/".join(pieces[:2]), pieces[2:]
    if not REPOSITORY.fullmatch(repository):
        return None
    if len(rest) > 1 and rest[0] in VIEWS:
        path = "" if rest[0] == "tree" else "/".join(rest[2:])
        return HuggingFaceRef(repository=repository, revision=rest[1], path=path)
    return HuggingFaceRef(repository=repository)


def _civitai(pieces: list[str], asked: dict[str, list[str]]) -> Ref | None:
    version = asked.get("modelVersionId", [""])[0]
    if pieces[:1] == ["models"] and len(pieces) > 1 and pieces[1].isdecimal():
        return CivitaiRef(model=pieces[1], version=version if version.isdecimal() else "")
    if pieces[:3] == ["api", "download", "models"] and len(pieces) > 3 and pieces[3].isdecimal():
        return CivitaiRef(version=pieces[3])
    return None
