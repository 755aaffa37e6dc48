"""For transformers: the first block tells whether the others would answer anything new.

What the first block adds to its input is compared with what it added when all blocks ran last. If
that changed by less than the threshold, so, it is assumed, did what the others add, and that is
taken from then (the first-block cache of Cheng 2024, ParaAttention, which goes back to Liu et al.
2024, "Timestep Embedding Tells: It's Time to Cache for Video Diffusion Model", TeaCache).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from webui.core.request import StepCache
from webui.engine.caching.question import Ask, Question, Row, put_together
from webui.engine.caching.reuse import is_at_work
from webui.engine.caching.stand_ins import Code, own_code, standing_in
from webui.engine.guidance.feature import Moment

LISTS: Final = (("transformer_blocks", "single_transformer_blocks"), ("layers",))
"""Where networks have their blocks, in the order in which they run."""
FEWEST_BLOCKS: Final = 2


class FirstBlock:
    """A step cache for one run of a transformer.

    Whether a row may be short is told on the computer, so each call waits for the device once.
    """

    def __init__(self, given: StepCache, blocks: Sequence[nn.Module]) -> None:
        self._given: Final = given
        self._blocks: Final = tuple(blocks)
        self._kept: Final[dict[Row, _Kept]] = {}
        self._pairs: Final[set[nn.Module]] = set()

    def answer(self, question: Question, moment: Moment, ask: Ask) -> Tensor:
        """The short way for all rows if any may go it; those that may not go the whole way then.

        Where none may, that shows before the second block, and the call goes on whole.
        """
        if not is_at_work(self._given, moment):
            return ask(question)
        kept = [self._kept.get(row) for row in question.rows]
        answer, call = self._called(question, kept, ask)
        if call.is_whole:
            return answer
        short = [number for number, is_short in enumerate(call.are_short) if is_short]
        late = [number for number, is_short in enumerate(call.are_short) if not is_short]
        if not late:
            return answer
        rest, _ = self._called(question.chosen(late), [None] * len(late), ask)
        return put_together([(short, answer[short]), (late, rest)])

    def _called(
        self, question: Question, kept: Sequence[_Kept | None], ask: Ask
    ) -> tuple[Tensor, _Call]:
        call = _Call(kept, self._given.threshold, self._pairs)
        with standing_in(call.codes(self._blocks)):
            answer = ask(question, is_hooked=True)
        if call.is_whole:
            for number, row in enumerate(question.rows):
                self._kept[row] = _Kept(first=call.first[number], rest=call.rest[number])
        return answer, call


@dataclass(frozen=True, kw_only=True, eq=False)
class _Kept:
    """What the first block added for a row, and what all others did: (tokens, C)."""

    first: Tensor
    rest: Tensor


class _Call:
    """One call of the network: what is found on the way."""

    def __init__(
        self, kept: Sequence[_Kept | None], threshold: float, pairs: set[nn.Module]
    ) -> None:
        self.are_short: list[bool] = [False] * len(kept)
        self.first: Tensor
        self.rest: Tensor
        self._kept: Final = kept
        self._threshold: Final = threshold
        self._pairs: Final = pairs
        self._after_first: Any = None

    @property
    def is_whole(self) -> bool:
        """Whether all blocks ran."""
        return not any(self.are_short)

    def codes(self, blocks: Sequence[nn.Module]) -> dict[nn.Module, Code]:
        """What stands in for each block."""
        first, *middle, last = blocks
        found: dict[nn.Module, Code] = {first: self._first(own_code(first))}
        found.update((block, self._middle(block, own_code(block))) for block in middle)
        found[last] = self._last(last, own_code(last))
        return found

    def _first(self, run: Code) -> Code:
        def code(*given: Any, **named: Any) -> Any:
            answer = run(*given, **named)
            self._after_first = answer
            self.first = _picture(answer) - _hidden(given, named)
            self._decide()
            return answer

        return code

    def _middle(self, block: nn.Module, run: Code) -> Code:
        def code(*given: Any, **named: Any) -> Any:
            if self.is_whole:
                return self._run(block, run, given, named)
            return self._formed(block, named, _hidden(given, named))

        return code

    def _last(self, block: nn.Module, run: Code) -> Code:
        def code(*given: Any, **named: Any) -> Any:
            if self.is_whole:
                answer = self._run(block, run, given, named)
                found = _picture(answer)
                self.rest = found - _as_joined(self._after_first, found)
                return answer
            hidden = _hidden(given, named)
            rest = [torch.zeros_like(hidden[0]) if k is None else k.rest for k in self._kept]
            return self._formed(block, named, hidden + torch.stack(rest))

        return code

    def _run(self, block: nn.Module, run: Code, given: tuple[Any, ...], named: Any) -> Any:
        answer = run(*given, **named)
        if isinstance(answer, tuple):
            self._pairs.add(block)
        return answer

    def _formed(self, block: nn.Module, named: Any, hidden: Tensor) -> Any:
        """As this block answers: some do so for the words too."""
        return (named["encoder_hidden_states"], hidden) if block in self._pairs else hidden

    def _decide(self) -> None:
        """Relative changes, all brought to the computer at once."""
        known = [number for number, kept in enumerate(self._kept) if kept is not None]
        if not known:
            return
        then = torch.stack([kept.first for kept in self._kept if kept is not None]).float()
        now = self.first[known].float()
        changes = (now - then).abs().mean((1, 2)) / then.abs().mean((1, 2))
        for number, change in zip(known, changes.tolist(), strict=True):
            self.are_short[number] = change < self._threshold


def blocks_of(network: Any) -> list[nn.Module]:
    """A transformer's blocks in the order in which they run; empty for other networks."""
    for names in LISTS:
        found = [block for name in names for block in getattr(network, name, ())]
        if len(found) >= FEWEST_BLOCKS:
            return found
    return []


def _hidden(given: tuple[Any, ...], named: Any) -> Tensor:
    hidden: Tensor = named["hidden_states"] if "hidden_states" in named else given[0]
    return hidden


def _picture(answer: Any) -> Tensor:
    """Of an answer for words and picture the picture's."""
    found: Tensor = answer[1] if isinstance(answer, tuple) else answer
    return found


def _as_joined(answer: Any, like: Tensor) -> Tensor:
    """An early block's answer in the form of a late one's: some networks go on with words and
    picture in one row."""
    picture = _picture(answer)
    if picture.shape == like.shape:
        return picture
    return torch.cat([answer[0], picture], dim=1)
