"""All hooks, with what they are given. An implementation takes only the arguments it wants.

Hooks of jobs get `inputs` (the extension's declared inputs, `inputs.strength`) and `ctx`, see
`webui.extend.data.Context`. Giving back None changes nothing. They are called by
`webui.extend.calls`, one by one: what one raises stops nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace as Inputs
from typing import TYPE_CHECKING, Any, Final

import pluggy
from PIL import Image

from webui.core.model import ModelInfo
from webui.core.request import GenerationRequest
from webui.extend.data import Context, Grid, ImageItem, JobEnd, Runner, SavedImage, Words

if TYPE_CHECKING:
    from webui.extend.registered import (
        Attachment,
        Axis,
        Page,
        Preprocessor,
        Routes,
        Tab,
        TextToken,
    )
    from webui.extend.steps import Batch, Cond, Guess, Latents, MaskOverlay, NoiseDraw, StepState

PROJECT: Final = "gesso"
spec: Final = pluggy.HookspecMarker(PROJECT)
hook: Final = pluggy.HookimplMarker(PROJECT)


class WebHooks:
    """Run in the server's process, which never loads torch."""

    @spec
    def job_start(
        self, request: GenerationRequest, inputs: Inputs, ctx: Context
    ) -> GenerationRequest | None:
        """A request is about to be accepted: give back an edited copy, or raise StopJob."""

    @spec
    def prompt(self, words: Words, inputs: Inputs, ctx: Context) -> Words | None:
        """The prompts of one picture, after styles and wildcards: give back others. Prompts of a
        second pass (hires fix) are not shown."""

    @spec
    def job_run(
        self, request: GenerationRequest, runner: Runner, inputs: Inputs, ctx: Context
    ) -> Iterator[ImageItem] | None:
        """Take the job over: yield its pictures, made with `runner` or otherwise. Only for the
        extension that the request names as its script."""

    @spec
    def image_post(
        self, item: ImageItem, inputs: Inputs, ctx: Context
    ) -> Image.Image | ImageItem | Sequence[ImageItem] | None:
        """A picture is finished and not yet saved: give back another, or several. The one in
        `item` is a copy that may be painted into."""

    @spec
    def extras_op(
        self, item: ImageItem, inputs: Inputs, ctx: Context
    ) -> Image.Image | ImageItem | Sequence[ImageItem] | None:
        """As image_post, for pictures of the Extras tab."""

    @spec
    def image_save_before(self, item: ImageItem, inputs: Inputs, ctx: Context) -> ImageItem | None:
        """The last look before the file is written: picture and facts may still change."""

    @spec
    def image_save_after(self, saved: SavedImage, inputs: Inputs, ctx: Context) -> None:
        """A picture is on disk."""

    @spec
    def grid(self, grid: Grid, ctx: Context) -> Grid | None:
        """Pictures are about to be put into one."""

    @spec
    def job_end(self, end: JobEnd, inputs: Inputs, ctx: Context) -> None:
        """A job is over, all its pictures saved."""

    @spec
    def infotext_parse(
        self, text: str, fields: dict[str, str], ctx: Context
    ) -> dict[str, str] | None:
        """A picture's text was read: give back other fields, in A1111's names."""

    @spec
    def model_loaded(self, model: ModelInfo, ctx: Context) -> None:
        """The engine has loaded a checkpoint."""

    @spec
    def model_unloaded(self, model: ModelInfo, ctx: Context) -> None:
        """The engine holds a checkpoint no longer."""

    @spec
    def app_ready(self, ctx: Context) -> None:
        """The extension is on and the page is about to be served; in a thread of its own."""

    @spec
    def app_close(self, ctx: Context) -> None:
        """The server ends, or the extension is switched off or loaded anew."""

    @spec
    def register_tabs(self, register: Callable[[Tab], None], ctx: Context) -> None:
        """Tabs of the page."""

    @spec
    def tab_run(
        self, tab: str, picture: Image.Image | None, inputs: Inputs, ctx: Context
    ) -> Image.Image | str | None:
        """The button of a tab that extension.toml declares was pressed: give back a picture or a
        text."""

    @spec
    def ui_accordion(self, page: Page, mode: str) -> dict[str, Any] | None:
        """Draw the extension's group of controls itself: input id -> Gradio component."""

    @spec
    def ui_attach(self, register: Callable[[Attachment], None], ctx: Context) -> None:
        """Something drawn before or after a part of the page."""

    @spec
    def api_routes(self, register: Callable[[Routes], None], ctx: Context) -> None:
        """Routes below /ext/<id>/, for the owner if nothing else is said."""

    @spec
    def xyz_axes(self, register: Callable[[Axis], None]) -> None:
        """Further axes of an X/Y/Z plot; declared inputs are axes by themselves."""

    @spec
    def register_samplers(self, register: Callable[[Any], None]) -> None:
        """Samplers: `webui.samplers.sampler.Sampler`. Torch may be imported in function bodies."""

    @spec
    def register_schedules(self, register: Callable[[Any], None]) -> None:
        """Schedules: `webui.schedules.schedule.Schedule`."""

    @spec
    def register_families(self, register: Callable[[Any], None]) -> None:
        """Model families: `webui.families.family.Family`."""

    @spec
    def register_upscalers(self, register: Callable[[Any], None]) -> None:
        """Upscalers without a file: `webui.upscalers.upscaler.Upscaler`."""

    @spec
    def register_preprocessors(self, register: Callable[[Preprocessor], None]) -> None:
        """Makes a picture that guides out of a picture (edges, depth)."""

    @spec
    def register_text_tokens(self, register: Callable[[TextToken], None]) -> None:
        """Tags in prompts, `<name:argument:argument>`, found before styles are applied."""


class EngineHooks:
    """Run in the engine's process, from the extension's `engine.py`. Tensors are torch's; `x` has
    the noise level sigma (variance exploding: x = clean + sigma * noise), whatever the model."""

    @spec
    def batch_start(self, batch: Batch, inputs: Inputs, ctx: Context) -> Batch | None:
        """Pictures are about to be denoised together: give back other first latents."""

    @spec
    def noise(self, noise: NoiseDraw, inputs: Inputs, ctx: Context) -> Any:
        """Noise was drawn, spread 1: give back other noise of the same shape."""

    @spec
    def conditioning(self, cond: Cond, inputs: Inputs, ctx: Context) -> Cond | None:
        """A prompt was encoded."""

    @spec
    def step_before(self, state: StepState, inputs: Inputs, ctx: Context) -> StepState | None:
        """The network is about to be asked: `x` and `sigma` may change for this call."""

    @spec
    def guidance(self, guess: Guess, inputs: Inputs, ctx: Context) -> Any:
        """The network answered with and without the prompt: give back the guess of the clean
        latent that counts."""

    @spec
    def step_after(self, state: StepState, inputs: Inputs, ctx: Context) -> StepState | None:
        """A guess is there: `denoised` may change."""

    @spec
    def hires_before(self, latents: Latents, inputs: Inputs, ctx: Context) -> Latents | None:
        """The first pass is done, the second not begun."""

    @spec
    def latents_final(self, latents: Latents, inputs: Inputs, ctx: Context) -> Latents | None:
        """All passes are done."""

    @spec
    def decode(self, latents: Latents, inputs: Inputs, ctx: Context) -> Image.Image | None:
        """Make the picture of one latent instead of the VAE."""

    @spec
    def mask_overlay(
        self, overlay: MaskOverlay, inputs: Inputs, ctx: Context
    ) -> MaskOverlay | None:
        """An inpainted picture is about to be laid over its source."""

    @spec
    def batch_end(
        self, items: list[Image.Image], inputs: Inputs, ctx: Context
    ) -> list[Image.Image] | None:
        """The pictures of a batch, before the server gets them."""


WEB_HOOKS: Final = tuple(name for name in vars(WebHooks) if not name.startswith("_"))
ENGINE_HOOKS: Final = tuple(name for name in vars(EngineHooks) if not name.startswith("_"))
