"""What the API's routes take and give, as pydantic models."""

from __future__ import annotations

import inspect
from typing import Any, Literal, Optional  # noqa: F401 - scripts take them from here

from pydantic import BaseModel, ConfigDict, Field, create_model

from modules.processing import (
    StableDiffusionProcessingImg2Img,
    StableDiffusionProcessingTxt2Img,
)
from webui.compat.missing import unprovided

API_NOT_ALLOWED = [
    "self",
    "kwargs",
    "sd_model",
    "outpath_samples",
    "outpath_grids",
    "sampler_index",
    "extra_generation_params",
    "overlay_images",
    "do_not_reload_embeddings",
    "seed_enable_extras",
    "prompt_for_display",
    "sampler_noise_scheduler_override",
    "ddim_discretize",
]


class ModelDef(BaseModel):
    """A field of a model that is made of a class."""

    field: str
    field_alias: str
    field_type: Any
    field_value: Any
    field_exclude: bool = False


class PydanticModelGenerator:
    """Makes a model of a class's arguments, and of further fields."""

    def __init__(
        self,
        model_name: str | None = None,
        class_instance: Any = None,
        additional_fields: Any = None,
    ) -> None:
        self._name = model_name or class_instance.__name__
        signature = inspect.signature(class_instance.__init__)
        self._fields: dict[str, tuple[Any, Any]] = {
            name: (Any, parameter.default if parameter.default is not parameter.empty else None)
            for name, parameter in signature.parameters.items()
            if name not in API_NOT_ALLOWED
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        }
        for each in additional_fields or ():
            self._fields[each["key"]] = (Any, each["default"])

    def generate_model(self) -> Any:
        """The model."""
        config = ConfigDict(populate_by_name=True, arbitrary_types_allowed=True, frozen=False)
        fields: Any = {
            name: (kind, Field(default=value)) for name, (kind, value) in self._fields.items()
        }
        return create_model(self._name, __config__=config, **fields)


def _more(*fields: tuple[str, Any]) -> list[dict[str, Any]]:
    common: tuple[tuple[str, Any], ...] = (
        ("sampler_index", "Euler"),
        ("script_name", None),
        ("script_args", []),
        ("send_images", True),
        ("save_images", False),
        ("alwayson_scripts", {}),
        ("force_task_id", None),
        ("infotext", None),
    )
    return [{"key": key, "default": value} for key, value in (*common, *fields)]


StableDiffusionTxt2ImgProcessingAPI = PydanticModelGenerator(
    "StableDiffusionProcessingTxt2Img", StableDiffusionProcessingTxt2Img, _more()
).generate_model()
StableDiffusionImg2ImgProcessingAPI = PydanticModelGenerator(
    "StableDiffusionProcessingImg2Img",
    StableDiffusionProcessingImg2Img,
    _more(("init_images", None), ("mask", None), ("include_init_images", False)),
).generate_model()


class TextToImageResponse(BaseModel):
    """Pictures as texts, what was asked, and words about it."""

    images: list[str] | None = Field(default=None)
    parameters: dict[str, Any]
    info: str


class ImageToImageResponse(TextToImageResponse):
    """The same."""


class ExtrasBaseRequest(BaseModel):
    """How pictures are enlarged."""

    resize_mode: Literal[0, 1] = Field(default=0)
    show_extras_results: bool = Field(default=True)
    gfpgan_visibility: float = Field(default=0, ge=0, le=1)
    codeformer_visibility: float = Field(default=0, ge=0, le=1)
    codeformer_weight: float = Field(default=0, ge=0, le=1)
    upscaling_resize: float = Field(default=2, gt=0)
    upscaling_resize_w: int = Field(default=512, ge=1)
    upscaling_resize_h: int = Field(default=512, ge=1)
    upscaling_crop: bool = Field(default=True)
    upscaler_1: str = Field(default="None")
    upscaler_2: str = Field(default="None")
    extras_upscaler_2_visibility: float = Field(default=0, ge=0, le=1)
    upscale_first: bool = Field(default=False)


class ExtraBaseResponse(BaseModel):
    """Words about it."""

    html_info: str


class ExtrasSingleImageRequest(ExtrasBaseRequest):
    """One picture as text."""

    image: str = Field(default="")


class ExtrasSingleImageResponse(ExtraBaseResponse):
    """And back."""

    image: str | None = Field(default=None)


class FileData(BaseModel):
    """A picture as text, and its name."""

    data: str
    name: str


class ExtrasBatchImagesRequest(ExtrasBaseRequest):
    """Several pictures."""

    imageList: list[FileData]


class ExtrasBatchImagesResponse(ExtraBaseResponse):
    """And back."""

    images: list[str]


class PNGInfoRequest(BaseModel):
    """A picture as text."""

    image: str


class PNGInfoResponse(BaseModel):
    """What it says of itself."""

    info: str
    items: dict[str, Any]
    parameters: dict[str, Any]


class ProgressRequest(BaseModel):
    """Whether the preview is wanted."""

    skip_current_image: bool = Field(default=False)


class ProgressResponse(BaseModel):
    """How far the job is."""

    progress: float
    eta_relative: float
    state: dict[str, Any]
    current_image: str | None = Field(default=None)
    textinfo: str | None = Field(default=None)


class InterrogateRequest(BaseModel):
    """A picture as text, and which model is to look at it."""

    image: str = Field(default="")
    model: str = Field(default="clip")


class InterrogateResponse(BaseModel):
    """Words for it."""

    caption: str | None = Field(default=None)


class TrainResponse(BaseModel):
    """How training went."""

    info: str


class CreateResponse(BaseModel):
    """What was made."""

    info: str


class SamplerItem(BaseModel):
    """A sampler."""

    name: str
    aliases: list[str]
    options: dict[str, Any]


class SchedulerItem(BaseModel):
    """A schedule."""

    name: str
    label: str
    aliases: list[str] | None = None
    default_rho: float | None = None
    need_inner_model: bool | None = None


class UpscalerItem(BaseModel):
    """An upscaler."""

    name: str
    model_name: str | None = None
    model_path: str | None = None
    model_url: str | None = None
    scale: float | None = None


class LatentUpscalerModeItem(BaseModel):
    """A way to enlarge latents."""

    name: str


class SDModelItem(BaseModel):
    """A checkpoint."""

    title: str
    model_name: str
    hash: str | None = None
    sha256: str | None = None
    filename: str
    config: str | None = None


class SDVaeItem(BaseModel):
    """A VAE."""

    model_name: str
    filename: str


class HypernetworkItem(BaseModel):
    """A hypernetwork."""

    name: str
    path: str | None = None


class FaceRestorerItem(BaseModel):
    """A restorer of faces."""

    name: str
    cmd_dir: str | None = None


class PromptStyleItem(BaseModel):
    """A style."""

    name: str
    prompt: str | None = None
    negative_prompt: str | None = None


class EmbeddingItem(BaseModel):
    """An embedding."""

    step: int | None = None
    sd_checkpoint: str | None = None
    sd_checkpoint_name: str | None = None
    shape: int
    vectors: int


class EmbeddingsResponse(BaseModel):
    """All embeddings by name."""

    loaded: dict[str, EmbeddingItem]
    skipped: dict[str, EmbeddingItem]


class MemoryResponse(BaseModel):
    """Memory in use."""

    ram: dict[str, Any]
    cuda: dict[str, Any]


class ScriptsList(BaseModel):
    """Titles of scripts."""

    txt2img: list[str] | None = None
    img2img: list[str] | None = None


class ScriptArg(BaseModel):
    """A control of a script."""

    label: str | None = None
    value: Any | None = None
    minimum: Any | None = None
    maximum: Any | None = None
    step: Any | None = None
    choices: Any | None = None


class ScriptInfo(BaseModel):
    """A script."""

    name: str | None = None
    is_alwayson: bool | None = None
    is_img2img: bool | None = None
    args: list[ScriptArg]


class ExtensionItem(BaseModel):
    """An extension."""

    name: str
    remote: str
    branch: str
    commit_hash: str
    version: str
    commit_date: str
    enabled: bool


__getattr__ = unprovided(__name__)
