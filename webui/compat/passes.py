"""One batch on its way through the engine, as scripts see it: pass by pass, call by call."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor

from webui.compat.conditions import Conditions
from webui.compat.rows import Rows
from webui.core.recipe import Recipe
from webui.engine.extensions.steps import Question
from webui.extend.steps import Batch, Latents


class Passes:
    """The hooks of one batch. `p` is the job's object."""

    def __init__(self, p: Any) -> None:
        self.p: Final = p

    def asker(self, recipes: Sequence[Recipe], total: int, **_: Any) -> Walk:
        """Who follows one run."""
        return Walk(self.p, recipes, total)

    def begin(self, batch: Batch, **_: Any) -> Batch | None:
        """A pass is about to begin: A1111's process_before_every_sampling."""
        p = self.p
        p.rng = _noise_of(p, batch.x)
        if p.scripts is None:
            return None
        level = max(float(batch.sigmas[0]), 1e-6)
        noise = batch.x / level
        p.modified_noise = None
        p.scripts.process_before_every_sampling(p, x=noise, noise=noise, c=p.c, uc=p.uc)
        changed, p.modified_noise = p.modified_noise, None
        x = (noise if changed is None else changed) * level
        return replace(batch, x=_with_extra_noise(p, x, batch.recipes))

    def before_hires(self, latents: Latents, **_: Any) -> Latents | None:
        """Between the passes of hires fix."""
        self.p.is_hr_pass = True
        if self.p.scripts is not None:
            self.p.scripts.before_hr(self.p)
        self.p.sampler = _new_sampler(self.p)
        return None

    def finish(self, latents: Latents, **_: Any) -> Latents | None:
        """All passes are done: A1111's post_sample."""
        p = self.p
        p.is_hr_pass = False
        p.latents_after_sampling = list(latents.x)
        if p.scripts is None:
            return None
        scripts = importlib.import_module("modules.scripts")
        given = scripts.PostSampleArgs(latents.x)
        p.scripts.post_sample(p, given)
        return replace(latents, x=given.samples)


class Walk:
    """One run of a sampler, see webui.engine.extensions.steps.Asker."""

    def __init__(self, p: Any, recipes: Sequence[Recipe], total: int) -> None:
        self._p: Final = p
        self._side: Final = importlib.import_module("modules.gesso").side
        self._callbacks: Final = importlib.import_module("modules.script_callbacks")
        self._state: Final = importlib.import_module("modules.shared").state
        self._total: Final = total
        self._steps: Final = max(1, total // self._calls_per_step())
        self._conditions: Final = Conditions(p, self._steps)
        self._rows: Rows | None = None
        self._scale = 1.0
        self._last_step = -1
        self._begin()

    @property
    def changes_network(self) -> bool:
        """As Asker."""
        return bool(self._side.engine.is_changed)

    def questions(
        self, index: int, scale: float, asked: Sequence[Question]
    ) -> Sequence[Question] | None:
        """A1111's on_cfg_denoiser, with all rows in one tensor."""
        self._follow(index)
        self._scale = scale
        own = self._conditions.at(index, asked)
        rows = self._rows = Rows(own or asked)
        if not self._callbacks.ordered_callbacks("cfg_denoiser"):
            return own
        params = self._callbacks.CFGDenoiserParams(
            rows.x(),
            None,
            rows.sigma(),
            self._state.sampling_step,
            self._state.sampling_steps,
            rows.cond(),
            rows.uncond(),
            self._denoiser,
        )
        before = rows.kept(params)
        self._callbacks.cfg_denoiser_callback(params)
        changed = rows.changed(params, before)
        if changed is not None:
            self._rows = Rows(changed)
        return changed or own

    def combined(
        self, index: int, asked: Sequence[Question], clean: Sequence[Tensor], guess: Tensor
    ) -> Tensor:
        """A1111's on_cfg_denoised, and combine_denoised where a script has its own."""
        rows, denoiser = self._rows, self._denoiser
        if rows is None or denoiser is None:
            return guess
        is_heard = bool(self._callbacks.ordered_callbacks("cfg_denoised"))
        is_other = _has_own(denoiser, "combine_denoised") and rows.is_guided
        if not is_heard and not is_other:
            return guess
        stacked = rows.stacked(clean)
        before = stacked.clone()
        params = self._callbacks.CFGDenoisedParams(
            stacked, self._state.sampling_step, self._state.sampling_steps, denoiser.inner_model
        )
        if is_heard:
            self._callbacks.cfg_denoised_callback(params)
        if not rows.is_guided or (not is_other and torch.equal(stacked, before)):
            return guess
        told = (stacked, rows.weights(), rows.uncond(), self._scale)
        given = self._guarded("combine_denoised", denoiser.combine_denoised, *told)
        return guess if given is None else given

    def finished(self, index: int, x: Tensor, sigma: float, denoised: Tensor) -> Tensor:
        """A1111's on_cfg_after_cfg, and the sampler's callback_state."""
        if self._callbacks.ordered_callbacks("cfg_after_cfg"):
            params = self._callbacks.AfterCFGCallbackParams(
                denoised, self._state.sampling_step, self._state.sampling_steps
            )
            self._callbacks.cfg_after_cfg_callback(params)
            denoised = params.x if params.output_altered else denoised
        sampler, step = self._p.sampler, min(index, self._total - 1) * self._steps // self._total
        if self._denoiser is not None:
            self._denoiser.step = index + 1
        if sampler is None or (step == self._last_step and index):
            return denoised
        self._last_step = step
        told: dict[str, Any] = {
            "x": x,
            "i": step,
            "sigma": torch.tensor(sigma, device=x.device),
            "sigma_hat": torch.tensor(sigma, device=x.device),
            "denoised": denoised,
        }
        self._guarded("callback_state", sampler.callback_state, told)
        if self._denoiser is not None:
            self._denoiser.step = index + 1
        changed: Tensor = told["denoised"]
        return changed

    @property
    def _denoiser(self) -> Any:
        return getattr(self._p.sampler, "model_wrap_cfg", None)

    def _begin(self) -> None:
        """Say how long the run is."""
        denoiser = self._denoiser
        if denoiser is not None:
            denoiser.p = self._p
            denoiser.sampler = getattr(denoiser, "sampler", None) or self._p.sampler
            denoiser.step, denoiser.steps, denoiser.total_steps = 0, self._steps, self._total

    def _follow(self, index: int) -> None:
        """Where the run is, for whoever looks while the network works."""
        step = min(index, self._total - 1) * self._steps // self._total
        self._state.sampling_step, self._state.sampling_steps = step, self._steps
        if self._denoiser is not None:
            self._denoiser.step = index

    def _calls_per_step(self) -> int:
        config = getattr(self._p.sampler, "config", None)
        return 1 if config is None else max(1, config.total_steps(1))

    def _guarded(self, name: str, function: Any, *args: Any) -> Any:
        """What a script's own function gives; None when it raises."""
        calls = importlib.import_module("modules.gesso_calls")
        return calls.guarded("", name, getattr(function, "__module__", ""), function, *args)


def _has_own(denoiser: Any, method: str) -> bool:
    """Whether a script has put a method in the place of the layer's."""
    own = importlib.import_module("modules.sd_samplers_cfg_denoiser").gesso_own
    function = getattr(denoiser, method)
    return getattr(function, "__func__", function) is not own[method]


def _new_sampler(p: Any) -> Any:
    samplers = importlib.import_module("modules.sd_samplers")
    name = getattr(p, "hr_sampler_name", None) or p.sampler_name
    made = samplers.create_sampler(name, p.sd_model)
    made.initialize(p)
    return made


def _noise_of(p: Any, x: Tensor) -> Any:
    rng = importlib.import_module("modules.rng")
    return rng.ImageRNG(x.shape[1:], p.seeds, p.subseeds, float(p.subseed_strength or 0.0))


def _with_extra_noise(p: Any, x: Tensor, recipes: Sequence[Recipe]) -> Tensor:
    """A1111's on_extra_noise: noise added to a source's latents."""
    callbacks = importlib.import_module("modules.script_callbacks")
    if recipes[0].source is None or not callbacks.ordered_callbacks("extra_noise"):
        return x
    params = callbacks.ExtraNoiseParams(torch.randn_like(x), x, x)
    callbacks.extra_noise_callback(params)
    changed: Tensor = params.xi
    return changed
