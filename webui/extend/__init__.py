"""The only import that an extension's author needs.

    from webui.extend import Slider, hook

    INPUTS = [Slider("strength", "Strength", high=1.0)]

    @hook
    def image_post(item, inputs):
        ...

What hooks there are: `webui.extend.hookspecs`. How to begin: docs/extensions/.
"""

from typing import Final

from webui.core.errors import InvalidRequest
from webui.core.person import Role
from webui.core.request import GenerationRequest, Mode
from webui.extend.data import (
    Context,
    Grid,
    ImageItem,
    JobEnd,
    Runner,
    SavedImage,
    StopJob,
    Words,
)
from webui.extend.hookspecs import hook
from webui.extend.inputs import Choice, Input, Slider, Text, Toggle
from webui.extend.registered import (
    Attachment,
    Axis,
    Page,
    Preprocessor,
    Routes,
    Tab,
    TextToken,
)
from webui.extend.steps import (
    Batch,
    Cond,
    Guess,
    Latents,
    MaskOverlay,
    NoiseDraw,
    StepState,
)
from webui.samplers.sampler import Denoise, Run, Sampler, Step

API_VERSION: Final = "1.0"

__all__ = [
    "API_VERSION",
    "Attachment",
    "Axis",
    "Batch",
    "Choice",
    "Cond",
    "Context",
    "Denoise",
    "GenerationRequest",
    "Grid",
    "Guess",
    "ImageItem",
    "Input",
    "InvalidRequest",
    "JobEnd",
    "Latents",
    "MaskOverlay",
    "Mode",
    "NoiseDraw",
    "Page",
    "Preprocessor",
    "Role",
    "Routes",
    "Run",
    "Runner",
    "Sampler",
    "SavedImage",
    "Slider",
    "Step",
    "StepState",
    "StopJob",
    "Tab",
    "Text",
    "TextToken",
    "Toggle",
    "Words",
    "hook",
]
