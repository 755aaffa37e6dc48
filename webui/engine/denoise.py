"""The denoiser that samplers call: the UNet with guidance, as a guess of the clean latent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Final, Protocol

import torch
from torch import Tensor

from webui.core.errors import InvalidRequest
from webui.core.request import Guidance, StepCache
from webui.engine.architectures.architecture import Architecture, Frame
from webui.engine.architectures.text import Text, joined
from webui.engine.caching.choice import FIELD, Caches
from webui.engine.caching.question import Question, Row
from webui.engine.caching.reuse import Reuse
from webui.engine.conditioning import Conditioning
from webui.engine.extensions.steps import Asker, StepHooks
from webui.engine.extensions.steps import Question as Asking
from webui.engine.graphs.runner import Runner
from webui.engine.guidance import load_features
from webui.engine.guidance.feature import Answer, Effect, Moment, Round, changes_network, looks_on
from webui.engine.memory.thrift import Thrift
from webui.families.components import Components, Prediction
from webui.schedules.noise_levels import NoiseLevels


class Plan(Protocol):
    """What the prompts say at each call of a run."""

    def at(self, call: int) -> Conditioning:
        """The prompts of call number `call`, counted from 0."""
        ...


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A model, and how it is asked in one run."""

    components: Components
    architecture: Architecture
    levels: NoiseLevels
    frame: Frame
    runner: Runner
    thrift: Thrift
    is_hooked: bool = False
    """Whether the network's ways are changed for this run."""
    caches: Caches | None = None
    """Makes step caches for the network; None makes them for this run alone."""


class Denoiser:
    """Guesses the clean latents of a group of pictures, (B, 4, h, w), in one run. Counts its calls.

    While a call lasts, the network may be changed (see webui.engine.guidance); after each, it is
    as it was.
    """

    def __init__(
        self,
        asked: Asked,
        plan: Plan,
        guidance: Guidance,
        guidance_scale: float,
        *,
        calls_total: int,
        is_exact: bool,
        extra_channels: Tensor | None = None,
        image_guidance: float | None = None,
        first_call: int = 0,
        step_cache: StepCache | None = None,
        hooks: StepHooks | None = None,
    ) -> None:
        """`calls_total`: how often the sampler will call, all in all; `first_call`: how often it
        has before, when this denoiser takes over within a run.

        `is_exact`: the network sees one picture and one prompt at a time, so that no picture
        depends on its batch in any bit; otherwise all at once. `extra_channels`: what the network
        sees beside the latents, (1 or B, n, h, w). `image_guidance`: how far the guess goes from
        what the network says without seeing them, for those that edit. `step_cache`: how
        much of the network may be left out. `hooks`: what extensions do at each call. Raises
        InvalidRequest when the network lacks what the guidance or the cache needs.
        """
        self.calls = first_call
        self._calls_total: Final = max(1, calls_total)
        self._hooks: Final = hooks
        self._plan: Final = plan
        self._guidance_scale: Final = guidance_scale
        self._image_guidance: Final = image_guidance
        network = asked.components.diffusion_model
        begun = [feature.begin(guidance, network) for feature in load_features()]
        self._effects: Final[Sequence[Effect]] = [effect for effect in begun if effect is not None]
        self._asker: Final[Asker | None] = None if hooks is None else hooks.asker
        self._questions: Sequence[Asking] = ()
        is_other = self._asker is not None and self._asker.changes_network
        is_changed = any(map(changes_network, self._effects))
        self._is_hooked: Final = asked.is_hooked or is_changed or is_other
        reuse = (asked.caches or Caches(network)).begin(step_cache)
        if reuse is not None:
            _check_onlookers(self._effects)
        self._network: Final = _Network(asked, extra_channels, reuse, is_exact=is_exact)

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """The guided guess for `x`, whose noise has the spread `sigma`."""
        return self.both(x, sigma)[0]

    def both(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """The guided guess, and the one without guidance; without a negative prompt that is the
        first positive one's."""
        call, hooks, own = self.calls, self._hooks, x
        if hooks is not None:
            x, sigma = hooks.before(x, sigma, call)
        moment = Moment(call=call, calls_total=self._calls_total, sigma=sigma)
        self.calls += 1
        with ExitStack() as patches:
            for effect in self._effects:
                patches.enter_context(effect.patch(moment))
            round = self._round(x, moment)
            guess = self._guided(round)
            if self._image_guidance is not None:
                guess = guess + (self._image_guidance - 1) * self._seen(round)
            for effect in self._effects:
                guess = effect.apply(round, guess)
        if hooks is not None:
            guess = hooks.after(x, sigma, call, guess)
        if self._asker is not None:
            guess = self._asker.finished(call, own, sigma, guess)
        return guess, round.base.clean

    def _guided(self, round: Round) -> Tensor:
        """The prompts' answers put together, by an extension where one wants to."""
        guess, moment = self._combined(round), round.moment
        if self._hooks is None or not self._hooks.guides:
            return guess
        first, *others = round.positives
        cond = round.unguided if others or first.weight != 1 else first.clean
        uncond = None if round.negative is None else round.negative.clean
        guesses = (cond, uncond, guess)
        return self._hooks.combined(round.x, moment.sigma, moment.call, round.scale, guesses)

    def _combined(self, round: Round) -> Tensor:
        guess = round.guided(round.scale)
        if self._asker is None:
            return guess
        clean = [answer.clean for answer in (*round.positives, round.negative) if answer]
        return self._asker.combined(round.moment.call, self._questions, clean, guess)

    def _round(self, x: Tensor, moment: Moment) -> Round:
        """The prompts' answers: cond first, uncond last, as A1111 has them."""
        given = self._plan.at(moment.call)
        texts = [(part.text, part.weight) for part in given.positive]
        is_guided = given.negative is not None and not self._skips(moment)
        if given.negative is not None and is_guided:
            texts.append((given.negative, 1.0))
        questions = [
            Asking(x=x, sigma=moment.sigma, text=text, weight=weight) for text, weight in texts
        ]
        if is_guided:
            questions[-1] = replace(questions[-1], is_negative=True)
        asked, raws = self._answered(questions, moment)
        answers = [
            Answer(
                text=each.text,
                weight=each.weight,
                raw=raw,
                clean=self._network.clean(each.x, each.sigma, raw),
            )
            for each, raw in zip(asked, raws, strict=True)
        ]
        return Round(
            moment=moment,
            x=x,
            positives=tuple(answers[:-1] if is_guided else answers),
            negative=answers[-1] if is_guided else None,
            scale=self._guidance_scale,
            ask=partial(self._network.ask, moment.sigma),
            clean=partial(self._network.clean, x, moment.sigma),
        )

    def _answered(
        self, questions: list[Asking], moment: Moment
    ) -> tuple[Sequence[Asking], Sequence[Tensor]]:
        """What was asked in the end, and what the network said."""
        call, asker, scale = moment.call, self._asker, self._guidance_scale
        others = None if asker is None else asker.questions(call, scale, questions)
        self._questions = questions if others is None else others
        answers = partial(self._network.answers, is_hooked=self._is_hooked, moment=moment)
        with ExitStack() as watches:
            for effect in self._effects:
                watches.enter_context(effect.watch())
            if others is None:
                first = questions[0]
                return questions, answers(first.sigma, first.x, [each.text for each in questions])
            return others, [answers(each.sigma, each.x, [each.text])[0] for each in others]

    def _seen(self, round: Round) -> Tensor:
        """What seeing the picture changes, without the prompt: Brooks et al. 2023, eq. 3. The rest
        of that sum is plain guidance."""
        moment, base = round.moment, round.base
        blind = self._network.answers(
            moment.sigma,
            round.x,
            [base.text],
            is_hooked=self._is_hooked,
            is_blind=True,
            moment=moment,
        )
        return base.clean - round.clean(blind[0])

    def _skips(self, moment: Moment) -> bool:
        return any(effect.skips(moment) for effect in self._effects)


def _check_onlookers(effects: Sequence[Effect]) -> None:
    """Raises InvalidRequest for what looks at layers that a step cache leaves out."""
    if any(map(looks_on, effects)):
        raise InvalidRequest(
            FIELD,
            "Self attention guidance (SAG) looks into layers that the step cache leaves out. "
            "Switch one of the two off.",
        )


class _Network:
    """The network, asked for clean latents."""

    def __init__(
        self,
        asked: Asked,
        extra_channels: Tensor | None,
        reuse: Reuse | None,
        *,
        is_exact: bool,
    ) -> None:
        self._asked: Final = asked
        self._levels: Final = asked.levels
        # goes through all its parameters each time
        self._dtype: Final = asked.components.diffusion_model.dtype
        self._prediction: Final = asked.components.prediction
        self._extra: Final = extra_channels
        self._reuse: Final = reuse
        self._is_exact: Final = is_exact
        self.is_hooked = False
        """Whether something changes the network's ways for this call."""
        self._moment: Moment | None = None

    def ask(self, sigma: float, x: Tensor, texts: Sequence[Text]) -> list[Tensor]:
        """The guess for each text, by a network that a feature has changed for it."""
        return [self.clean(x, sigma, raw) for raw in self.answers(sigma, x, texts, is_hooked=True)]

    def answers(
        self,
        sigma: float,
        x: Tensor,
        texts: Sequence[Text],
        *,
        is_hooked: bool,
        is_blind: bool = False,
        moment: Moment | None = None,
    ) -> list[Tensor]:
        """What the network says for each text: noise, velocity or flow. `is_blind`: with nothing in
        the extra channels. `moment`: which call it is, where a step cache may take part in it."""
        self.is_hooked = is_hooked
        self._moment = moment
        # filled on the device: a number sent there would have to wait for all that is queued
        time = torch.full((), self._levels.time(sigma), dtype=torch.float32, device=x.device)
        seen = self._input(x, sigma, is_blind=is_blind)
        answer = self._apart if self._is_exact else self._together
        rows = [[Row(text=t, picture=i, is_blind=is_blind) for i in range(len(x))] for t in texts]
        return [each.to(x.dtype) for each in answer(seen, time, texts, rows)]

    def _input(self, x: Tensor, sigma: float, *, is_blind: bool) -> Tensor:
        seen = x / self._levels.divisor(sigma)
        if self._extra is not None:
            extra = self._extra.to(seen).expand(len(x), -1, -1, -1)
            extra = torch.zeros_like(extra) if is_blind else extra
            seen = torch.cat([seen, extra], dim=1)
        return seen.to(self._dtype)

    def _together(
        self, seen: Tensor, time: Tensor, texts: Sequence[Text], rows: Sequence[Sequence[Row]]
    ) -> Iterator[Tensor]:
        """Neighbours of one length in one call, (count * B) rows."""
        for _, same in groupby(zip(texts, rows, strict=True), key=lambda pair: pair[0].length):
            several = list(same)
            question = Question(
                seen=torch.cat([seen] * len(several)),
                time=time,
                text=joined([text.rows(len(seen)) for text, _ in several]),
                rows=tuple(row for _, own in several for row in own),
            )
            ask = partial(self._part, question)
            answer = self._asked.thrift.rows(len(several) * len(seen), ask)
            yield from answer.chunk(len(several))

    def _apart(
        self, seen: Tensor, time: Tensor, texts: Sequence[Text], rows: Sequence[Sequence[Row]]
    ) -> Iterator[Tensor]:
        pictures = [seen[i : i + 1] for i in range(len(seen))]
        whole = self._asked.thrift.whole
        for text, own in zip(texts, rows, strict=True):
            asks = [
                partial(self._answer, Question(seen=one, time=time, text=text, rows=(row,)))
                for one, row in zip(pictures, own, strict=True)
            ]
            yield torch.cat([whole(ask) for ask in asks])

    def _part(self, question: Question, start: int, stop: int) -> Tensor:
        return self._answer(question.part(start, stop))

    def _answer(self, question: Question) -> Tensor:
        if self._reuse is None or self._moment is None:
            return self._said(question)
        return self._reuse.answer(question, self._moment, self._said)

    def _said(self, question: Question, *, is_hooked: bool = False) -> Tensor:
        architecture, frame = self._asked.architecture, self._asked.frame
        seen = question.seen
        arguments = architecture.arguments(seen, question.time, question.text, frame)
        output = self._asked.runner(arguments, is_hooked=is_hooked or self.is_hooked)
        return architecture.answer(output, seen)

    def clean(self, x: Tensor, sigma: float, answer: Tensor) -> Tensor:
        """The clean latent that an answer means."""
        match self._prediction:
            case Prediction.VELOCITY:
                return x / (sigma**2 + 1) - answer * (sigma / math.sqrt(sigma**2 + 1))
            case Prediction.FLOW:
                return x / self._levels.divisor(sigma) - answer * self._levels.time(sigma)
        return x - answer * sigma
