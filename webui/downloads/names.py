"""File names from outside, made harmless: no folders, nothing that Windows keeps for itself."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from webui.modelfiles.container import Container

ENDINGS: Final = (".safetensors", ".sft", ".gguf", ".ckpt", ".pt", ".pth", ".bin")
LIBRARY_STEMS: Final = frozenset(
    {"diffusion_pytorch_model", "pytorch_lora_weights", "model", "pytorch_model", "adapter_model"}
)
"""What libraries call every file they write."""
RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)")
UNFIT: Final = re.compile(
    '[<>:"/\\\\|?*\x00-\x1f\x7f-\x9f\u2028-\u202e\u200b-\u200f\u2066-\u2069\ud800-\udfff]+'
)
LONGEST_BYTES: Final = 180
"""Of 255 that file systems allow: room for what is put behind it."""
DISPOSITION: Final = re.compile(r"""filename\*\s*=\s*UTF-8''([^;]+)|filename\s*=\s*"?([^";]+)"?""")


def safe_name(said: str) -> str:
    """A name that any file system takes, in the folder where it is put and nowhere else."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", said))[-1]
    name = UNFIT.sub("_", last).strip(" .")
    stem, dot, ending = name.rpartition(".") if name.lower().endswith(ENDINGS) else (name, "", "")
    if RESERVED.fullmatch(stem.split(".")[0].strip()):
        stem = f"_{stem}"
    return _cut(stem.rstrip(" .") or "model", LONGEST_BYTES) + dot + ending


def name_in_answer(disposition: str, path: str) -> str:
    """The name of a file by its Content-Disposition, else by the path it was found at."""
    told = {bool(match[1]): match[1] or match[2] for match in DISPOSITION.finditer(disposition)}
    said = unquote(told[True]) if True in told else told.get(False, "")
    return safe_name(said or unquote(urlsplit(path).path))


def name_in_repository(repository: str, path: str) -> str:
    """The name of a file of Hugging Face; those that every library uses get the repository's."""
    place = PurePosixPath(path)
    if place.stem.split(".")[0] not in LIBRARY_STEMS:
        return safe_name(place.name)
    variant = place.stem.partition(".")[2]
    words = [repository.rpartition("/")[2], *place.parts[:-1], variant]
    return safe_name("-".join(filter(None, words)) + place.suffix)


def with_ending(name: str, container: Container) -> str:
    """A name with an ending by which models are found, after what the file is."""
    if name.lower().endswith(ENDINGS):
        return name
    endings = {Container.SAFETENSORS: ".safetensors", Container.GGUF: ".gguf"}
    return name + endings.get(container, ".pt")


def numbered(name: str, number: int) -> str:
    """The name for the second file of a name, and so on: "a.safetensors" -> "a (2).safetensors"."""
    if number == 1:
        return name
    path = PurePosixPath(name)
    return f"{path.stem} ({number}){path.suffix}"


def _cut(text: str, most: int) -> str:
    return text.encode()[:most].decode(errors="ignore")
