"""The denoiser as scripts see it: where the run is, and how its guesses are put together."""

from __future__ import annotations

from typing import Any

from webui.compat.missing import unprovided


def catenate_conds(conds: list[Any]) -> Any:
    """Encoded prompts one behind the other."""
    import torch

    if not isinstance(conds[0], dict):
        return torch.cat(conds)
    return {key: torch.cat([each[key] for each in conds]) for key in conds[0]}


def subscript_cond(cond: Any, a: int, b: int) -> Any:
    """Some of them."""
    if not isinstance(cond, dict):
        return cond[a:b]
    return {key: value[a:b] for key, value in cond.items()}


def pad_cond(tensor: Any, repeats: int, empty: Any) -> Any:
    """Encoded prompts with so many empty chunks behind them."""
    import torch

    if not isinstance(tensor, dict):
        filling = empty.repeat((tensor.shape[0], repeats, 1))
        return torch.cat([tensor, filling], dim=1)
    tensor["crossattn"] = pad_cond(tensor["crossattn"], repeats, empty)
    return tensor


class InnerModel:
    """The network behind the denoiser. The engine asks it; scripts can't."""

    def __init__(self, sd_model: Any = None) -> None:
        self.inner_model = sd_model
        self.sigmas: Any = None
        self.log_sigmas: Any = None

    @property
    def sigma_min(self) -> Any:
        """The smallest noise level of the training."""
        return self.inner_model.sigmas[0]

    @property
    def sigma_max(self) -> Any:
        """The largest."""
        return self.inner_model.sigmas[-1]

    def sigma_to_t(self, sigma: Any, quantize: Any = None) -> Any:
        """The timestep of a noise level."""
        return self.inner_model.timestep_of(sigma)

    def forward(self, *arguments: Any, **named: Any) -> Any:
        """Not here: the engine asks the network."""
        from modules.sd_samplers_common import unsupported

        raise unsupported("the network")

    __call__ = forward


class CFGDenoiser:
    """A run's denoiser. While the engine walks, `step`, `sigma` and the others follow it, and
    `combine_denoised` is asked where a script has put its own in place of it."""

    def __init__(self, sampler: Any = None) -> None:
        self.sampler = sampler
        self.model_wrap: Any = None
        self.p: Any = getattr(sampler, "p", None)
        self.mask: Any = None
        self.nmask: Any = None
        self.init_latent: Any = None
        self.steps: int | None = None
        self.total_steps: int | None = None
        self.step = 0
        self.image_cfg_scale: float | None = None
        self.padded_cond_uncond = False
        self.padded_cond_uncond_v0 = False
        self.mask_before_denoising = False
        self.classic_ddim_eps_estimation = False
        self.cond_scale_miltiplier = 1.0
        self.need_last_noise_uncond = False
        self.last_noise_uncond: Any = None
        self._inner: Any = None

    @property
    def inner_model(self) -> Any:
        """The network behind it."""
        if self._inner is None:
            from modules import shared

            self._inner = InnerModel(shared.sd_model)
        return self._inner

    @inner_model.setter
    def inner_model(self, value: Any) -> None:
        """Another in its place."""
        self._inner = value

    def combine_denoised(self, x_out: Any, conds_list: Any, uncond: Any, cond_scale: float) -> Any:
        """The guess that counts: from the one without prompt (the last rows of `x_out`), each
        prompt's difference to it times its weight and the scale."""
        rows = uncond["crossattn"].shape[0] if isinstance(uncond, dict) else uncond.shape[0]
        without = x_out[-rows:]
        guess = without.clone()
        for picture, prompts in enumerate(conds_list):
            for row, weight in prompts:
                guess[picture] += (x_out[row] - without[picture]) * (weight * cond_scale)
        return guess

    def combine_denoised_for_edit_model(self, x_out: Any, cond_scale: float) -> Any:
        """As InstructPix2Pix: with all, with the picture alone, with nothing."""
        with_all, with_picture, nothing = x_out.chunk(3)
        return (
            nothing
            + cond_scale * (with_all - with_picture)
            + float(self.image_cfg_scale or 1) * (with_picture - nothing)
        )

    def get_pred_x0(self, x_in: Any, x_out: Any, sigma: Any) -> Any:
        """The guess of the clean latents: the engine's networks always give that."""
        return x_out

    def update_inner_model(self) -> None:
        """Another network is in use."""
        self._inner = None

    def forward(self, *arguments: Any, **named: Any) -> Any:
        """Not here: the engine asks the network."""
        from modules.sd_samplers_common import unsupported

        raise unsupported("the denoiser")

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.forward(*arguments, **named)


gesso_own = {"combine_denoised": CFGDenoiser.combine_denoised}
"""As it is here: scripts may put another in its place. Not a name of A1111's."""

__getattr__ = unprovided(__name__)
