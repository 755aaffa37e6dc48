"""What makes the pictures of a batch differ, from A1111's object of a job."""

from __future__ import annotations

from typing import Any

from webui.compat.asking import Single


def singles_of(p: Any) -> list[Single]:
    """One for each picture of the batch that is about to be made."""
    return [
        Single(
            prompt=_word(p.prompts, i),
            negative_prompt=_word(p.negative_prompts, i),
            seed=int(p.seeds[min(i, len(p.seeds) - 1)]),
            subseed=int(p.subseeds[min(i, len(p.subseeds) - 1)]),
            hires_prompt=_word(getattr(p, "hr_prompts", None), i),
            hires_negative_prompt=_word(getattr(p, "hr_negative_prompts", None), i),
            source=_source_of(p, i),
        )
        for i in range(len(p.prompts))
    ]


def _source_of(p: Any, i: int) -> int:
    """Several source pictures are one for each picture of a batch."""
    pictures = getattr(p, "init_images", None) or ()
    return i % len(pictures) if len(pictures) > 1 else 0


def _word(words: Any, i: int) -> str:
    return "" if not words else str(words[min(i, len(words) - 1)])
