"""How the text encoder of a checkpoint reads, for scripts that look at tokens. No torch."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import webui.families
from webui.core.model import ModelInfo
from webui.prompting.counter import read_vocabulary
from webui.prompting.tokens import Reading, Vocabulary, chunk_text

USUAL: Final = "sd15"
"""The family whose tokenizer stands in where a checkpoint has none of CLIP's."""
BEGIN: Final = "<|startoftext|>"
END: Final = "<|endoftext|>"


class Chunk:
    """A chunk of a prompt: ids with their marks and filling, weights, and no embeddings."""

    def __init__(self, tokens: list[int], multipliers: list[float]) -> None:
        self.tokens = tokens
        self.multipliers = multipliers
        self.fixes: list[Any] = []


class ClipTokens:
    """A tokenizer of CLIP's, with the methods that scripts call."""

    def __init__(self, vocabulary: Vocabulary, words: dict[str, int]) -> None:
        self._vocabulary: Final = vocabulary
        self._words: Final = words
        self.size: Final = vocabulary.size
        self.begin: Final = words.get(BEGIN, 0)
        self.end: Final = words.get(END, 0)
        self.comma: Final = vocabulary.comma
        self.encoder: Final = words
        self.bos_token_id, self.eos_token_id = self.begin, self.end
        self.pad_token_id, self.model_max_length = self.end, self.size + 2

    @property
    def decoder(self) -> dict[int, str]:
        """Words by their ids."""
        return {id: word for word, id in self._words.items()}

    @property
    def byte_decoder(self) -> dict[str, int]:
        """The bytes that the signs of its words stand for: printable ones for themselves, the
        others for those from 256 on."""
        printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
        others = [byte for byte in range(256) if byte not in printable]
        return {
            **{chr(byte): byte for byte in printable},
            **{chr(256 + place): byte for place, byte in enumerate(others)},
        }

    def get_vocab(self) -> dict[str, int]:
        """Ids of all its words."""
        return dict(self._words)

    def ids(self, text: str) -> list[int]:
        """The tokens of a text."""
        return list(self._vocabulary.tokenize(text))

    def encode(self, text: str, **_: Any) -> list[int]:
        """The tokens of a text between its marks."""
        return [self.begin, *self.ids(text), self.end]

    def tokenize(self, text: str) -> list[str]:
        """The words of a text."""
        words = self.decoder
        return [words.get(id, "") for id in self.ids(text)]

    def decode(self, ids: Any, **_: Any) -> str:
        """The text of tokens."""
        words, signs = self.decoder, self.byte_decoder
        text = "".join(
            words.get(int(id), "") for id in ids if int(id) not in (self.begin, self.end)
        )
        signs[" "] = 32
        raw = bytearray(signs[sign] for sign in text.replace("</w>", " ") if sign in signs)
        return raw.decode("utf-8", "replace").strip()

    def __call__(self, texts: Any, add_special_tokens: bool = True, **_: Any) -> dict[str, Any]:
        many = [texts] if isinstance(texts, str) else texts
        ids = [self.encode(each) if add_special_tokens else self.ids(each) for each in many]
        return {"input_ids": ids[0] if isinstance(texts, str) else ids}

    def chunks(self, line: str) -> tuple[list[Chunk], int]:
        """A prompt in chunks, and how many tokens it has."""
        found = chunk_text(line, self._vocabulary, Reading())
        count = (len(found) - 1) * self.size + len(found[-1])
        return [self._framed(chunk) for chunk in found], count

    def _framed(self, chunk: Any) -> Chunk:
        empty = self.size - len(chunk)
        ids = [self.begin, *(token.id for token in chunk), *([self.end] * (empty + 1))]
        weights = [1.0, *(token.weight for token in chunk), *([1.0] * (empty + 1))]
        return Chunk(ids, weights)


def clip_tokens(model: ModelInfo) -> ClipTokens:
    """The tokenizer of a checkpoint; that of Stable Diffusion where it has none of this kind."""
    return _read(str(_folder(model)))


@lru_cache(maxsize=4)
def _read(folder: str) -> ClipTokens:
    path = Path(folder)
    return ClipTokens(read_vocabulary(path), _words(path))


def _folder(model: ModelInfo) -> Path:
    configs = Path(webui.families.__file__).parent / "configs"
    for folder in (model.path / "tokenizer", configs / model.family / "tokenizer"):
        if (folder / "vocab.json").exists() or (folder / "tokenizer.json").exists():
            return folder
    return configs / USUAL / "tokenizer"


def _words(folder: Path) -> dict[str, int]:
    whole = folder / "tokenizer.json"
    if whole.exists():
        read = json.loads(whole.read_text("utf-8"))
        words = dict(read["model"]["vocab"])
        return {**words, **{each["content"]: each["id"] for each in read.get("added_tokens", ())}}
    return dict(json.loads((folder / "vocab.json").read_text("utf-8")))
