"""All scripts of a tab: made, drawn, and called one after the other. Not a module of A1111's:
its class is that of `modules.scripts`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from modules import gesso_calls, scripts
from webui.compat.missing import unprovided


class ScriptRunner:
    """Scripts of a tab. Their arguments lie in one list, of which each has a slice."""

    def __init__(self) -> None:
        self.scripts: list[Any] = []
        self.selectable_scripts: list[Any] = []
        self.alwayson_scripts: list[Any] = []
        self.titles: list[str] = []
        self.title_map: dict[str, Any] = {}
        self.infotext_fields: list[Any] = []
        self.paste_field_names: list[str] = []
        self.inputs: list[Any] = [None]
        self.callback_map: dict[str, Any] = {}
        self.callback_names: list[str] = []
        self.on_before_component_elem_id: dict[str, list[Any]] = {}
        self.on_after_component_elem_id: dict[str, list[Any]] = {}
        self.is_img2img = False
        self.failed: set[int] = set()
        """Scripts that raised in this job, by their identity; not a name of A1111's."""

    def initialize_scripts(self, is_img2img: bool) -> None:
        """Make one of each class that shows itself in this tab."""
        self.scripts.clear()
        self.alwayson_scripts.clear()
        self.selectable_scripts.clear()
        self.is_img2img = is_img2img
        self.on_before_component_elem_id.clear()
        self.on_after_component_elem_id.clear()
        for data in scripts.scripts_data:
            extension = scripts.extension_of(data.basedir)
            script = gesso_calls.guarded(
                extension, "__init__", data.path, self._made, data, extension
            )
            if script is not None:
                self._take(script)
        self.title_map = {self.title_of(script).lower(): script for script in self.scripts}

    def _made(self, data: Any, extension: str) -> Any:
        script = data.script_class()
        script.filename = data.path
        script.extension = extension
        script.is_txt2img = not self.is_img2img
        script.is_img2img = self.is_img2img
        script.tabname = "img2img" if self.is_img2img else "txt2img"
        return (script, script.show(script.is_img2img))

    def _take(self, made: Any) -> None:
        script, visibility = made
        if visibility is scripts.AlwaysVisible:
            script.alwayson = True
            self.scripts.append(script)
            self.alwayson_scripts.append(script)
        elif visibility:
            self.scripts.append(script)
            self.selectable_scripts.append(script)
        if visibility:
            self.apply_on_before_component_callbacks(script)

    def title_of(self, script: Any) -> str:
        """A script's title, its file's name when it can't tell."""
        return str(
            scripts.wrap_call(
                script.title, script.filename, "title", default=f"{script.filename} [error]"
            )
        )

    def prepare_ui(self) -> None:
        """Before anything is drawn."""
        self.inputs = [None]

    def apply_on_before_component_callbacks(self, script: Any) -> None:
        """Remember which components a script asked for."""
        for asked, own in (
            (self.on_before_component_elem_id, script.on_before_component_elem_id),
            (self.on_after_component_elem_id, script.on_after_component_elem_id),
        ):
            for elem_id, callback in own or ():
                asked.setdefault(elem_id, []).append((callback, script))

    def create_script_ui(self, script: Any) -> None:
        """Draw a script's controls, which become the next arguments."""
        script.args_from = len(self.inputs)
        script.args_to = len(self.inputs)
        gesso_calls.guarded(
            script.extension, "ui", script.filename, self.create_script_ui_inner, script
        )

    def create_script_ui_inner(self, script: Any) -> None:
        """As `create_script_ui`; raises what the script raises."""
        script.name = self.title_of(script).lower()
        controls = script.ui(script.is_img2img)
        if controls is None:
            return
        script.controls = list(controls)
        for control in script.controls:
            control.custom_script_source = str(script.filename).replace("\\", "/").split("/")[-1]
        script.infotext_fields = getattr(script, "infotext_fields", None)
        self.infotext_fields += list(script.infotext_fields or ())
        self.paste_field_names += list(script.paste_field_names or ())
        self.inputs += script.controls
        script.args_to = len(self.inputs)

    def setup_ui_for_section(self, section: str | None, scriptlist: Any = None) -> None:
        """Draw the scripts of a section, each in a group of its own."""
        import gradio as gr

        for script in self.alwayson_scripts if scriptlist is None else scriptlist:
            if script.alwayson and script.section != section:
                continue
            if script.create_group:
                with gr.Group(visible=script.alwayson) as group:
                    self.create_script_ui(script)
                script.group = group
            else:
                self.create_script_ui(script)

    def setup_ui(self) -> list[Any]:
        """Draw them all, and the list to choose one from; gives all their controls."""
        import gradio as gr

        self.titles = [self.title_of(script) for script in self.selectable_scripts]
        self.setup_ui_for_section(None)
        dropdown = gr.Dropdown(
            label="Script",
            elem_id="script_list",
            choices=["None", *self.titles],
            value="None",
            type="index",
        )
        self.inputs[0] = dropdown
        self.setup_ui_for_section(None, self.selectable_scripts)
        return self.inputs

    def run(self, p: Any, *args: Any) -> Any:
        """What the chosen script makes of the job; None when none is chosen."""
        index = args[0] if args else 0
        if not index:
            return None
        script = self.selectable_scripts[index - 1]
        return script.run(p, *args[script.args_from : script.args_to])

    def script(self, title: str) -> Any:
        """The script of this title."""
        return self.title_map.get(title.lower())

    def ordered_scripts(self, method_name: str) -> list[Any]:
        """Those that always take part, and have this method."""
        return [each for each in self.alwayson_scripts if has_own(each, method_name)]

    def ordered_callbacks(self, method_name: str, **kwargs: Any) -> list[Any]:
        """As `ordered_scripts`."""
        return self.ordered_scripts(method_name)

    list_scripts_for_method = ordered_scripts

    def reload_sources(self, cache: Any) -> None:
        """Extensions are loaded anew on their own page."""

    def set_named_arg(
        self, args: Any, script_name: str, arg_elem_id: str, value: Any, fuzzy: bool = False
    ) -> None:
        """Put a value at the place of a control, found by its elem_id."""
        script = next((each for each in self.scripts if each.name == script_name), None)
        if script is None:
            raise RuntimeError(f"script {script_name} not found")
        for i, control in enumerate(script.controls or ()):
            elem_id = getattr(control, "elem_id", None) or ""
            if elem_id == arg_elem_id or (fuzzy and arg_elem_id in elem_id):
                args[script.args_from + i] = value
                return

    def _each(self, method: str, p: Any, *before: Any, **kwargs: Any) -> None:
        for script in self.ordered_scripts(method):
            if id(script) in self.failed:
                continue
            given = gesso_calls.guarded(
                script.extension,
                method,
                str(script.filename),
                lambda script=script: self._call(script, method, p, before, kwargs),
            )
            if given is None:
                self.failed.add(id(script))

    def _call(
        self, script: Any, method: str, p: Any, before: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> bool:
        arguments = (p.script_args or ())[script.args_from : script.args_to]
        getattr(script, method)(p, *before, *arguments, **kwargs)
        return True

    def setup_scrips(self, p: Any) -> None:
        """Call `setup` of all. The name is A1111's."""
        self.failed.clear()
        self._each("setup", p)

    setup_scripts = setup_scrips

    def before_process(self, p: Any) -> None:
        """Call it of all."""
        self._each("before_process", p)

    def process(self, p: Any) -> None:
        """Call it of all."""
        self._each("process", p)

    def before_process_batch(self, p: Any, **kwargs: Any) -> None:
        """Call it of all."""
        self._each("before_process_batch", p, **kwargs)

    def after_extra_networks_activate(self, p: Any, **kwargs: Any) -> None:
        """Call it of all."""
        self._each("after_extra_networks_activate", p, **kwargs)

    def process_before_every_sampling(self, p: Any, **kwargs: Any) -> None:
        """Call it of all."""
        self._each("process_before_every_sampling", p, **kwargs)

    def process_batch(self, p: Any, **kwargs: Any) -> None:
        """Call it of all."""
        self._each("process_batch", p, **kwargs)

    def postprocess(self, p: Any, processed: Any) -> None:
        """Call it of all."""
        self._each("postprocess", p, processed)

    def postprocess_batch(self, p: Any, images: Any, **kwargs: Any) -> None:
        """Call it of all."""
        self._each("postprocess_batch", p, images=images, **kwargs)

    def postprocess_batch_list(self, p: Any, pp: Any, **kwargs: Any) -> None:
        """Call it of all."""
        self._each("postprocess_batch_list", p, pp, **kwargs)

    def post_sample(self, p: Any, ps: Any) -> None:
        """Call it of all."""
        self._each("post_sample", p, ps)

    def on_mask_blend(self, p: Any, mba: Any) -> None:
        """Call it of all."""
        self._each("on_mask_blend", p, mba)

    def postprocess_image(self, p: Any, pp: Any) -> None:
        """Call it of all."""
        self._each("postprocess_image", p, pp)

    def postprocess_maskoverlay(self, p: Any, ppmo: Any) -> None:
        """Call it of all."""
        self._each("postprocess_maskoverlay", p, ppmo)

    def postprocess_image_after_composite(self, p: Any, pp: Any) -> None:
        """Call it of all."""
        self._each("postprocess_image_after_composite", p, pp)

    def before_hr(self, p: Any) -> None:
        """Call it of all."""
        self._each("before_hr", p)

    def before_component(self, component: Any, **kwargs: Any) -> None:
        """Tell those that asked, and all."""
        self._tell(self.on_before_component_elem_id, "before_component", component, kwargs)

    def after_component(self, component: Any, **kwargs: Any) -> None:
        """Tell those that asked, and all."""
        self._tell(self.on_after_component_elem_id, "after_component", component, kwargs)

    def _tell(
        self,
        asked: dict[str, list[Any]],
        method: str,
        component: Any,
        kwargs: dict[str, Any],
    ) -> None:
        for callback, script in asked.get(kwargs.get("elem_id", ""), []):
            told = scripts.OnComponent(component=component)
            scripts.wrap_call(callback, script.filename, f"on_{method}", told)
        for script in self.scripts:
            if has_own(script, method):
                function: Callable[..., Any] = getattr(script, method)
                scripts.wrap_call(function, script.filename, method, component, **kwargs)


def has_own(script: Any, method: str) -> bool:
    """Whether a script has a method of its own, not only that of its class's base."""
    own = getattr(script, method, None)
    if own is None:
        return False
    base = getattr(scripts.Script, method, None)
    return inspect.ismethod(own) is False or own.__func__ is not base


__getattr__ = unprovided(__name__)
