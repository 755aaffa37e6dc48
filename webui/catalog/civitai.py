"""What Civitai says of a model, as helpers of A1111 and Forge keep it: <model>.civitai.info."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from typing import Any, Final

ENDING: Final = ".civitai.info"
MAX_WORDS: Final = 30
BREAKS: Final = re.compile(r"<(?:br\s*/?|/p|/li|/h\d)>", re.IGNORECASE)
TAGS: Final = re.compile(r"<[^<>]*>")
BLANKS: Final = re.compile(r"[ \t]+")
BASES: Final = (
    ("SD 1", "SD1"),
    ("SD 2", "SD2"),
    ("SDXL", "SDXL"),
    ("Pony", "SDXL"),
    ("Illustrious", "SDXL"),
    ("NoobAI", "SDXL"),
)
"""How its names of base models begin, and what A1111 calls their families."""


def read_civitai(entries: Mapping[str, Any]) -> dict[str, str]:
    """Notes by our names out of such a file; what it does not say is left out."""
    words = entries.get("trainedWords")
    texts = [str(word).strip(" ,") for word in words] if isinstance(words, list) else []
    base = str(entries.get("baseModel") or "")
    model = entries.get("model")
    about = model.get("description") if isinstance(model, dict) else None
    found = {
        "activation_text": ", ".join(text for text in texts[:MAX_WORDS] if text),
        "description": plain_text(str(entries.get("description") or about or "")),
        "made_for": next((family for start, family in BASES if base.startswith(start)), ""),
    }
    return {name: value for name, value in found.items() if value}


def plain_text(html: str) -> str:
    """The words of a piece of HTML. What comes out may hold anything: it is text, not HTML."""
    text = unescape(TAGS.sub("", BREAKS.sub("\n", html)))
    lines = (BLANKS.sub(" ", line).strip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
