"""Scripts: the class they derive from, what their hooks are given, and the lists of all."""

from __future__ import annotations

import os
import re
from typing import Any, NamedTuple

from modules import gesso_calls, paths, script_callbacks
from modules.gesso import side
from webui.compat.missing import unprovided

AlwaysVisible = object()


class MaskBlendArgs:
    """Latents about to be blended along a mask."""

    def __init__(
        self,
        current_latent: Any,
        nmask: Any,
        init_latent: Any,
        mask: Any,
        blended_latent: Any,
        denoiser: Any = None,
        sigma: Any = None,
    ) -> None:
        self.current_latent = current_latent
        self.nmask = nmask
        self.init_latent = init_latent
        self.mask = mask
        self.blended_latent = blended_latent
        self.denoiser = denoiser
        self.is_final_blend = denoiser is None
        self.sigma = sigma


class PostSampleArgs:
    """Latents of finished pictures."""

    def __init__(self, samples: Any) -> None:
        self.samples = samples


class PostprocessImageArgs:
    """A finished picture; `index` counts within the job."""

    def __init__(self, image: Any, index: int = 0) -> None:
        self.image = image
        self.index = index


class PostProcessMaskOverlayArgs:
    """An inpainted picture's mask, and what is laid over it."""

    def __init__(self, index: int, mask_for_overlay: Any, overlay_image: Any) -> None:
        self.index = index
        self.mask_for_overlay = mask_for_overlay
        self.overlay_image = overlay_image


class PostprocessBatchListArgs:
    """Pictures of a batch: a list of tensors (3, H, W), 0..1."""

    def __init__(self, images: list[Any]) -> None:
        self.images = images


class OnComponent:
    """A component of the page, told to a script that asked for it."""

    def __init__(self, component: Any) -> None:
        self.component = component


class Script:
    """What scripts derive from. All methods may be left as they are but `title`."""

    name: str | None = None
    section: str | None = None
    filename: str | None = None
    args_from: int | None = None
    args_to: int | None = None
    alwayson = False
    is_txt2img = False
    is_img2img = False
    tabname: str | None = None
    group: Any = None
    create_group = True
    infotext_fields: Any = None
    paste_field_names: Any = None
    api_info: Any = None
    on_before_component_elem_id: Any = None
    on_after_component_elem_id: Any = None
    setup_for_ui_only = False
    controls: Any = None
    extension = ""
    """The id of the extension that it belongs to; not a name of A1111's."""
    load_script_settings = ""

    def title(self) -> str:
        """What people see."""
        raise NotImplementedError

    def ui(self, is_img2img: bool) -> Any:
        """Draw its controls and give them back, in the order of the hooks' arguments."""

    def show(self, is_img2img: bool) -> Any:
        """False: not in this tab. True: it can be chosen. AlwaysVisible: always takes part."""
        return True

    def run(self, p: Any, *args: Any) -> Any:
        """Take the job over: give back a Processed."""

    def setup(self, p: Any, *args: Any) -> None:
        """The job's object is made."""

    def before_process(self, p: Any, *args: Any) -> None:
        """Before anything is settled."""

    def process(self, p: Any, *args: Any) -> None:
        """Prompts and seeds of all pictures are there."""

    def before_process_batch(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """A batch begins; networks in its prompts are not read yet."""

    def after_extra_networks_activate(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """Networks in the prompts were read."""

    def process_before_every_sampling(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """Before each pass."""

    def process_batch(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """A batch is about to be made."""

    def postprocess_batch(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """A batch is made: `images`, a tensor (B, 3, H, W), 0..1."""

    def postprocess_batch_list(
        self, p: Any, pp: PostprocessBatchListArgs, *args: Any, **kwargs: Any
    ) -> None:
        """As postprocess_batch, with a list that may grow and shrink."""

    def on_mask_blend(self, p: Any, mba: MaskBlendArgs, *args: Any) -> None:
        """Latents are about to be blended along a mask."""

    def post_sample(self, p: Any, ps: PostSampleArgs, *args: Any) -> None:
        """Latents are finished."""

    def postprocess_image(self, p: Any, pp: PostprocessImageArgs, *args: Any) -> None:
        """A picture is made."""

    def postprocess_maskoverlay(self, p: Any, ppmo: PostProcessMaskOverlayArgs, *args: Any) -> None:
        """An inpainted picture is about to be laid over its source."""

    def postprocess_image_after_composite(
        self, p: Any, pp: PostprocessImageArgs, *args: Any
    ) -> None:
        """A picture is as it will be saved."""

    def postprocess(self, p: Any, processed: Any, *args: Any) -> None:
        """The job is made."""

    def before_hr(self, p: Any, *args: Any) -> None:
        """Between the two passes of hires fix."""

    def before_component(self, component: Any, **kwargs: Any) -> None:
        """A component of the page is about to be made."""

    def after_component(self, component: Any, **kwargs: Any) -> None:
        """A component of the page was made."""

    def on_before_component(self, callback: Any, *, elem_id: str) -> None:
        """Call a function before the component of this id is made."""
        self.on_before_component_elem_id = self.on_before_component_elem_id or []
        self.on_before_component_elem_id.append((elem_id, callback))

    def on_after_component(self, callback: Any, *, elem_id: str) -> None:
        """Call a function after the component of this id was made."""
        self.on_after_component_elem_id = self.on_after_component_elem_id or []
        self.on_after_component_elem_id.append((elem_id, callback))

    def describe(self) -> str:
        """Nothing asks for it any more."""
        return ""

    def elem_id(self, item_id: Any) -> str:
        """An id for a control, unique on the page."""
        is_same = self.show(True) == self.show(False)
        tab = ("img2img" if self.is_img2img else "txt2img") + "_" if is_same else ""
        title = re.sub(r"[^a-z_0-9]", "", re.sub(r"\s", "_", self.title().lower()))
        return f"script_{tab}{title}_{item_id}"


class ScriptBuiltinUI(Script):
    """A script that only draws."""

    setup_for_ui_only = True

    def elem_id(self, item_id: Any) -> str:
        """An id for a control, unique on the page."""
        is_same = self.show(True) == self.show(False)
        tab = ("img2img" if self.is_img2img else "txt2img") + "_" if is_same else ""
        return f"{tab}{item_id}"


class ScriptFile(NamedTuple):
    """A file of scripts, and the folder that it belongs to."""

    basedir: str
    filename: str
    path: str


class ScriptClassData(NamedTuple):
    """A class that a file of scripts has."""

    script_class: Any
    path: str
    basedir: str
    module: Any


current_basedir = paths.script_path
scripts_data: list[ScriptClassData] = []
postprocessing_scripts_data: list[ScriptClassData] = []


def basedir() -> str:
    """The folder of the extension that is being loaded."""
    return current_basedir


def extension_of(directory: str) -> str:
    """The id of the extension that has this folder. Not a name of A1111's."""
    for id, folder in side.folders.items():
        if str(folder) == directory:
            return id
    return ""


def register_class(data: ScriptClassData, *, is_postprocessing: bool = False) -> None:
    """Remember a class that a file has. Not a name of A1111's."""
    (postprocessing_scripts_data if is_postprocessing else scripts_data).append(data)


def list_scripts(
    scriptdirname: str, extension: str, *, include_extensions: bool = True
) -> list[ScriptFile]:
    """The files in the extensions' folders of this name that end in `extension`, in their order."""
    found = []
    for folder in side.folders.values():
        directory = os.path.join(folder, scriptdirname)
        if not include_extensions or not os.path.isdir(directory):
            continue
        for name in sorted(os.listdir(directory)):
            path = os.path.join(directory, name)
            if os.path.splitext(name)[1].lower() == extension and os.path.isfile(path):
                found.append(ScriptFile(str(folder), name, path))
    return found


def list_files_with_name(filename: str) -> list[str]:
    """The files of this name in the extensions' folders."""
    paths_ = [os.path.join(folder, filename) for folder in side.folders.values()]
    return [path for path in paths_ if os.path.isfile(path)]


def wrap_call(
    func: Any, filename: Any, funcname: str, *args: Any, default: Any = None, **kwargs: Any
) -> Any:
    """What a function gives; `default` when it raises."""
    extension = getattr(getattr(func, "__self__", None), "extension", "")
    given = gesso_calls.guarded(
        extension, funcname, str(filename), lambda: (func(*args, **kwargs),)
    )
    return default if given is None else given[0]


from modules.script_runner import ScriptRunner  # noqa: E402 - it needs the names above

scripts_txt2img: Any = ScriptRunner()
scripts_img2img: Any = ScriptRunner()
scripts_postproc: Any = None
scripts_current: Any = None

__all__ = ["ScriptRunner", "script_callbacks"]


def reload_script_body_only() -> None:
    """Extensions are loaded anew on their own page."""


reload_scripts = reload_script_body_only

_refuse = unprovided(__name__)


def __getattr__(name: str) -> Any:
    if name == "scripts_postproc_runner":
        from modules import scripts_postprocessing

        return scripts_postprocessing.ScriptPostprocessingRunner()
    return _refuse(name)
