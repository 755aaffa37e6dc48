"""Tokenizers of the language models: Qwen's ships, Gemma's comes with the model.

transformers is imported inside the functions.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from webui.families.gemma_tokenizer import load_gemma_tokenizer
from webui.families.language_model import GEMMA2
from webui.prompting.byte_pieces import MARKS, read_pieces

if TYPE_CHECKING:
    from transformers.tokenization_utils_tokenizers import TokenizersBackend

QWEN: Final = Path(__file__).parent / "configs" / "qwen"
"""The vocabulary of Qwen 1 to 3."""


def load_language_tokenizer(name: str, part: str, beside: Path | None) -> TokenizersBackend:
    """The tokenizer of a language model. `beside`: the folder where the model keeps its own, of
    Gemma also the file of its weights. `name` is the model's. Raises ModelUnreadable."""
    return load_gemma_tokenizer(name, beside) if part == GEMMA2 else _qwen()


@cache  # the same for each model that is loaded; nobody changes it
def _qwen() -> TokenizersBackend:
    from transformers import AddedToken, Qwen2Tokenizer

    pieces = read_pieces(QWEN)
    tokenizer: TokenizersBackend = Qwen2Tokenizer(
        vocab=dict(pieces.numbers), merges=list(pieces.pairs)
    )
    tokenizer.add_tokens([AddedToken(mark, special=True) for mark in MARKS])
    return tokenizer
