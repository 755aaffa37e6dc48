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


_OF_JOB = (
    "subseed_strength", "width", "height", "sampler_name", "cfg_scale", "steps", "batch_size",
    "restore_faces", "sd_model_name", "sd_model_hash", "sd_vae_name", "sd_vae_hash",
    "seed_resize_from_w", "seed_resize_from_h", "styles", "token_merging_ratio",
    "token_merging_ratio_hr", "eta", "ddim_discretize", "s_churn", "s_tmin", "s_tmax", "s_noise",
    "s_min_uncond", "is_using_inpainting_conditioning",
)  # fmt: skip
"""What is as in the job's object."""


class Processed:
    """Pictures, and how each was made; the grids come before `index_of_first_image`."""

    batch_size: int
    token_merging_ratio: float
    token_merging_ratio_hr: float

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
        self.info = info
        self.comments = comments or "".join(f"{each}\n" for each in p.comments or ())
        self.extra_generation_params = p.extra_generation_params
        self.index_of_first_image = index_of_first_image
        self.job_timestamp = shared.state.job_timestamp
        self.clip_skip = shared.opts.CLIP_stop_at_last_layers
        self.image_cfg_scale = getattr(p, "image_cfg_scale", None)
        self.denoising_strength = getattr(p, "denoising_strength", None)
        self.face_restoration_model = None
        self.sampler_noise_scheduler_override = None
        for name in _OF_JOB:
            setattr(self, name, getattr(p, name))
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
