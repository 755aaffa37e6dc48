"""Scripts for finished pictures, behind each picture that is made: as the options name them."""

from __future__ import annotations

from typing import Any

from modules import scripts, scripts_postprocessing, shared
from webui.compat.missing import unprovided


class ScriptPostprocessingForMainUI(scripts.Script):
    """One of them as a script of the picture tabs."""

    def __init__(self, script_postproc: Any) -> None:
        self.script: Any = script_postproc
        self.postprocessing_controls: Any = None

    def title(self) -> str:
        """Its name."""
        return str(self.script.name)

    def show(self, is_img2img: bool) -> Any:
        """Always."""
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> Any:
        """Its controls."""
        self.postprocessing_controls = self.script.ui() or {}
        return list(self.postprocessing_controls.values())

    def postprocess_image(self, p: Any, script_pp: Any, *args: Any) -> None:
        """Let it work on a picture."""
        named = dict(zip(self.postprocessing_controls or {}, args, strict=False))
        pp = scripts_postprocessing.PostprocessedImage(script_pp.image)
        pp.info = {}
        self.script.process(pp, **named)
        p.extra_generation_params.update(pp.info)
        script_pp.image = pp.image


def create_auto_preprocessing_script_data() -> list[Any]:
    """Those that the options want in the picture tabs."""
    wanted = shared.opts.data.get("postprocessing_enable_in_main_ui") or ()
    found = []
    for name in wanted:
        data = next(
            (d for d in scripts.postprocessing_scripts_data if d.script_class.name == name), None
        )
        if data is not None:
            kind = data.script_class

            def make(kind: Any = kind) -> Any:
                return ScriptPostprocessingForMainUI(kind())

            found.append(scripts.ScriptClassData(make, data.path, data.basedir, data.module))
    return found


__getattr__ = unprovided(__name__)
