"""The axes of A1111's X/Y/Z plot: extensions add theirs to `axis_options`. The plot itself is the
studio's own; here each axis can be tried on a job's object."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable
from itertools import permutations
from typing import Any

from modules import scripts, sd_models, sd_samplers, sd_schedulers, sd_vae, shared
from modules.gesso import side

from webui.compat.missing import unprovided

fill_values_symbol = "\U0001f4d2"
template: Any = None


class AxisOption:
    """An axis: `apply(p, x, xs)` sets a value of a job, `type` reads it from what was typed."""

    def __init__(
        self,
        label: str,
        type: Callable[[Any], Any],
        apply: Callable[[Any, Any, Any], Any],
        format_value: Any = None,
        confirm: Any = None,
        cost: float = 0.0,
        choices: Any = None,
        prepare: Any = None,
    ) -> None:
        self.label = label
        self.type = type
        self.apply = apply
        self.format_value = format_value or format_value_add_label
        self.confirm = confirm
        self.cost = cost
        self.prepare = prepare
        self.choices = choices
        self.is_img2img: bool | None = None
        self.extension = _extension()
        """The id of the extension that made it; not a name of A1111's."""


class AxisOptionImg2Img(AxisOption):
    """An axis of jobs with a source only."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_img2img = True


class AxisOptionTxt2Img(AxisOption):
    """An axis of jobs without a source only."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_img2img = False


def _extension() -> str:
    """The id of the extension whose code calls."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    file = "" if frame is None else frame.f_code.co_filename
    for id, folder in side.folders.items():
        if file == str(folder) or file.startswith(f"{folder}{os.sep}"):
            return id
    return side.loading


def added_axes() -> list[AxisOption]:
    """Those of extensions. Not a name of A1111's."""
    return [each for each in axis_options if each.extension]


def axis_id(option: AxisOption) -> str:
    """What an axis is called in requests. Not a name of A1111's."""
    return re.sub(r"[^a-z0-9]+", "_", option.label.lower()).strip("_")


def set_axes(p: Any, extension: str, values: dict[str, Any]) -> None:
    """Set values of an extension's axes in a job. Not a name of A1111's."""
    for option in added_axes():
        value = values.get(axis_id(option))
        if option.extension == extension and value is not None:
            option.apply(p, option.type(value), [value])


def apply_field(field: str) -> Callable[[Any, Any, Any], None]:
    """Sets a field of the job."""

    def apply(p: Any, x: Any, xs: Any) -> None:
        setattr(p, field, x)

    return apply


def apply_override(field: str, boolean: bool = False) -> Callable[[Any, Any, Any], None]:
    """Sets an option for the job."""

    def apply(p: Any, x: Any, xs: Any) -> None:
        p.override_settings[field] = str(x).lower() == "true" if boolean else x

    return apply


def apply_prompt(p: Any, x: str, xs: Any) -> None:
    """Search and replace: the first value is what is looked for."""
    if xs[0] not in p.prompt and xs[0] not in p.negative_prompt:
        raise RuntimeError(f"Prompt S/R did not find {xs[0]} in prompt or negative prompt.")
    p.prompt = p.prompt.replace(xs[0], x)
    p.negative_prompt = p.negative_prompt.replace(xs[0], x)


def apply_order(p: Any, x: Any, xs: Any) -> None:
    """The parts in another order, each in one of their places."""
    places = sorted((p.prompt.find(part), part) for part in x)
    text, end = "", 0
    for (start, before), part in zip(places, x, strict=True):
        text += p.prompt[end:start] + part
        end = start + len(before)
    p.prompt = text + p.prompt[end:]


def apply_sampler(p: Any, x: str, xs: Any) -> None:
    """Another sampler."""
    name = sd_samplers.samplers_map.get(str(x).lower())
    if name is None:
        raise RuntimeError(f"Unknown sampler: {x}")
    p.sampler_name = name


def confirm_samplers(p: Any, xs: Any) -> None:
    """Raises RuntimeError for one that there is not."""
    for x in xs:
        if str(x).lower() not in sd_samplers.samplers_map:
            raise RuntimeError(f"Unknown sampler: {x}")


def apply_checkpoint(p: Any, x: str, xs: Any) -> None:
    """Another checkpoint."""
    info = sd_models.get_closet_checkpoint_match(x)
    if info is None:
        raise RuntimeError(f"Unknown checkpoint: {x}")
    p.override_settings["sd_model_checkpoint"] = info.title


def confirm_checkpoints(p: Any, xs: Any) -> None:
    """Raises RuntimeError for one that there is not."""
    for x in xs:
        if sd_models.get_closet_checkpoint_match(x) is None:
            raise RuntimeError(f"Unknown checkpoint: {x}")


def confirm_checkpoints_or_none(p: Any, xs: Any) -> None:
    """As `confirm_checkpoints`, and none is fine."""
    confirm_checkpoints(p, [x for x in xs if x not in (None, "", "None", "none")])


def confirm_range(min_val: float, max_val: float, axis_label: str) -> Callable[[Any, Any], None]:
    """Raises ValueError for values outside."""

    def confirm(p: Any, xs: Any) -> None:
        for x in xs:
            if not min_val <= x <= max_val:
                raise ValueError(f'{axis_label} value "{x}" out of range [{min_val}, {max_val}]')

    return confirm


def apply_clip_skip(p: Any, x: int, xs: Any) -> None:
    """Another layer of the text encoder."""
    p.override_settings["CLIP_stop_at_last_layers"] = x


def apply_vae(p: Any, x: str, xs: Any) -> None:
    """Another VAE."""
    p.override_settings["sd_vae"] = find_vae(x)


def find_vae(name: str) -> str:
    """The VAE's file of this name; "Automatic" where there is none."""
    wanted = str(name).lower().strip()
    if wanted in ("none", "automatic", "auto"):
        return "None" if wanted == "none" else "Automatic"
    return next((each for each in sd_vae.vae_dict if wanted in each.lower()), "Automatic")


def apply_styles(p: Any, x: str, _: Any) -> None:
    """Further styles."""
    p.styles.extend(x.split(","))


def apply_size(p: Any, x: str, xs: Any) -> None:
    """Another size, "512x768"."""
    width, _, height = str(x).partition("x")
    p.width, p.height = int(width), int(height)


def do_nothing(p: Any, x: Any, xs: Any) -> None:
    """Nothing."""


def format_nothing(p: Any, opt: Any, x: Any) -> str:
    """No words."""
    return ""


def format_value(p: Any, opt: Any, x: Any) -> Any:
    """The value."""
    return round(x, 8) if isinstance(x, float) else x


def format_value_add_label(p: Any, opt: Any, x: Any) -> str:
    """The value behind the axis's name."""
    return f"{opt.label}: {format_value(p, opt, x)}"


def format_value_join_list(p: Any, opt: Any, x: Any) -> str:
    """All values."""
    return ", ".join(map(str, x))


def format_remove_path(p: Any, opt: Any, x: Any) -> str:
    """A file's name."""
    return os.path.basename(x)


def str_permutations(x: str) -> str:
    """Marks an axis of orders."""
    return x


def list_to_csv_string(data_list: Any) -> str:
    """Values in a line."""
    return ",".join(map(str, data_list))


def csv_string_to_list_strip(data_str: str) -> list[str]:
    """And back."""
    return [part.strip() for part in str(data_str).split(",")]


def boolean_choice(reverse: bool = False) -> Callable[[], list[str]]:
    """Both truths."""

    def choice() -> list[str]:
        return ["False", "True"] if reverse else ["True", "False"]

    return choice


def values_of(option: AxisOption, text: str) -> list[Any]:
    """What was typed as values of an axis. Not a name of A1111's."""
    parts = csv_string_to_list_strip(text)
    if option.type is str_permutations:
        return list(permutations(parts))
    return [option.type(part) for part in parts]


def _number(field: str, label: str, kind: Callable[[Any], Any] = float) -> AxisOption:
    return AxisOption(label, kind, apply_field(field))


axis_options: list[AxisOption] = [
    AxisOption("Nothing", str, do_nothing, format_value=format_nothing),
    _number("seed", "Seed", int),
    _number("subseed", "Var. seed", int),
    _number("subseed_strength", "Var. strength"),
    _number("steps", "Steps", int),
    AxisOptionTxt2Img("Hires steps", int, apply_field("hr_second_pass_steps")),
    _number("cfg_scale", "CFG Scale"),
    AxisOptionImg2Img("Image CFG Scale", float, apply_field("image_cfg_scale")),
    AxisOption("Prompt S/R", str, apply_prompt, format_value=format_value),
    AxisOption("Prompt order", str_permutations, apply_order, format_value=format_value_join_list),
    AxisOptionTxt2Img(
        "Sampler",
        str,
        apply_sampler,
        format_value=format_value,
        confirm=confirm_samplers,
        choices=lambda: [each.name for each in sd_samplers.samplers],
    ),
    AxisOption(
        "Checkpoint name",
        str,
        apply_checkpoint,
        format_value=format_remove_path,
        confirm=confirm_checkpoints,
        cost=1.0,
        choices=lambda: sorted(sd_models.checkpoints_list, key=str.casefold),
    ),
    _number("eta", "Eta"),
    AxisOption("Clip skip", int, apply_clip_skip),
    _number("denoising_strength", "Denoising"),
    AxisOptionTxt2Img(
        "Hires upscaler",
        str,
        apply_field("hr_upscaler"),
        choices=lambda: [*shared.latent_upscale_modes, *(u.name for u in shared.sd_upscalers)],
    ),
    AxisOption(
        "VAE", str, apply_vae, cost=0.7, choices=lambda: ["Automatic", "None", *sd_vae.vae_dict]
    ),
    AxisOption("Styles", str, apply_styles, choices=lambda: list(shared.prompt_styles.styles)),
    AxisOption(
        "Schedule type",
        str,
        apply_field("scheduler"),
        choices=lambda: [each.label for each in sd_schedulers.schedulers],
    ),
    AxisOption("Size", str, apply_size),
]


class Script(scripts.Script):
    """Stands for A1111's plot in its list of scripts; the studio's own is used."""

    def title(self) -> str:
        """A1111's."""
        return "X/Y/Z plot"

    def show(self, is_img2img: bool) -> bool:
        """Never: the studio has its own plot."""
        return False


Script.__module__ = "xyz_grid.py"  # scripts look for it so

__getattr__ = unprovided(__name__)
