"""The pictures of a job. Its class is that of `modules.processing`."""

from __future__ import annotations

import json
from typing import Any

from modules import shared
from modules.gesso_infotext import create_infotext, program_version
from webui.compat.missing import unprovided


def _first(value: Any, otherwise: Any) -> Any:
    """What stands for all: scripts put lists where one value is meant."""
    if isinstance(value, list):
        return value[0] if value else otherwise
    return otherwise if value is None else value


class Processed:
    """Pictures, and how each was made; the grids come before `index_of_first_image`."""

    def __init__(
        self,
        p: Any,
        images_list: Any,
        seed: Any = -1,
        info: str = "",
        subseed: Any = None,
        all_prompts: Any = None,
        all_negative_prompts: Any = None,
        all_seeds: Any = None,
        all_subseeds: Any = None,
        index_of_first_image: int = 0,
        infotexts: Any = None,
        comments: str = "",
    ) -> None:
        self.images = images_list
        self.prompt = _first(p.prompt, "")
        self.negative_prompt = _first(p.negative_prompt, "")
        self.seed = int(_first(seed, -1))
        self.subseed = _first(subseed, -1)
        self.subseed_strength = p.subseed_strength
        self.info = info
        self.comments = comments or "".join(f"{each}\n" for each in p.comments or ())
        self.width = p.width
        self.height = p.height
        self.sampler_name = p.sampler_name
        self.cfg_scale = p.cfg_scale
        self.image_cfg_scale = getattr(p, "image_cfg_scale", None)
        self.steps = p.steps
        self.batch_size = p.batch_size
        self.restore_faces = p.restore_faces
        self.face_restoration_model = None
        self.sd_model_name = p.sd_model_name
        self.sd_model_hash = p.sd_model_hash
        self.sd_vae_name = p.sd_vae_name
        self.sd_vae_hash = p.sd_vae_hash
        self.seed_resize_from_w = p.seed_resize_from_w
        self.seed_resize_from_h = p.seed_resize_from_h
        self.denoising_strength = getattr(p, "denoising_strength", None)
        self.extra_generation_params = p.extra_generation_params
        self.index_of_first_image = index_of_first_image
        self.styles = p.styles
        self.job_timestamp = shared.state.job_timestamp
        self.clip_skip = shared.opts.CLIP_stop_at_last_layers
        self.token_merging_ratio = p.token_merging_ratio
        self.token_merging_ratio_hr = p.token_merging_ratio_hr
        self.eta = p.eta
        self.ddim_discretize = p.ddim_discretize
        self.s_churn = p.s_churn
        self.s_tmin = p.s_tmin
        self.s_tmax = p.s_tmax
        self.s_noise = p.s_noise
        self.s_min_uncond = p.s_min_uncond
        self.sampler_noise_scheduler_override = None
        self.is_using_inpainting_conditioning = p.is_using_inpainting_conditioning
        self.all_prompts = all_prompts or p.all_prompts or [self.prompt]
        self.all_negative_prompts = (
            all_negative_prompts or p.all_negative_prompts or [self.negative_prompt]
        )
        self.all_seeds = all_seeds or p.all_seeds or [self.seed]
        self.all_subseeds = all_subseeds or p.all_subseeds or [self.subseed]
        self.infotexts = infotexts or [info] * len(images_list)
        self.version = program_version()
        self.extra_images: list[Any] = []

    def js(self) -> str:
        """All of it but the pictures, as the page's scripts read it."""
        names = """prompt all_prompts negative_prompt all_negative_prompts seed all_seeds subseed
            all_subseeds subseed_strength width height sampler_name cfg_scale steps batch_size
            restore_faces face_restoration_model sd_model_name sd_model_hash sd_vae_name
            sd_vae_hash seed_resize_from_w seed_resize_from_h denoising_strength
            extra_generation_params index_of_first_image infotexts styles job_timestamp clip_skip
            is_using_inpainting_conditioning version"""
        return json.dumps({name: getattr(self, name) for name in names.split()}, default=str)

    def infotext(self, p: Any, index: int) -> str:
        """The text of one picture."""
        return create_infotext(
            p,
            self.all_prompts,
            self.all_seeds,
            self.all_subseeds,
            comments=[],
            position_in_batch=index % self.batch_size,
            iteration=index // self.batch_size,
            all_negative_prompts=self.all_negative_prompts,
        )

    def get_token_merging_ratio(self, for_hr: bool = False) -> float:
        """Tokens are never merged here."""
        return float(self.token_merging_ratio_hr if for_hr else self.token_merging_ratio)


__getattr__ = unprovided(__name__)
