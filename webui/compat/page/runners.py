"""The scripts of each picture tab, made anew for each page."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

from webui.compat.page.old import module
from webui.core.request import Mode

Within = Callable[[str], AbstractContextManager[None]]
OURS: Final = ("modules", "webui", "builtins")
PICTURE_TABS: Final = (Mode.TXT2IMG, Mode.IMG2IMG, Mode.INPAINT)


class Runners:
    """modules.scripts.ScriptRunner by tab. A1111 makes each script twice, for txt2img and for
    img2img, and some count it; Inpaint, which A1111 has inside img2img, gets copies."""

    def __init__(self, within: Within) -> None:
        self._within: Final = within
        self._made: dict[str, Any] = {}

    def begin(self, *, is_unseen: bool = False) -> None:
        """Make all scripts. Unseen ones are not those that scripts know as scripts_txt2img and
        scripts_img2img."""
        scripts = module("scripts")
        self._made.clear()
        forget_late_callbacks()
        for mode in (Mode.TXT2IMG, Mode.IMG2IMG):
            own = scripts.scripts_txt2img if mode is Mode.TXT2IMG else scripts.scripts_img2img
            runner = scripts.ScriptRunner() if is_unseen else own
            runner.__init__()
            with self._within(""):
                runner.initialize_scripts(is_img2img=mode is not Mode.TXT2IMG)
            self._made[mode] = runner
        with self._within(""):
            self._made[Mode.EXTRAS] = module("gesso_finishing").finishing_runner()

    def get(self, mode: str) -> Any:
        """The scripts of a tab; None for other tabs."""
        if mode == Mode.INPAINT and mode not in self._made and self._made:
            self._made[mode] = _copied(self._made[Mode.IMG2IMG])
        return self._made.get(mode)


def forget_late_callbacks() -> None:
    """Those that scripts registered when they were made: they will do so again."""
    for callbacks in module("script_callbacks").callback_map.values():
        callbacks[:] = [each for each in callbacks if each.extension]


def _copied(runner: Any) -> Any:
    """The same scripts once more, with what they know of the page so far."""
    made = module("scripts").ScriptRunner()
    made.is_img2img = True
    made.scripts = [_again(script) for script in runner.scripts]
    made.alwayson_scripts = [each for each in made.scripts if each.alwayson]
    made.selectable_scripts = [each for each in made.scripts if not each.alwayson]
    made.title_map = {made.title_of(script).lower(): script for script in made.scripts}
    return made


def _again(script: Any) -> Any:
    """A script once more, with what it knows of the page so far. Objects of its own classes are
    made anew: they may hold controls, which can't be drawn twice."""
    other = copy.copy(script)
    other.controls = None
    for name, value in vars(script).items():
        if isinstance(value, list | dict) and name != "controls":
            setattr(other, name, copy.copy(value))
    for name, value in _own_objects(script).items():
        setattr(other, name, value)
    return other


def _own_objects(script: Any) -> dict[str, Any]:
    """What a new one of its kind holds of classes that its extension defines."""
    if not any(_is_own(value) for value in vars(script).values()):
        return {}
    callbacks = module("script_callbacks").callback_map
    before = {category: list(each) for category, each in callbacks.items()}
    try:
        fresh = type(script)()
    except Exception:  # noqa: BLE001 - then the copy shares them
        return {}
    finally:
        for category, each in before.items():
            callbacks[category][:] = each
    return {name: value for name, value in vars(fresh).items() if _is_own(value)}


def _is_own(value: Any) -> bool:
    top = type(value).__module__.split(".")[0]
    return top not in (*OURS, *sys.stdlib_module_names, "gradio", "numpy", "PIL", "torch")
