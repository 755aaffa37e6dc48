"""What a network is asked in one call, row by row, and whose rows these are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from webui.engine.architectures.text import Text


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """Whose answer a row is: that to one text for one picture. Equal to the same in another
    call."""

    text: Text
    """As the prompts' plan has it, one object for the whole run. A prompt that changes on the way
    brings another, for which nothing is kept yet."""
    picture: int
    is_blind: bool = False
    """Asked without the picture that is edited."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Row):
            return NotImplemented
        is_same = self.picture == other.picture and self.is_blind == other.is_blind
        return is_same and self.text is other.text

    def __hash__(self) -> int:
        return hash((id(self.text), self.picture, self.is_blind))


@dataclass(frozen=True, kw_only=True)
class Question:
    """Rows that go through the network together."""

    seen: Tensor
    """Noisy latents, (B, C, h, w)."""
    time: Tensor
    text: Text
    rows: tuple[Row, ...]

    def part(self, start: int, stop: int) -> Question:
        """Neighbouring rows of it."""
        return Question(
            seen=self.seen[start:stop],
            time=self.time,
            text=self.text.part(start, stop),
            rows=self.rows[start:stop],
        )

    def chosen(self, numbers: Sequence[int]) -> Question:
        """Some rows of it, in this order; itself where they are all."""
        if list(numbers) == list(range(len(self.rows))):
            return self
        index = torch.tensor(numbers, device=self.seen.device)
        pooled = self.text.pooled
        text = Text(
            tokens=self.text.tokens[index], pooled=None if pooled is None else pooled[index]
        )
        rows = tuple(self.rows[number] for number in numbers)
        return Question(seen=self.seen[index], time=self.time, text=text, rows=rows)


class Ask(Protocol):
    """Asks the network."""

    def __call__(self, question: Question, *, is_hooked: bool = False) -> Tensor:
        """Its answer, (B, C, h, w). `is_hooked`: what was put in its way must run as it is."""
        ...


def put_together(pieces: Sequence[tuple[Sequence[int], Tensor]]) -> Tensor:
    """The rows of several answers, each with its rows' numbers, in the order of the numbers."""
    if len(pieces) == 1:
        return pieces[0][1]
    order = torch.tensor([number for numbers, _ in pieces for number in numbers])
    rows = torch.cat([answer for _, answer in pieces])
    return rows[order.argsort().to(rows.device)]
