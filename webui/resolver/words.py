"""The words of a job's pictures: styles applied, wildcards and variants drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from webui.core.recipe import PromptPair
from webui.core.request import MAX_SEED, GenerationRequest
from webui.extend.data import Words
from webui.prompting.faults import NEGATIVE_PROMPT, PROMPT, WrongPrompt
from webui.prompting.styles import StyleBook, Styled
from webui.prompting.wildcards import expand

NOTHING: Final = PromptPair(prompt="", negative_prompt="")

Edit = Callable[[Words], Words]
"""What extensions make of the prompts of one picture."""


def unedited(words: Words) -> Words:
    """The prompts as they are."""
    return words


class Filler:
    """Fills prompts in, with the styles and the wildcards of this studio."""

    def __init__(
        self, styles: StyleBook, wildcards: Path, leaves: Callable[[], bool] = lambda: False
    ) -> None:
        """`wildcards` is a folder of text files, one choice a line. `leaves`: whether prompts that
        can't be filled in stay as they are, because old scripts may fill them later."""
        self.styles: Final = styles
        self.wildcards: Final = wildcards
        self._leaves: Final = leaves

    def fill(
        self, request: GenerationRequest, edit: Edit = unedited
    ) -> tuple[tuple[PromptPair, ...], PromptPair]:
        """The prompts of each picture, one pair if all have the same; and the template that
        wildcards were drawn in, or extensions changed, empty if there were none. The seed must be
        drawn already.

        Each picture draws with its own seed, so that it can be made again alone. Raises
        InvalidRequest.
        """
        styled = self.styles.apply(
            Styled(
                prompt=request.prompt,
                negative_prompt=request.negative_prompt,
                styles=request.styles,
            )
        )
        template = PromptPair(prompt=styled.prompt, negative_prompt=styled.negative_prompt)
        first = _first_seed(request)
        pairs = tuple(
            _edited(self._drawn(template, first + i), edit, first + i, i)
            for i in range(request.picture_count)
        )
        if set(pairs) == {template}:
            return (template,), NOTHING
        return pairs, template

    def _drawn(self, template: PromptPair, seed: int) -> PromptPair:
        return PromptPair(
            prompt=self._expanded(template.prompt, seed, PROMPT),
            negative_prompt=self._expanded(template.negative_prompt, seed, NEGATIVE_PROMPT),
        )

    def _expanded(self, text: str, seed: int, field: str) -> str:
        try:
            return expand(text, seed, self.wildcards, field)
        except WrongPrompt:
            if self._leaves():
                return text
            raise


def _edited(pair: PromptPair, edit: Edit, seed: int, index: int) -> PromptPair:
    if edit is unedited:
        return pair
    words = Words(
        prompt=pair.prompt,
        negative_prompt=pair.negative_prompt,
        seed=seed % (MAX_SEED + 1),
        index=index,
    )
    words = edit(words)
    return PromptPair(prompt=words.prompt, negative_prompt=words.negative_prompt)


def _first_seed(request: GenerationRequest) -> int:
    """The seed that counts up from picture to picture."""
    noise = request.noise
    return (noise.variation_seed if noise.variation_strength else request.seed) or 0
