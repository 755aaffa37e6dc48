"""Tokenizers of the language models: Qwen's ships, Gemma's comes with the model.

transformers is imported inside the functions.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from webui.families.gemma_tokenizer import load_gemma_tokenizer
from webui.families.language_model import GEMMA2

if TYPE_CHECKING:
    from transformers.tokenization_utils_tokenizers import TokenizersBackend

MERGES: Final = Path(__file__).parent / "configs" / "qwen" / "merges.txt"
"""Of Qwen 1 to 3: the pieces of words, each as the two that it is made of, see qwen_tokenizer.py
beside its folder."""
BYTES: Final = 256
FIRST_MARK: Final = 151_643
"""As many are the pieces; behind them come the marks, the same in Qwen 2 and 3 as far as both
have them."""
MARKS: Final = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>"),
    *("<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>"),
    *("<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
    *("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"),
    *("<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>"),
    *("<think>", "</think>"),
)


def load_language_tokenizer(name: str, part: str, beside: Path | None) -> TokenizersBackend:
    """The tokenizer of a language model. `beside`: the folder where the model keeps its own, of
    Gemma also the file of its weights. `name` is the model's. Raises ModelUnreadable."""
    return load_gemma_tokenizer(name, beside) if part == GEMMA2 else _qwen()


@cache  # the same for each model that is loaded; nobody changes it
def _qwen() -> TokenizersBackend:
    from transformers import AddedToken, Qwen2Tokenizer

    lines = MERGES.read_text("utf-8").splitlines()
    merges = [tuple(line.split(" ")) for line in lines]
    pieces = [*_letters(), *("".join(halves) for halves in merges)]
    tokenizer: TokenizersBackend = Qwen2Tokenizer(
        vocab={piece: place for place, piece in enumerate(pieces)}, merges=merges
    )
    tokenizer.add_tokens([AddedToken(mark, special=True) for mark in MARKS])
    return tokenizer


def _letters() -> list[str]:
    """What stands for each byte: itself where it can be seen, the others from U+0100 on."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(each) for each in seen] + [chr(0x100 + i) for i in range(BYTES - len(seen))]
