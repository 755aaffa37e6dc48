"""Counts the tokens of a prompt without the model, for the counter on the page.

Needs only the model's tokenizer folder: tokenizer.json, or vocab.json and merges.txt, or merges.txt
alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from webui.core.request import Emphasis
from webui.prompting.byte_pieces import FILE, MARKS, WORDS, read_pieces
from webui.prompting.faults import NEGATIVE_PROMPT, PROMPT
from webui.prompting.prompt import parse
from webui.prompting.schedule import schedule
from webui.prompting.tokens import COMMA, Reading, Vocabulary, chunk_text
from webui.prompting.weights import without_weights

CHUNK: Final = 75
"""Tokens that the text encoders of Stable Diffusion take at once, without two marks."""
COMMAS: Final = (COMMA, ",")
"""A comma in the vocabularies of CLIP and T5."""
OTHERS: Final = ("tokenizer.json", "vocab.json")
"""Beside a list of pairs they say more than it does."""
KEPT_TOKENIZERS: Final = 4
NO_VECTORS: Final[Mapping[str, int]] = MappingProxyType({})

# the words of OpenAI's CLIP
_WORDS: Final = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)


@dataclass(frozen=True, kw_only=True)
class TokenCount:
    """How full a prompt is: `tokens` of `limit`, a multiple of what the model reads at once. A
    chunk that a BREAK or the comma rule left before it was full counts as full, as in A1111."""

    tokens: int
    limit: int


def count_tokens(
    prompt: str,
    tokenizer_folder: Path,
    *,
    size: int = CHUNK,
    steps: int = 20,
    emphasis: Emphasis = Emphasis.ORIGINAL,
    vectors: Mapping[str, int] = NO_VECTORS,
    is_negative: bool = False,
) -> TokenCount:
    """The count at the step and in the part between ANDs where it is largest.

    `size`: how many tokens the model reads at once. `vectors`: how many each embedding takes.
    Raises InvalidRequest where the prompt is wrong, OSError or ValueError when the tokenizer can't
    be read.
    """
    field = NEGATIVE_PROMPT if is_negative else PROMPT
    vocabulary = replace(read_vocabulary(tokenizer_folder), size=size)
    reading = Reading(emphasis=emphasis, vectors=vectors)
    parts = parse(prompt, field, is_negative=is_negative).parts
    texts = {stage.text for part in parts for stage in schedule(part.nodes, steps)}
    if vocabulary.is_whole:
        plain = [text if emphasis is Emphasis.NONE else without_weights(text) for text in texts]
        return TokenCount(tokens=max(len(vocabulary.tokenize(each)) for each in plain), limit=size)
    counts = [
        (len(chunks) - 1, len(chunks[-1]))
        for chunks in (chunk_text(text, vocabulary, reading, field) for text in sorted(texts))
    ]
    full, last = max(counts)
    return TokenCount(tokens=full * size + last, limit=(full + 1) * size)


def read_vocabulary(folder: Path) -> Vocabulary:
    """How a model with this tokenizer reads. Raises OSError or ValueError."""
    names = ("tokenizer.json", "vocab.json", "merges.txt")
    stamps = [(folder / name).stat().st_mtime_ns for name in names if (folder / name).exists()]
    return _read(folder, max(stamps, default=0))


@lru_cache(maxsize=KEPT_TOKENIZERS)
def _read(folder: Path, stamp: int) -> Vocabulary:
    """Read anew when a file changed: `stamp` is only there to tell."""
    whole = folder / "tokenizer.json"
    if (folder / FILE).exists() and not any((folder / name).exists() for name in OTHERS):
        return _from_pairs(folder)
    tokenizer = _from_json(whole) if whole.exists() else _from_parts(folder)
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def tokenize(text: str) -> list[int]:
        # a space behind a text is a token to T5, and none where the model reads it
        return list(tokenizer.encode(text.strip(), add_special_tokens=False).ids)

    comma = next((id for id in map(tokenizer.token_to_id, COMMAS) if id is not None), None)
    return Vocabulary(tokenize=tokenize, size=CHUNK, comma=comma)


def _from_pairs(folder: Path) -> Vocabulary:
    """A language model's, which reads the spaces around a text too."""
    pieces = read_pieces(folder)
    tokenizer = Tokenizer(models.BPE(vocab=dict(pieces.numbers), merges=list(pieces.pairs)))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.add_special_tokens(list(MARKS))

    def tokenize(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False).ids)

    return Vocabulary(tokenize=tokenize, size=CHUNK, comma=None, is_whole=True)


def _from_json(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_str(path.read_text("utf-8"))
    except Exception as error:  # the library raises nothing narrower
        raise ValueError(f"{path} is no tokenizer: {error}") from error


def _from_parts(folder: Path) -> Tokenizer:
    """CLIP's tokenizer as older diffusers folders keep it."""
    vocabulary = json.loads((folder / "vocab.json").read_text("utf-8"))
    lines = (folder / "merges.txt").read_text("utf-8").splitlines()
    pairs = [line.split() for line in lines if line and not line.startswith("#version")]
    merges = [(left, right) for left, right in pairs]
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=merges,
            continuing_subword_prefix="",
            end_of_word_suffix="</w>",
            unk_token="<|endoftext|>",
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return tokenizer
