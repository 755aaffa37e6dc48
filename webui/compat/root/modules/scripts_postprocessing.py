"""Scripts that work on finished pictures: in the Extras tab, and one behind the other."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

from modules import gesso_calls, shared
from webui.compat.missing import unprovided


class PostprocessedImageSharedInfo:
    """What scripts tell each other of a picture's size."""

    target_width: int | None = None
    target_height: int | None = None


class PostprocessedImage:
    """A picture on its way; `info` becomes its text, `extra_images` stand beside it."""

    def __init__(self, image: Any) -> None:
        self.image = image
        self.info: dict[str, Any] = {}
        self.shared = PostprocessedImageSharedInfo()
        self.extra_images: list[Any] = []
        self.nametags: list[str] = []
        self.disable_processing = False
        self.caption: str | None = None

    def get_suffix(self, used_suffixes: dict[str, int] | None = None) -> str:
        """What its file's name ends with."""
        used = {} if used_suffixes is None else used_suffixes
        suffix = "-".join(self.nametags)
        suffix = f"-{suffix}" if suffix else ""
        count = used.get(suffix, 0)
        used[suffix] = count + 1
        return f"{suffix}-{count}" if count else suffix

    def create_copy(
        self, new_image: Any, *, nametags: Any = None, disable_processing: bool = False
    ) -> PostprocessedImage:
        """Another picture with the same text."""
        copy = PostprocessedImage(new_image)
        copy.shared, copy.info = self.shared, dict(self.info)
        copy.nametags = [*self.nametags, *(nametags or ())]
        copy.disable_processing = disable_processing
        return copy


class ScriptPostprocessing:
    """What scripts of this kind derive from. `ui` gives its controls by the names of `process`'s
    arguments."""

    filename: str | None = None
    controls: Any = None
    args_from: int | None = None
    args_to: int | None = None
    order = 1000
    name: str | None = None
    group: Any = None
    extension = ""

    def ui(self) -> dict[str, Any] | None:
        """Draw its controls."""
        return {}

    def process(self, pp: PostprocessedImage, **args: Any) -> None:
        """Change a picture."""

    def process_firstpass(self, pp: PostprocessedImage, **args: Any) -> None:
        """Before all `process`."""

    def image_changed(self) -> None:
        """Another picture is there to be worked on."""


def wrap_call(
    func: Callable[..., Any],
    filename: Any,
    funcname: str,
    *args: Any,
    default: Any = None,
    **kwargs: Any,
) -> Any:
    """What a function gives; `default` when it raises."""
    from modules import scripts

    return scripts.wrap_call(func, filename, funcname, *args, default=default, **kwargs)


class ScriptPostprocessingRunner:
    """All of them."""

    def __init__(self) -> None:
        self.scripts: list[Any] | None = None
        self.ui_created = False

    def initialize_scripts(self, scripts_data: Any) -> None:
        """Make one of each class."""
        from modules import scripts

        self.scripts = []
        for data in scripts_data:
            extension = scripts.extension_of(data.basedir)
            script = gesso_calls.guarded(extension, "__init__", data.path, data.script_class)
            if script is None:
                continue
            script.filename, script.extension = data.path, extension
            if script.name != "Simple Upscale":
                self.scripts.append(script)

    def create_script_ui(self, script: Any, inputs: list[Any]) -> None:
        """Draw a script's controls, which become the next arguments."""
        script.args_from = script.args_to = len(inputs)
        controls = wrap_call(script.ui, script.filename, "ui") or {}
        script.controls = dict(controls)
        for control in script.controls.values():
            control.custom_script_source = os.path.basename(script.filename or "")
        inputs += list(script.controls.values())
        script.args_to = len(inputs)

    def scripts_in_preferred_order(self) -> list[Any]:
        """As the options say, else by their own order."""
        if self.scripts is None:
            from modules import scripts

            self.initialize_scripts(scripts.postprocessing_scripts_data)
        wanted = list(shared.opts.data.get("postprocessing_operation_order") or ())
        hidden = set(shared.opts.data.get("postprocessing_disable_in_extras") or ())
        shown = [each for each in self.scripts or () if each.name not in hidden]

        def place(script: Any) -> tuple[int, int, str]:
            known = wanted.index(script.name) if script.name in wanted else len(wanted)
            return known, script.order, str(script.name)

        return sorted(shown, key=place)

    def setup_ui(self) -> list[Any]:
        """Draw them all; gives their controls."""
        import gradio as gr

        inputs: list[Any] = []
        for script in self.scripts_in_preferred_order():
            with gr.Row() as group:
                self.create_script_ui(script, inputs)
            script.group = group
        self.ui_created = True
        return inputs

    def run(self, pp: PostprocessedImage, args: Any) -> None:
        """All of them work on a picture, with the values of all controls."""
        scripts = [
            (script, self._arguments(script, args)) for script in self.scripts_in_preferred_order()
        ]
        for script, named in scripts:
            wrap_call(script.process_firstpass, script.filename, "process_firstpass", pp, **named)
        everything = [pp]
        for script, named in scripts:
            for single in list(everything):
                if single.disable_processing:
                    continue
                wrap_call(script.process, script.filename, "process", single, **named)
                for extra in single.extra_images:
                    as_pp = isinstance(extra, PostprocessedImage)
                    everything.append(extra if as_pp else single.create_copy(extra))
                single.extra_images.clear()
        pp.extra_images = everything[1:]

    def _arguments(self, script: Any, args: Any) -> dict[str, Any]:
        values = list(args)[script.args_from : script.args_to]
        return dict(zip(script.controls or {}, values, strict=False))

    def create_args_for_run(self, scripts_args: dict[str, dict[str, Any]]) -> list[Any]:
        """The values of all controls, some given by the names of script and control."""
        import gradio as gr

        if not self.ui_created:
            with gr.Blocks(analytics_enabled=False):
                self.setup_ui()
        scripts = self.scripts_in_preferred_order()
        args: list[Any] = [None] * max((script.args_to or 0 for script in scripts), default=0)
        for script in scripts:
            given = scripts_args.get(str(script.name), {})
            for place, (name, control) in enumerate((script.controls or {}).items()):
                value = given.get(name, getattr(control, "value", None))
                args[(script.args_from or 0) + place] = value
        return args

    def image_changed(self) -> None:
        """Another picture is there to be worked on."""
        for script in self.scripts_in_preferred_order():
            wrap_call(script.image_changed, script.filename, "image_changed")


def slug(text: str) -> str:
    """A name for a control or a script in a request. Not a name of A1111's."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


__getattr__ = unprovided(__name__)
