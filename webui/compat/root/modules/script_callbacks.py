"""Functions that scripts want called: registered by `on_...`, called by `..._callback`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from modules import gesso_calls
from webui.compat.missing import unprovided


class ImageSaveParams:
    """A picture about to be saved, or that was."""

    def __init__(self, image: Any, p: Any, filename: str, pnginfo: dict[str, Any]) -> None:
        self.image = image
        self.p = p
        self.filename = filename
        self.pnginfo = pnginfo


class ExtraNoiseParams:
    """Noise that is added to an img2img picture's latent."""

    def __init__(self, noise: Any, x: Any, xi: Any) -> None:
        self.noise = noise
        self.x = x
        self.xi = xi


class CFGDenoiserParams:
    """What the network is about to be asked: `x` and `sigma` hold all pictures of the batch, once
    with and once without their prompts."""

    def __init__(
        self,
        x: Any,
        image_cond: Any,
        sigma: Any,
        sampling_step: int,
        total_sampling_steps: int,
        text_cond: Any,
        text_uncond: Any,
        denoiser: Any = None,
    ) -> None:
        self.x = x
        self.image_cond = image_cond
        self.sigma = sigma
        self.sampling_step = sampling_step
        self.total_sampling_steps = total_sampling_steps
        self.text_cond = text_cond
        self.text_uncond = text_uncond
        self.denoiser = denoiser


class CFGDenoisedParams:
    """What it answered."""

    def __init__(
        self,
        x: Any,
        sampling_step: int,
        total_sampling_steps: int,
        inner_model: Any,
    ) -> None:
        self.x = x
        self.sampling_step = sampling_step
        self.total_sampling_steps = total_sampling_steps
        self.inner_model = inner_model


class AfterCFGCallbackParams:
    """The guess that counts."""

    def __init__(self, x: Any, sampling_step: int, total_sampling_steps: int) -> None:
        self.x = x
        self.sampling_step = sampling_step
        self.total_sampling_steps = total_sampling_steps
        self.output_altered = False


class UiTrainTabParams:
    """The training tab, which there is not."""

    def __init__(self, txt2img_preview_params: Any) -> None:
        self.txt2img_preview_params = txt2img_preview_params


class ImageGridLoopParams:
    """Pictures about to be put into a grid."""

    def __init__(self, imgs: Any, cols: int, rows: int) -> None:
        self.imgs = imgs
        self.cols = cols
        self.rows = rows


@dataclass
class BeforeTokenCounterParams:
    """A prompt whose tokens are about to be counted."""

    prompt: str
    steps: int
    styles: list[str]
    is_positive: bool = True


@dataclass
class ScriptCallback:
    """A registered function, and the file that registered it."""

    script: str
    callback: Callable[..., Any]
    name: str = "unnamed"
    extension: str = ""


_CATEGORIES = (
    "app_started",
    "model_loaded",
    "ui_tabs",
    "ui_train_tabs",
    "ui_settings",
    "before_image_saved",
    "image_saved",
    "extra_noise",
    "cfg_denoiser",
    "cfg_denoised",
    "cfg_after_cfg",
    "before_component",
    "after_component",
    "image_grid",
    "infotext_pasted",
    "script_unloaded",
    "before_ui",
    "on_reload",
    "list_optimizers",
    "list_unets",
    "before_token_counter",
)
callback_map: dict[str, list[ScriptCallback]] = {
    f"callbacks_{category}": [] for category in _CATEGORIES
}


def clear_callbacks() -> None:
    """Forget all."""
    for callbacks in callback_map.values():
        callbacks.clear()


def ordered_callbacks(category: str, enable_user_sort: bool = True) -> list[ScriptCallback]:
    """Those of a category, in the order in which they were registered."""
    return list(callback_map[f"callbacks_{category}"])


def enumerate_callbacks() -> Any:
    """(category, callbacks) of all."""
    for key, callbacks in callback_map.items():
        yield key.removeprefix("callbacks_"), callbacks


def _caller() -> str:
    """The script's file that called `on_...`."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return "unknown file" if frame is None else frame.f_code.co_filename


def add_callback(
    callbacks: list[ScriptCallback],
    fun: Callable[..., Any],
    *,
    name: str | None = None,
    category: str = "unknown",
    filename: str | None = None,
) -> None:
    """Register a function behind the others."""
    callbacks.append(
        ScriptCallback(
            script=filename or _caller(),
            callback=fun,
            name=name or f"{category}/{getattr(fun, '__name__', 'unnamed')}",
            extension=gesso_calls.loading_extension(),
        )
    )


def remove_current_script_callbacks() -> None:
    """Forget those that the calling file registered."""
    filename = _caller()
    for callbacks in callback_map.values():
        callbacks[:] = [each for each in callbacks if each.script != filename]


def remove_callbacks_for_function(callback_func: Callable[..., Any]) -> None:
    """Forget a function wherever it is registered."""
    for callbacks in callback_map.values():
        callbacks[:] = [each for each in callbacks if each.callback != callback_func]


def _add(category: str, callback: Callable[..., Any], name: str | None = None) -> None:
    add_callback(callback_map[f"callbacks_{category}"], callback, name=name, category=category)


def _call(category: str, *args: Any) -> list[Any]:
    """What each gives; one that raises gives nothing and stops nobody else."""
    given = []
    for each in ordered_callbacks(category):
        outcome = gesso_calls.guarded(
            each.extension, f"on_{category}", each.script, each.callback, *args
        )
        given.append(outcome)
    return given


def _many(category: str, *args: Any) -> list[Any]:
    return [item for given in _call(category, *args) for item in given or ()]


def on_app_started(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Called with the Blocks and the FastAPI app when the page is served."""
    _add("app_started", callback, name)


def on_before_reload(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Called before the page is built anew."""
    _add("on_reload", callback, name)


def on_model_loaded(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Called with the model when a checkpoint was loaded."""
    _add("model_loaded", callback, name)


def on_ui_tabs(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Gives tabs: (Blocks, title, elem_id)."""
    _add("ui_tabs", callback, name)


def on_ui_train_tabs(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Never called: there is no training tab."""
    _add("ui_train_tabs", callback, name)


def on_ui_settings(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Called when options are to be added."""
    _add("ui_settings", callback, name)


def on_before_image_saved(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Called with ImageSaveParams, which may be changed."""
    _add("before_image_saved", callback, name)


def on_image_saved(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Called with ImageSaveParams."""
    _add("image_saved", callback, name)


def on_extra_noise(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Called with ExtraNoiseParams."""
    _add("extra_noise", callback, name)


def on_cfg_denoiser(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Called with CFGDenoiserParams before each call of the network."""
    _add("cfg_denoiser", callback, name)


def on_cfg_denoised(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Called with CFGDenoisedParams."""
    _add("cfg_denoised", callback, name)


def on_cfg_after_cfg(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Called with AfterCFGCallbackParams."""
    _add("cfg_after_cfg", callback, name)


def on_before_component(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Called with a component about to be made, and its arguments."""
    _add("before_component", callback, name)


def on_after_component(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Called with a component that was made, and its arguments."""
    _add("after_component", callback, name)


def on_image_grid(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Called with ImageGridLoopParams."""
    _add("image_grid", callback, name)


def on_infotext_pasted(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Called with a picture's text and its fields, which may be changed."""
    _add("infotext_pasted", callback, name)


def on_script_unloaded(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Called when the script is unloaded."""
    _add("script_unloaded", callback, name)


def on_before_ui(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Called before the page is built."""
    _add("before_ui", callback, name)


def on_list_optimizers(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Never called: the engine chooses the quickest attention itself."""
    _add("list_optimizers", callback, name)


def on_list_unets(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Never called: networks are the engine's own."""
    _add("list_unets", callback, name)


def on_before_token_counter(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """Called with BeforeTokenCounterParams."""
    _add("before_token_counter", callback, name)


def app_started_callback(demo: Any, app: Any) -> None:
    """The page is served."""
    _call("app_started", demo, app)


def app_reload_callback() -> None:
    """The page is about to be built anew."""
    _call("on_reload")


def model_loaded_callback(sd_model: Any) -> None:
    """A checkpoint was loaded."""
    _call("model_loaded", sd_model)


def ui_tabs_callback() -> list[Any]:
    """All tabs."""
    return _many("ui_tabs")


def ui_train_tabs_callback(params: Any) -> None:
    """Training tabs."""
    _call("ui_train_tabs", params)


def ui_settings_callback() -> None:
    """Options are to be added."""
    _call("ui_settings")


def before_image_saved_callback(params: ImageSaveParams) -> None:
    """A picture is about to be saved."""
    _call("before_image_saved", params)


def image_saved_callback(params: ImageSaveParams) -> None:
    """A picture was saved."""
    _call("image_saved", params)


def extra_noise_callback(params: ExtraNoiseParams) -> None:
    """Noise is about to be added."""
    _call("extra_noise", params)


def cfg_denoiser_callback(params: CFGDenoiserParams) -> None:
    """The network is about to be asked."""
    _call("cfg_denoiser", params)


def cfg_denoised_callback(params: CFGDenoisedParams) -> None:
    """It answered."""
    _call("cfg_denoised", params)


def cfg_after_cfg_callback(params: AfterCFGCallbackParams) -> None:
    """The guess that counts is made."""
    _call("cfg_after_cfg", params)


def before_component_callback(component: Any, **kwargs: Any) -> None:
    """A component is about to be made."""
    for each in ordered_callbacks("before_component"):
        gesso_calls.guarded(
            each.extension,
            "on_before_component",
            each.script,
            lambda each=each: each.callback(component, **kwargs),
        )


def after_component_callback(component: Any, **kwargs: Any) -> None:
    """A component was made."""
    for each in ordered_callbacks("after_component"):
        gesso_calls.guarded(
            each.extension,
            "on_after_component",
            each.script,
            lambda each=each: each.callback(component, **kwargs),
        )


def image_grid_callback(params: ImageGridLoopParams) -> None:
    """A grid is about to be made."""
    _call("image_grid", params)


def infotext_pasted_callback(infotext: str, params: dict[str, Any]) -> None:
    """A picture's text was read."""
    _call("infotext_pasted", infotext, params)


def script_unloaded_callback() -> None:
    """All scripts are about to be forgotten, the last loaded first."""
    for each in reversed(ordered_callbacks("script_unloaded")):
        gesso_calls.guarded(each.extension, "on_script_unloaded", each.script, each.callback)


def before_ui_callback() -> None:
    """The page is about to be built."""
    for each in reversed(ordered_callbacks("before_ui")):
        gesso_calls.guarded(each.extension, "on_before_ui", each.script, each.callback)


def list_optimizers_callback() -> list[Any]:
    """None."""
    return []


def list_unets_callback() -> list[Any]:
    """None."""
    return []


def before_token_counter_callback(params: BeforeTokenCounterParams) -> None:
    """Tokens are about to be counted."""
    _call("before_token_counter", params)


__getattr__ = unprovided(__name__)
