"""For UNets: the deep layers' answer is kept for some calls; only the outermost layers run.

After Ma et al. 2023, "DeepCache: Accelerating Diffusion Models for Free". A UNet's last layer takes
what came up from all deeper ones, and beside it what the first layer found. The former hardly
changes from step to step: every n-th call works it out, the calls between take it as it was and
run only the first layer and the last.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from webui.core.request import StepCache
from webui.engine.caching.question import Ask, Question, Row, put_together
from webui.engine.caching.reuse import is_at_work
from webui.engine.caching.stand_ins import Code, own_code, standing_in
from webui.engine.guidance.feature import Moment

KEPT_WAYS: Final = 6
"""As many as recordings are kept of a network: each size and number of rows has its own."""
FEWEST_LAYERS: Final = 2
"""Of the last block: the last one, and one that hands it what is kept."""


class DeepFeatures:
    """A step cache for one run of a UNet."""

    def __init__(self, given: StepCache, ways: Ways) -> None:
        self._given: Final = given
        self._ways: Final = ways
        self._kept: Final[dict[Row, _Kept]] = {}

    def answer(self, question: Question, moment: Moment, ask: Ask) -> Tensor:
        """Whole where nothing is kept that is young enough, else the short way."""
        if not is_at_work(self._given, moment):
            return ask(question)
        numbers = range(len(question.rows))
        short = [number for number in numbers if self._is_young(question.rows[number], moment)]
        whole = [number for number in numbers if number not in short]
        pieces = []
        if short:
            pieces.append((short, self._short(question.chosen(short), ask)))
        if whole:
            pieces.append((whole, self._whole(question.chosen(whole), moment, ask)))
        return put_together(pieces)

    def _is_young(self, row: Row, moment: Moment) -> bool:
        kept = self._kept.get(row)
        return kept is not None and moment.call - kept.call < self._given.every

    def _whole(self, question: Question, moment: Moment, ask: Ask) -> Tensor:
        way = self._ways.of(question.seen)
        with standing_in(way.whole):
            answer = ask(question)
        for row, feature in zip(question.rows, way.taken(), strict=True):
            self._kept[row] = _Kept(call=moment.call, feature=feature)
        return answer

    def _short(self, question: Question, ask: Ask) -> Tensor:
        way = self._ways.of(question.seen)
        way.give([self._kept[row].feature for row in question.rows])
        with standing_in(way.short):
            return ask(question)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Kept:
    """What the deep layers answered for a row, (C, h, w), and in which call."""

    call: int
    feature: Tensor


class Ways:
    """The ways around a UNet's deep layers, kept as long as the network is in memory: recordings
    of it hold their code and their memory."""

    def __init__(self, unet: Any) -> None:
        self._unet: Final = unet
        self._ways: Final[OrderedDict[tuple[object, ...], Way]] = OrderedDict()

    def of(self, seen: Tensor) -> Way:
        """The way for inputs of this form."""
        form = tuple(seen.shape), seen.dtype, seen.device
        way = self._ways.pop(form, None) or Way(self._unet)
        self._ways[form] = way
        while len(self._ways) > KEPT_WAYS:
            self._ways.popitem(last=False)
        return way


class Way:
    """The memory through which the deep layers' answer passes, always the same, and the code that
    writes it (`whole`) or reads it (`short`)."""

    def __init__(self, unet: Any) -> None:
        self._room: Tensor | None = None
        self.whole: Final[Mapping[nn.Module, Code]] = dict(_keeping(unet, self))
        self.short: Final[Mapping[nn.Module, Code]] = dict(_leaving_out(unet, self))

    @property
    def room(self) -> Tensor:
        """What the last layer takes. Something must have been given or taken before."""
        assert self._room is not None
        return self._room

    def put(self, feature: Tensor) -> None:
        """Keep (B, C, h, w) until the next. Room is made at the first time only, which is never
        while a graph is recorded: the runner calls a network twice before it does that."""
        if self._room is None:
            self._room = feature.clone()
        else:
            self._room.copy_(feature)

    def give(self, features: Sequence[Tensor]) -> None:
        """The same from rows of several calls."""
        self.put(torch.stack(list(features)))

    def taken(self) -> Tensor:
        """A copy of what is kept."""
        return self.room.clone()


def has_deep_layers(network: Any) -> bool:
    """Whether a network is a UNet with something in it to leave out."""
    down, up = (list(getattr(network, name, ())) for name in ("down_blocks", "up_blocks"))
    blocks = [*down, *up]
    if not down or not up or not all(hasattr(block, "resnets") for block in blocks):
        return False
    return len(up[-1].resnets) >= FEWEST_LAYERS


def _keeping(unet: Any, way: Way) -> Iterator[tuple[nn.Module, Code]]:
    """Keeps what the last layer but one hands to the last."""
    source = _source(unet.up_blocks[-1])
    run = own_code(source)

    def keep(*given: Any, **named: Any) -> Any:
        answer = run(*given, **named)
        way.put(answer[0] if isinstance(answer, tuple) else answer)
        return answer

    yield source, keep


def _leaving_out(unet: Any, way: Way) -> Iterator[tuple[nn.Module, Code]]:
    """All layers but the outermost hand on what they get; the last but one gives what is kept."""
    first, *deeper = unet.down_blocks
    yield from _handing_on([*first.resnets[1:], *_parts(first, "downsamplers")])
    for attention in _parts(first, "attentions")[1:]:
        yield attention, _in_tuple
    for block in deeper:
        yield block, _Down(len(block.resnets) + len(_parts(block, "downsamplers")))
    if unet.mid_block is not None:
        yield unet.mid_block, _hand_on
    *inner, last = unet.up_blocks
    yield from _handing_on(inner)
    yield from _handing_on(last.resnets[:-1])
    for attention in _parts(last, "attentions")[:-1]:
        yield attention, _in_tuple
    source = _source(last)
    is_attention = bool(_parts(last, "attentions"))
    yield source, lambda *_, **__: (way.room,) if is_attention else way.room


def _source(block: Any) -> nn.Module:
    """Whose answer goes to the last layer."""
    layers = _parts(block, "attentions") or list(block.resnets)
    source: nn.Module = layers[-2]
    return source


def _parts(block: Any, name: str) -> list[nn.Module]:
    return list(getattr(block, name, None) or ())


def _handing_on(modules: Sequence[nn.Module]) -> Iterator[tuple[nn.Module, Code]]:
    return ((module, _hand_on) for module in modules)


def _hand_on(*given: Any, **named: Any) -> Any:
    return given[0] if given else named["hidden_states"]


def _in_tuple(*given: Any, **named: Any) -> Any:
    return (_hand_on(*given, **named),)


class _Down:
    """In place of a block on the way down: as many answers for the way up as it would give. Nobody
    reads them."""

    def __init__(self, answers: int) -> None:
        self._answers: Final = answers

    def __call__(self, *given: Any, **named: Any) -> tuple[Any, tuple[Any, ...]]:
        hidden = _hand_on(*given, **named)
        return hidden, (hidden,) * self._answers
