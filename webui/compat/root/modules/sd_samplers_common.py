"""What all samplers share: their entry in the list, and ways between latents and pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from modules import shared
from modules.gesso import side
from webui.compat.missing import unprovided


class SamplerData(NamedTuple):
    """A sampler in the list: `constructor(model)` makes one for a job."""

    name: str
    constructor: Callable[[Any], Any]
    aliases: list[str]
    options: dict[str, Any]

    def total_steps(self, steps: int) -> int:
        """How often the network is asked in so many steps."""
        return steps * 2 if self.options.get("second_order", False) else steps


class InterruptedException(BaseException):
    """The job was interrupted while a sampler was at work."""


approximation_indexes = {"Full": 0, "Approx NN": 1, "Approx cheap": 2, "TAESD": 3}
opt_C = 4
opt_f = 8
store_latent_total = 0


def setup_img2img_steps(p: Any, steps: int | None = None) -> tuple[int, int]:
    """How long the schedule is, and how many steps of it are run on a source."""
    strength = min(float(p.denoising_strength), 0.999)
    if shared.opts.data.get("img2img_fix_steps") or steps is not None:
        asked = int(steps or p.steps)
        whole = int(asked / strength) if p.denoising_strength > 0 else 0
        return whole, asked - 1
    return p.steps, int(strength * p.steps)


def images_tensor_to_samples(
    image: Any, approximation: int | None = None, model: Any = None
) -> Any:
    """The latents of pictures (B, 3, H, W), 0..1."""
    model = model or shared.sd_model
    encoded = model.encode_first_stage(image * 2 - 1)
    return model.get_first_stage_encoding(encoded)


def samples_to_images_tensor(
    sample: Any, approximation: int | None = None, model: Any = None
) -> Any:
    """Pictures (B, 3, H, W), -1..1, of latents: by the VAE, or a rough look."""
    if approximation == approximation_indexes["Approx cheap"]:
        import torch

        from modules import sd_vae_approx

        return torch.stack([sd_vae_approx.cheap_approximation(each) * 2 - 1 for each in sample])
    return (model or shared.sd_model).decode_first_stage(sample)


def decode_first_stage(model: Any, x: Any) -> Any:
    """Pictures (B, 3, H, W), -1..1, of latents."""
    return samples_to_images_tensor(x, 0, model)


def single_sample_to_image(sample: Any, approximation: int | None = None) -> Any:
    """The picture of a latent (C, h, w)."""
    from PIL import Image

    pixels = samples_to_images_tensor(sample.unsqueeze(0), approximation)[0] * 0.5 + 0.5
    bytes_ = (pixels.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(bytes_)


def sample_to_image(samples: Any, index: int = 0, approximation: int | None = None) -> Any:
    """The picture of one of several latents."""
    return single_sample_to_image(samples[index], approximation)


def samples_to_image_grid(samples: Any, approximation: int | None = None) -> Any:
    """The pictures of latents in a grid."""
    from modules import images

    return images.image_grid([single_sample_to_image(each, approximation) for each in samples])


def store_latent(decoded: Any) -> None:
    """Previews are the engine's business; the latent is kept for whoever asks."""
    shared.state.current_latent = decoded


def is_sampler_using_eta_noise_seed_delta(p: Any) -> bool:
    """Whether the seed's delta counts with the job's sampler."""
    return bool(getattr(p, "eta_noise_seed_delta", 0))


def apply_refiner(cfg_denoiser: Any, x: Any = None) -> bool:
    """The engine changes to a refiner by itself."""
    return False


def replace_torchsde_browinan() -> None:
    """Noise is the engine's business. The name is A1111's."""


def unsupported(what: str) -> NotImplementedError:
    """The error for what a script wants a sampler to do by itself. Not a name of A1111's."""
    return NotImplementedError(
        f"{what} can't be called by a script here: the engine walks by itself. Make a picture with "
        "processing.process_images instead."
    )


class Sampler:
    """A job's sampler as scripts see it: what it is, and its denoiser. The engine does the work."""

    def __init__(self, funcname: Any) -> None:
        self.funcname = funcname
        self.func = funcname
        self.config: Any = None
        self.p: Any = None
        self.extra_params: list[str] = []
        self.sampler_noises: Any = None
        self.stop_at: Any = None
        self.eta: float | None = None
        self.eta_option_field = "eta_ancestral"
        self.eta_infotext_field = "Eta"
        self.eta_default = 1.0
        self.last_latent: Any = None
        self.s_min_uncond: Any = None
        self.s_churn = 0.0
        self.s_tmin = 0.0
        self.s_tmax = float("inf")
        self.s_noise = 1.0
        self.conditioning_key = ""
        self.options: Any = None
        self.p_sampler_extra_args: Any = None
        self.sampler_extra_args: dict[str, Any] = {}
        self.model_wrap: Any = None
        self.model_wrap_cfg: Any = None
        self.callback_state_count = 0
        self.step_count = 0

    def callback_state(self, d: dict[str, Any]) -> None:
        """A step is done: `x`, `denoised`, `sigma`, `sigma_hat`, `i`. Scripts may change tensors
        in place."""
        self.last_latent = d["denoised"]
        if self.model_wrap_cfg is not None:
            self.model_wrap_cfg.step = d["i"]
        store_latent(d["denoised"])

    def launch_sampling(self, steps: int, func: Callable[[], Any]) -> Any:
        """What a function gives, as so many steps of the job."""
        shared.state.sampling_steps, shared.state.sampling_step = steps, 0
        return func()

    def number_of_needed_noises(self, p: Any) -> int:
        """How many draws a run takes."""
        return int(p.steps)

    def initialize(self, p: Any) -> dict[str, Any]:
        """Take what a job says of samplers."""
        self.p = p
        if self.model_wrap_cfg is not None:
            self.model_wrap_cfg.p = p
            self.model_wrap_cfg.mask = getattr(p, "mask", None)
            self.model_wrap_cfg.nmask = getattr(p, "nmask", None)
            self.model_wrap_cfg.step = 0
        self.eta = getattr(p, "eta", None) or self.eta_default
        return {}

    def create_noise_sampler(self, x: Any, sigmas: Any, p: Any) -> Any:
        """Noise is the engine's business."""
        raise unsupported("create_noise_sampler")

    def get_sigmas(self, p: Any, steps: int) -> Any:
        """The noise levels of a run, as the engine would walk them."""
        from modules import sd_schedulers

        return sd_schedulers.sigmas_of(p, steps, self.config)

    def sample(self, *arguments: Any, **named: Any) -> Any:
        """Not here."""
        raise unsupported("sampler.sample")

    def sample_img2img(self, *arguments: Any, **named: Any) -> Any:
        """Not here."""
        raise unsupported("sampler.sample_img2img")

    def add_infotext(self, p: Any) -> None:
        """The engine writes what counted."""


def is_working() -> bool:
    """Whether a job is at work. Not a name of A1111's."""
    return side.job is not None


__getattr__ = unprovided(__name__)
