"""Command line flags that scripts look at: their names and A1111's defaults."""

from __future__ import annotations

import argparse
import os
from typing import Any

from modules.paths_internal import (
    data_path,
    extensions_dir,
    models_path,
    script_path,
    sd_default_config,
    sd_model_file,
)
from webui.compat.missing import unprovided


class _Parser(argparse.ArgumentParser):
    """Scripts ask it for the flags of this program, of which it knows none: it passes over what it
    doesn't know, and takes a flag that two scripts add."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """The values of all flags."""
        return self.parse_known_args([] if args is None else args, namespace)[0]


parser = _Parser(add_help=False, exit_on_error=False, conflict_handler="resolve")

_OFF = """
    update_all_extensions skip_python_version_check skip_torch_cuda_test reinstall_xformers
    reinstall_torch update_check test_server log_startup skip_prepare_environment skip_install
    dump_sysinfo do_not_download_clip no_download_sd_model no_half no_half_vae
    allow_code medvram medvram_sdxl lowvram lowram always_batch_cond_uncond
    unload_gfpgan upcast_sampling share enable_insecure_extension_access disable_safe_unpickle
    skip_load_model_at_start opt_split_attention opt_sub_quad_attention opt_sdp_attention
    opt_sdp_no_mem_attention opt_split_attention_invokeai opt_split_attention_v1 opt_channelslast
    opt_chroma disable_opt_split_attention disable_nan_check use_ipex xformers
    force_enable_xformers xformers_flash_attention deepdanbooru listen hide_ui_dir_config
    freeze_settings gradio_debug opt_conditioning_cached autolaunch use_textbox_seed
    disable_console_progressbars enable_console_prompts api api_log nowebui ui_debug_mode
    administrator disable_tls_verify no_gradio_queue gradio_inpaint_tool no_hashing
    skip_version_check disable_all_extensions disable_extra_extensions disable_extension_access
    no_prompt_history api_server_stop unix_filenames_sanitization
    disable_model_loading_ram_optimization
"""
_TEXTS = """
    ckpt_dir_extra vae_dir vae_path ngrok ngrok_region gradio_auth gradio_auth_path
    gradio_img2img_tool freeze_settings_in_sections freeze_specific_settings cors_allow_origins
    cors_allow_origins_regex tls_keyfile tls_certfile server_name api_auth
    theme device_id subpath sub_quad_kv_chunk_size
    sub_quad_chunk_threshold loglevel update_index port
"""


def _path(*parts: str) -> str:
    return os.path.join(models_path, *parts)


def _flag(name: str, **how: object) -> None:
    parser.add_argument("--" + name.replace("_", "-"), dest=name, **how)  # type: ignore[arg-type]


for _name in _OFF.split():
    _flag(_name, action="store_true", default=False)
for _name in _TEXTS.split():
    _flag(_name, type=str, default=None)
for _name, _default in {
    "config": sd_default_config,
    "ckpt": sd_model_file,
    "ckpt_dir": _path("Stable-diffusion"),
    "embeddings_dir": os.path.join(data_path, "embeddings"),
    "textual_inversion_templates_dir": os.path.join(script_path, "textual_inversion_templates"),
    "hypernetwork_dir": _path("hypernetworks"),
    "lora_dir": _path("Lora"),
    "lyco_dir_backcompat": _path("LyCORIS"),
    "localizations_dir": os.path.join(script_path, "localizations"),
    "codeformer_models_path": _path("Codeformer"),
    "gfpgan_dir": _path("GFPGAN"),
    "gfpgan_models_path": _path("GFPGAN"),
    "gfpgan_model": None,
    "esrgan_models_path": _path("ESRGAN"),
    "bsrgan_models_path": _path("BSRGAN"),
    "realesrgan_models_path": _path("RealESRGAN"),
    "dat_models_path": _path("DAT"),
    "scunet_models_path": _path("ScuNET"),
    "swinir_models_path": _path("SwinIR"),
    "ldsr_models_path": _path("LDSR"),
    "clip_models_path": None,
    "deepdanbooru_projects_path": _path("deepbooru"),
    "ui_config_file": os.path.join(data_path, "ui-config.json"),
    "ui_settings_file": os.path.join(data_path, "config.json"),
    "styles_file": os.path.join(data_path, "styles.csv"),
    "data_dir": data_path,
    "models_dir": models_path,
    "extensions_dir": extensions_dir,
    "precision": "autocast",
}.items():
    _flag(_name, type=str, default=_default)
_flag("use_cpu", nargs="+", type=str.lower, default=[])
_flag("gradio_allowed_path", action="append", default=[])
_flag("sub_quad_q_chunk_size", type=int, default=1024)
_flag("gradio_queue", action="store_true", default=True)
_flag("timeout_keep_alive", type=int, default=30)
_flag("gradio_inbrowser", action="store_true", default=False)

__getattr__ = unprovided(__name__)
