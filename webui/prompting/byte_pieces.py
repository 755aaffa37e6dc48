"""The vocabulary of tokenizers that are told by their pairs alone: Qwen's of all versions.

Its pieces are the bytes, then what each pair makes, in the order of the pairs, then marks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE: Final = "merges.txt"
"""The pairs, one on a line; see families/configs/qwen_tokenizer.py."""
MARKS: Final = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>"),
    *("<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>"),
    *("<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
    *("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"),
    *("<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>"),
    *("<think>", "</think>"),
)
"""The same in Qwen 2 and 3 as far as both have them."""
WORDS: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""What a text is cut into before its bytes are paired."""
BYTES: Final = 256


@dataclass(frozen=True, kw_only=True)
class BytePieces:
    """The pieces with their numbers, and the pairs that make them, the first first."""

    numbers: Mapping[str, int]
    pairs: Sequence[tuple[str, str]]


def read_pieces(folder: Path) -> BytePieces:
    """The pieces that the pairs in a folder make. Raises OSError, ValueError."""
    lines = [line.split(" ") for line in (folder / FILE).read_text("utf-8").splitlines()]
    pairs = [(left, right) for left, right in lines]
    pieces = [*_letters(), *(left + right for left, right in pairs)]
    return BytePieces(
        numbers={piece: place for place, piece in enumerate(pieces)}, pairs=tuple(pairs)
    )


def _letters() -> list[str]:
    """What stands for each byte: itself where it can be seen, the others from U+0100 on."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(each) for each in seen] + [chr(0x100 + i) for i in range(BYTES - len(seen))]
