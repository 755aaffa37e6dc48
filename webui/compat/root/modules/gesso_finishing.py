"""Scripts for finished pictures as scripts of the Extras tab. Not a module of A1111's."""

from __future__ import annotations

from typing import Any

from modules import scripts, scripts_postprocessing
from modules.gesso_calls import guarded


class Finishing(scripts.Script):
    """One of them, to be drawn and asked like any other script."""

    def __init__(self, script: Any) -> None:
        self.script = script
        self.filename, self.extension = script.filename, script.extension
        self.alwayson = True
        self.tabname = "extras"

    def title(self) -> str:
        """Its name."""
        return str(self.script.name or self.extension)

    def show(self, is_img2img: bool) -> Any:
        """Always."""
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> list[Any]:
        """Its controls, in the order of their names."""
        self.script.controls = dict(self.script.ui() or {})
        return list(self.script.controls.values())

    def work(self, method: str, pp: Any, args: Any) -> bool:
        """Let it work on a picture; whether it did."""
        named = dict(zip(self.script.controls or {}, args, strict=False))
        function = getattr(self.script, method)
        made = guarded(self.extension, method, str(self.filename), lambda: (function(pp, **named),))
        return made is not None


def finishing_runner() -> Any:
    """All of them, new ones, in their order."""
    all_of = scripts_postprocessing.ScriptPostprocessingRunner()
    runner = scripts.ScriptRunner()
    runner.scripts = [Finishing(each) for each in all_of.scripts_in_preferred_order()]
    runner.alwayson_scripts = list(runner.scripts)
    return runner


def finished(runner: Any, image: Any, args: Any) -> Any:
    """A picture after all of them (PostprocessedImage); `args` are the values of all controls."""
    pp = scripts_postprocessing.PostprocessedImage(image)
    asked = [(script, args[script.args_from : script.args_to]) for script in runner.scripts]
    able = [each for each in asked if each[0].work("process_firstpass", pp, each[1])]
    everything = [pp]
    for script, own in able:
        for single in list(everything):
            if single.disable_processing or not script.work("process", single, own):
                continue
            everything += [_as_picture(single, extra) for extra in single.extra_images]
            single.extra_images = []
    pp.extra_images = everything[1:]
    return pp


def _as_picture(pp: Any, extra: Any) -> Any:
    is_picture = isinstance(extra, scripts_postprocessing.PostprocessedImage)
    return extra if is_picture else pp.create_copy(extra)
