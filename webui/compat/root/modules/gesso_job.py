"""A job as scripts know it: its many fields. Its classes are those of `modules.processing`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from modules import shared
from modules.gesso_colors import setup_color_correction
from modules.shared import opts
from webui.compat.missing import unprovided


@dataclass(repr=False)
class StableDiffusionProcessing:
    """What all jobs have. Extensions read and set these freely."""

    sd_model: Any = None
    outpath_samples: Any = None
    outpath_grids: Any = None
    prompt: Any = ""
    prompt_for_display: Any = None
    negative_prompt: Any = ""
    styles: Any = None
    seed: Any = -1
    subseed: Any = -1
    subseed_strength: float = 0
    seed_resize_from_h: int = -1
    seed_resize_from_w: int = -1
    seed_enable_extras: bool = True
    sampler_name: Any = None
    scheduler: Any = None
    batch_size: int = 1
    n_iter: int = 1
    steps: int = 50
    cfg_scale: float = 7.0
    width: int = 512
    height: int = 512
    restore_faces: Any = None
    tiling: Any = None
    do_not_save_samples: bool = False
    do_not_save_grid: bool = False
    extra_generation_params: Any = None
    overlay_images: Any = None
    eta: Any = None
    do_not_reload_embeddings: bool = False
    denoising_strength: Any = None
    ddim_discretize: Any = None
    s_min_uncond: Any = None
    s_churn: Any = None
    s_tmax: Any = None
    s_tmin: Any = None
    s_noise: Any = None
    override_settings: Any = None
    override_settings_restore_afterwards: bool = True
    sampler_index: Any = None
    refiner_checkpoint: Any = None
    refiner_switch_at: Any = None
    token_merging_ratio: float = 0
    token_merging_ratio_hr: float = 0
    disable_extra_networks: bool = False
    firstpass_image: Any = None
    scripts_value: Any = field(default=None, init=False)
    script_args_value: Any = field(default=None, init=False)
    scripts_setup_complete: bool = field(default=False, init=False)

    cached_uc: Any = field(default=None, init=False)
    cached_c: Any = field(default=None, init=False)
    comments: Any = field(default=None, init=False)
    sampler: Any = field(default=None, init=False)
    is_using_inpainting_conditioning: bool = field(default=False, init=False)
    paste_to: Any = field(default=None, init=False)
    is_hr_pass: bool = field(default=False, init=False)
    c: Any = field(default=None, init=False)
    uc: Any = field(default=None, init=False)
    rng: Any = field(default=None, init=False)
    step_multiplier: int = field(default=1, init=False)
    color_corrections: Any = field(default=None, init=False)
    all_prompts: Any = field(default=None, init=False)
    all_negative_prompts: Any = field(default=None, init=False)
    all_seeds: Any = field(default=None, init=False)
    all_subseeds: Any = field(default=None, init=False)
    iteration: int = field(default=0, init=False)
    main_prompt: Any = field(default=None, init=False)
    main_negative_prompt: Any = field(default=None, init=False)
    prompts: Any = field(default=None, init=False)
    negative_prompts: Any = field(default=None, init=False)
    seeds: Any = field(default=None, init=False)
    subseeds: Any = field(default=None, init=False)
    extra_network_data: Any = field(default=None, init=False)
    user: Any = field(default=None, init=False)
    sd_model_name: Any = field(default=None, init=False)
    sd_model_hash: Any = field(default=None, init=False)
    sd_vae_name: Any = field(default=None, init=False)
    sd_vae_hash: Any = field(default=None, init=False)
    is_api: bool = field(default=False, init=False)
    latents_after_sampling: Any = field(default=None, init=False)
    pixels_after_sampling: Any = field(default=None, init=False)
    batch_index: int = field(default=0, init=False)
    modified_noise: Any = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.sampler_index is not None and self.sampler_name is None:
            self.sampler_name = self.sampler_index
        self.comments = {}
        self.styles = [] if self.styles is None else self.styles
        self.extra_generation_params = self.extra_generation_params or {}
        self.override_settings = self.override_settings or {}
        self.cached_uc, self.cached_c = [None, None], [None, None]
        if not self.seed_enable_extras:
            self.subseed, self.subseed_strength = -1, 0
            self.seed_resize_from_h = self.seed_resize_from_w = -1

    @property
    def scripts(self) -> Any:
        """The runner of the scripts that take part."""
        return self.scripts_value

    @scripts.setter
    def scripts(self, value: Any) -> None:
        """They are told once both are there."""
        self.scripts_value = value
        self._set_up_scripts()

    @property
    def script_args(self) -> Any:
        """The values of all their controls in one list."""
        return self.script_args_value

    @script_args.setter
    def script_args(self, value: Any) -> None:
        """They are told once both are there."""
        self.script_args_value = value
        self._set_up_scripts()

    def _set_up_scripts(self) -> None:
        if self.scripts_value and self.script_args_value and not self.scripts_setup_complete:
            self.setup_scripts()

    def setup_scripts(self) -> None:
        """Tell the scripts of this job."""
        self.scripts_setup_complete = True
        self.scripts.setup_scrips(self)

    @property
    def sd_model_checkpoint_info(self) -> Any:
        """The checkpoint."""
        return shared.sd_model.sd_checkpoint_info

    def comment(self, text: str) -> None:
        """A remark for the person."""
        self.comments[text] = 1

    def init(self, all_prompts: Any, all_seeds: Any, all_subseeds: Any) -> None:
        """Prompts and seeds are settled."""

    def sample(self, *args: Any, **kwargs: Any) -> Any:
        """Sampling is the engine's: raises."""
        raise NotImplementedError(
            "p.sample is not provided by the layer: the engine samples itself. "
            "Use process_images, or the hooks of webui.extend."
        )

    def close(self) -> None:
        """The job is over."""
        self.sampler = None
        self.c = self.uc = None

    def get_token_merging_ratio(self, for_hr: bool = False) -> float:
        """Tokens are never merged here."""
        return float((self.token_merging_ratio_hr if for_hr else 0) or self.token_merging_ratio)

    def setup_prompts(self) -> None:
        """One prompt for each picture, styles in them."""
        count = max(1, self.batch_size * self.n_iter)
        self.all_prompts = _for_each(self.prompt, count)
        self.all_negative_prompts = _for_each(self.negative_prompt, len(self.all_prompts))
        self.all_prompts = [
            shared.prompt_styles.apply_styles_to_prompt(each, self.styles)
            for each in self.all_prompts
        ]
        self.all_negative_prompts = [
            shared.prompt_styles.apply_negative_styles_to_prompt(each, self.styles)
            for each in self.all_negative_prompts
        ]
        self.main_prompt = self.all_prompts[0]
        self.main_negative_prompt = self.all_negative_prompts[0]

    def setup_conds(self) -> None:
        """Prompts are encoded by the engine."""

    def clear_prompt_cache(self) -> None:
        """Encoded prompts are the engine's."""
        self.cached_c, self.cached_uc = [None, None], [None, None]

    def parse_extra_network_prompts(self) -> None:
        """Tags that extensions act on are cut out; those of the engine's networks stay."""
        from modules import extra_networks

        self.prompts, self.extra_network_data = extra_networks.for_engine(self.prompts)

    def save_samples(self) -> bool:
        """Whether pictures are to be saved."""
        return bool(opts.samples_save and not self.do_not_save_samples)

    def txt2img_image_conditioning(self, *args: Any, **kwargs: Any) -> Any:
        """Models for inpainting are told of their mask by the engine."""
        return None

    def img2img_image_conditioning(self, *args: Any, **kwargs: Any) -> Any:
        """Models for inpainting are told of their mask by the engine."""
        return None


def _for_each(words: Any, count: int) -> list[Any]:
    return list(words) if isinstance(words, list | tuple) else [words] * count


@dataclass(repr=False)
class StableDiffusionProcessingTxt2Img(StableDiffusionProcessing):
    """Pictures from words."""

    enable_hr: bool = False
    denoising_strength: float = 0.75
    firstphase_width: int = 0
    firstphase_height: int = 0
    hr_scale: float = 2.0
    hr_upscaler: Any = None
    hr_second_pass_steps: int = 0
    hr_resize_x: int = 0
    hr_resize_y: int = 0
    hr_checkpoint_name: Any = None
    hr_sampler_name: Any = None
    hr_scheduler: Any = None
    hr_prompt: Any = ""
    hr_negative_prompt: Any = ""
    force_task_id: Any = None
    hr_cfg: Any = None
    cached_hr_uc: Any = field(default=None, init=False)
    cached_hr_c: Any = field(default=None, init=False)
    hr_checkpoint_info: Any = field(default=None, init=False)
    hr_upscale_to_x: int = field(default=0, init=False)
    hr_upscale_to_y: int = field(default=0, init=False)
    truncate_x: int = field(default=0, init=False)
    truncate_y: int = field(default=0, init=False)
    applied_old_hires_behavior_to: Any = field(default=None, init=False)
    latent_scale_mode: Any = field(default=None, init=False)
    hr_c: Any = field(default=None, init=False)
    hr_uc: Any = field(default=None, init=False)
    all_hr_prompts: Any = field(default=None, init=False)
    all_hr_negative_prompts: Any = field(default=None, init=False)
    hr_prompts: Any = field(default=None, init=False)
    hr_negative_prompts: Any = field(default=None, init=False)
    hr_extra_network_data: Any = field(default=None, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.cached_hr_uc, self.cached_hr_c = [None, None], [None, None]
        if self.firstphase_width or self.firstphase_height:
            self.hr_upscale_to_x, self.hr_upscale_to_y = self.width, self.height
            self.width, self.height = self.firstphase_width, self.firstphase_height

    def calculate_target_resolution(self) -> None:
        """The size after hires fix."""
        if self.hr_resize_x or self.hr_resize_y:
            ratio = self.height / self.width
            self.hr_upscale_to_x = self.hr_resize_x or int(self.hr_resize_y / ratio)
            self.hr_upscale_to_y = self.hr_resize_y or int(self.hr_resize_x * ratio)
        else:
            self.hr_upscale_to_x = int(self.width * self.hr_scale)
            self.hr_upscale_to_y = int(self.height * self.hr_scale)

    def init(self, all_prompts: Any, all_seeds: Any, all_subseeds: Any) -> None:
        """Prompts and seeds are settled."""
        if self.enable_hr:
            self.calculate_target_resolution()

    def setup_prompts(self) -> None:
        """As for all jobs, and the second pass's own."""
        super().setup_prompts()
        if not self.enable_hr:
            return
        prompt = self.hr_prompt or self.prompt
        negative = self.hr_negative_prompt or self.negative_prompt
        self.all_hr_prompts = [
            shared.prompt_styles.apply_styles_to_prompt(each, self.styles)
            for each in _for_each(prompt, len(self.all_prompts))
        ]
        self.all_hr_negative_prompts = [
            shared.prompt_styles.apply_negative_styles_to_prompt(each, self.styles)
            for each in _for_each(negative, len(self.all_prompts))
        ]


@dataclass(repr=False)
class StableDiffusionProcessingImg2Img(StableDiffusionProcessing):
    """Pictures from a picture."""

    init_images: Any = None
    resize_mode: int = 0
    denoising_strength: float = 0.75
    image_cfg_scale: Any = None
    mask: Any = None
    mask_blur_x: int = 4
    mask_blur_y: int = 4
    mask_blur: Any = None
    mask_round: bool = True
    inpainting_fill: int = 0
    inpaint_full_res: Any = True
    inpaint_full_res_padding: int = 0
    inpainting_mask_invert: int = 0
    initial_noise_multiplier: Any = None
    latent_mask: Any = None
    force_task_id: Any = None
    image_mask: Any = field(default=None, init=False)
    nmask: Any = field(default=None, init=False)
    image_conditioning: Any = field(default=None, init=False)
    init_img_hash: Any = field(default=None, init=False)
    mask_for_overlay: Any = field(default=None, init=False)
    init_latent: Any = field(default=None, init=False)
    inpaint_total_noise: Any = field(default=None, init=False)

    def __post_init__(self) -> None:
        blur, self.mask_blur = self.mask_blur, None
        super().__post_init__()
        self.image_mask, self.mask = self.mask, None
        if blur is not None:
            self.mask_blur = blur
        if self.initial_noise_multiplier is None:
            self.initial_noise_multiplier = opts.initial_noise_multiplier

    def __setattr__(self, name: str, value: Any) -> None:
        """A blur counts in both directions."""
        super().__setattr__(name, value)
        if name == "mask_blur" and value is not None:
            super().__setattr__("mask_blur_x", value)
            super().__setattr__("mask_blur_y", value)

    def init(self, all_prompts: Any, all_seeds: Any, all_subseeds: Any) -> None:
        """Prompts and seeds are settled."""
        self.mask_for_overlay = self.image_mask
        self.mask = self.image_mask
        self.overlay_images = None
        if opts.img2img_color_correction:
            self.color_corrections = [
                setup_color_correction(image) for image in self.init_images or ()
            ]


__getattr__ = unprovided(__name__)
