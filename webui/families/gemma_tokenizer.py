"""Gemma's tokenizer, which may not ship: from a folder, or from what files of its weights carry.

Such files hold a tensor of bytes, SentencePiece's model: a message of protobuf whose field 1, often
repeated, is a piece, of which field 1 is the text, field 2 how likely it is and field 3 its kind.
transformers is imported inside the functions.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from webui.core.errors import ModelUnreadable
from webui.families.weights import TensorFiles
from webui.modelfiles.shards import files_of

if TYPE_CHECKING:
    from transformers.tokenization_utils_tokenizers import TokenizersBackend

FILE: Final = "tokenizer.json"
TENSOR: Final = "spiece_model"
"""How its name ends."""
MARKS: Final[Mapping[str, str]] = MappingProxyType(
    {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}
)
PIECE: Final = 1
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""How the value of a field is written."""
CONTROL: Final = 3
"""The kind of pieces that no text holds."""
USER: Final = 4


def load_gemma_tokenizer(name: str, beside: Path | None) -> TokenizersBackend:
    """The tokenizer in the folder `beside`, in or next to the file `beside`. `name` is the
    model's. Raises ModelUnreadable."""
    from transformers import PreTrainedTokenizerFast

    if beside is not None:
        folder = beside if beside.is_dir() else beside.parent
        if (folder / FILE).is_file():
            try:
                return PreTrainedTokenizerFast(tokenizer_file=str(folder / FILE), **MARKS)
            except (OSError, ValueError, TypeError) as error:
                raise _unreadable(name, str(error)) from error
        if beside.is_file() and (carried := _carried(name, beside)) is not None:
            return carried
    raise ModelUnreadable(
        name,
        "it comes without Gemma's tokenizer, which may not ship with Gesso. Take a text encoder "
        f"that carries it (the tensor {TENSOR}), such as gemma_2_2b_fp16.safetensors, or put "
        f"Gemma's {FILE} beside yours.",
    )


def _carried(name: str, file: Path) -> TokenizersBackend | None:
    with TensorFiles(name, files_of(file)) as files:
        key = next((key for key in files if key.endswith(TENSOR)), None)
        if key is None:
            return None
        content = files.read(key).numpy().tobytes()
    try:
        return _tokenizer(list(_pieces(content)))
    except (ValueError, IndexError, struct.error, UnicodeDecodeError) as error:
        raise _unreadable(name, str(error)) from error


def _tokenizer(pieces: list[tuple[str, float, int]]) -> TokenizersBackend:
    from transformers import AddedToken, GemmaTokenizer

    scores = {text: score for text, score, kind in pieces if kind not in (CONTROL, USER)}
    tokenizer: TokenizersBackend = GemmaTokenizer(
        vocab={text: place for place, (text, _, _) in enumerate(pieces)},
        merges=_merges(scores),
        add_bos_token=True,
    )
    tokenizer.add_tokens(
        [
            AddedToken(text, normalized=False, special=kind == CONTROL)
            for text, _, kind in pieces
            if kind in (CONTROL, USER)
        ]
    )
    return tokenizer


def _merges(scores: Mapping[str, float]) -> list[tuple[str, str]]:
    """The pairs that make a piece, the likeliest piece first; of several pairs for one piece that
    with the longest beginning."""
    made = [
        (-score, -cut, text)
        for text, score in scores.items()
        for cut in range(1, len(text))
        if text[:cut] in scores and text[cut:] in scores
    ]
    return [(text[:-less], text[-less:]) for _, less, text in sorted(made)]


def _pieces(content: bytes) -> Iterator[tuple[str, float, int]]:
    """Text, likelihood and kind of each."""
    for number, value in _fields(content):
        if number == PIECE:
            told: dict[int, Any] = dict(_fields(value))
            score = struct.unpack("<f", told[2])[0] if 2 in told else 0.0
            yield told[1].decode("utf-8"), score, int(told.get(3, 1))


def _fields(content: bytes) -> Iterator[tuple[int, Any]]:
    """The numbers and values of a message's fields."""
    place = 0
    while place < len(content):
        tag, place = _number(content, place)
        form = tag & 7
        if form == VARINT:
            value, place = _number(content, place)
            yield tag >> 3, value
            continue
        if form == BYTES:
            size, place = _number(content, place)
        else:
            size = {FIXED64: 8, FIXED32: 4}.get(form, -1)
        if size < 0 or place + size > len(content):
            raise ValueError("its pieces can't be told apart")
        yield tag >> 3, content[place : place + size]
        place += size


def _number(content: bytes, place: int) -> tuple[int, int]:
    """A number in sevens of bits, the least first, and the place behind it."""
    number = shift = 0
    while True:
        byte = content[place]
        number |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return number, place


def _unreadable(name: str, why: str) -> ModelUnreadable:
    return ModelUnreadable(name, f"its tokenizer can't be read ({why}). Download the model again.")
