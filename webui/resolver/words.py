"""The words of a job's pictures: styles applied, wildcards drawn."""

from __future__ import annotations

from webui.core.recipe import PromptPair
from webui.core.request import GenerationRequest

NOTHING = PromptPair(prompt="", negative_prompt="")


class Words:
    """Fills prompts in."""

    def fill(self, request: GenerationRequest) -> tuple[tuple[PromptPair, ...], PromptPair]:
        """The prompts of each picture, one pair if all have the same; and the template they were
        made from, empty if they are what was typed. Raises InvalidRequest."""
        pair = PromptPair(prompt=request.prompt, negative_prompt=request.negative_prompt)
        return (pair,), NOTHING
