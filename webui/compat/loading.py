"""Loading the extensions: the same in the server's process and in the engine's.

Each file is guarded: what it raises is booked by extension, and the others go on.
"""

from __future__ import annotations

import configparser
import importlib
import logging
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from PIL import ImageFont

from webui.compat.blocked import block, unblock
from webui.compat.drift import DRIFT
from webui.compat.gradio3.adapter import adapting
from webui.extend.finding import loose_scripts
from webui.extend.packages import use_packages

log = logging.getLogger(__name__)

ROOT: Final = Path(__file__).parent / "root"
OURS: Final = ("modules", "scripts", "launch", "extensions")
"""Top names of what scripts import; `scripts` and `extensions` are made here."""
FONT_SIZE: Final = 10


def load(folders: Mapping[str, Path], told: Mapping[str, Any]) -> Mapping[str, str]:
    """Load the extensions, by id; tracebacks of those that failed. `told` is of webui.compat.told.
    Nothing is done where just these are loaded and no file of theirs changed."""
    stamp = _stamp(folders, told)
    if is_loaded() and _side().stamp == stamp:
        return dict(_side().errors)
    unload()
    use_packages()
    _begin(told)
    side = _side()
    side.folders = {id: folders[id] for id in _ordered(folders)}
    side.stamp = stamp
    for id, folder in side.folders.items():
        _preload(id, folder)
    _read_flags()
    for id, folder in side.folders.items():
        _load_folder(id, folder)
    _tell_of_start()
    return dict(side.errors)


def is_loaded() -> bool:
    """Whether extensions are loaded in this process."""
    return "modules.gesso" in sys.modules


def unload() -> None:
    """Call their last callbacks and forget all of their modules."""
    if not is_loaded():
        return
    callbacks = sys.modules.get("modules.script_callbacks")
    if callbacks is not None:
        callbacks.script_unloaded_callback()
    own = [ROOT, *_side().folders.values()]
    for name, module in list(sys.modules.items()):
        if (name.split(".")[0] in OURS and _is_ours(name, module)) or _lies_in(module, own):
            del sys.modules[name]
    with suppress(ValueError):
        sys.path.remove(str(ROOT))
    unblock()
    DRIFT.take()
    importlib.invalidate_caches()


def _side() -> Any:
    return importlib.import_module("modules.gesso").side


def _begin(told: Mapping[str, Any]) -> None:
    """Make A1111's modules importable, and tell them where they are."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    importlib.invalidate_caches()
    _side().told = dict(told)
    _make_places()
    block()
    DRIFT.give()
    scripts = importlib.import_module("modules.paths_internal")
    _add_package("scripts", [str(ROOT / "scripts")])
    _add_package("extensions", [scripts.extensions_dir])
    importlib.import_module("modules.scripts")
    importlib.import_module("modules.modelloader").load_upscalers()
    _register_axes()


def _register_axes() -> None:
    """A1111's plot is among its scripts: extensions look for it there, to add axes."""
    scripts, axes = (
        importlib.import_module(name) for name in ("modules.scripts", "scripts.xyz_grid")
    )
    data = scripts.ScriptClassData(axes.Script, str(axes.__file__), str(ROOT), axes)
    scripts.register_class(data)


def _make_places() -> None:
    """The folder that stands for A1111's own, with a font in it: Pillow's has no file."""
    script = Path(_side().told.get("folders", {}).get("script", "."))
    script.mkdir(parents=True, exist_ok=True)
    font = script / "font.ttf"
    built_in = ImageFont.load_default(FONT_SIZE)
    if not font.exists() and isinstance(built_in, ImageFont.FreeTypeFont):
        font.write_bytes(built_in.font_bytes)


def _tell_of_start() -> None:
    """Make the scripts, as some register their callbacks then, and let them add their options."""
    calls: list[Any] = []
    _side().heard.append(calls.append)
    scripts = importlib.import_module("modules.scripts")
    with adapting():
        scripts.scripts_txt2img.initialize_scripts(False)
        scripts.scripts_img2img.initialize_scripts(True)
        importlib.import_module("modules.script_callbacks").ui_settings_callback()
    _side().heard.remove(calls.append)
    for call in calls:
        if call.error:
            _side().errors.setdefault(call.extension, call.error)


def _add_package(name: str, path: list[str]) -> None:
    package = ModuleType(name)
    package.__path__ = path
    package.__file__ = None  # as Python has it for packages without a file
    sys.modules[name] = package


def _stamp(folders: Mapping[str, Path], told: Mapping[str, Any]) -> Any:
    """Changes when the set, a file or a place does."""
    files = tuple(
        (id, str(folder), tuple((str(file), file.stat().st_mtime_ns) for file in _files(folder)))
        for id, folder in folders.items()
    )
    return files, tuple(sorted(dict(told.get("folders", {})).items()))


def _files(folder: Path) -> list[Path]:
    """The scripts of an extension: those of its folder, or the single file that it is."""
    if folder.is_file():
        return [folder]
    files = [path for path in (folder / "scripts").glob("*.py") if path.is_file()]
    return sorted(files, key=lambda path: path.name) or loose_scripts(folder)


def _ordered(folders: Mapping[str, Path]) -> list[str]:
    """As A1111 loads them: by name, but those that others need before them."""
    by_name = sorted(folders, key=lambda id: folders[id].name.lower())
    needs = {id: _needed(folders[id]) for id in by_name}
    names = {_canonical(folders[id]): id for id in by_name}
    ordered: list[str] = []

    def take(id: str, above: tuple[str, ...]) -> None:
        if id in ordered or id in above:
            return
        for name in needs[id]:
            if name in names:
                take(names[name], (*above, id))
        ordered.append(id)

    for id in by_name:
        take(id, ())
    return ordered


def _metadata(folder: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    with suppress(OSError, configparser.Error, UnicodeDecodeError):
        parser.read_string((folder / "metadata.ini").read_text("utf-8"))
    return parser


def _canonical(folder: Path) -> str:
    """The name by which others need an extension."""
    return _metadata(folder).get("Extension", "Name", fallback=folder.name).lower().strip()


def _needed(folder: Path) -> Sequence[str]:
    said = _metadata(folder).get("Extension", "Requires", fallback="")
    return [word for word in said.lower().replace(",", " ").split() if word]


def _preload(id: str, folder: Path) -> None:
    file = folder / "preload.py"
    if not file.is_file():
        return
    parser = importlib.import_module("modules.cmd_args").parser
    loading = importlib.import_module("modules.script_loading")
    with _guarded(id), _as_front(folder):
        module = loading.load_module(str(file))
        if hasattr(module, "preload"):
            module.preload(parser)


def _read_flags() -> None:
    """Values of the flags that extensions added: their defaults."""
    parser = importlib.import_module("modules.cmd_args").parser
    flags = importlib.import_module("modules.shared_cmd_options").cmd_opts
    for name, value in vars(parser.parse_known_args([])[0]).items():
        if not hasattr(flags, name):
            setattr(flags, name, value)


def _load_folder(id: str, folder: Path) -> None:
    side = _side()
    side.loading = id
    scripts: Any = importlib.import_module("modules.scripts")
    _make_way(folder)
    scripts.current_basedir = str(folder) if folder.is_dir() else scripts.paths.script_path
    try:
        for file in _files(folder):
            with _guarded(id), _as_front(folder), adapting():
                _load_file(file, scripts.current_basedir)
    finally:
        scripts.current_basedir = scripts.paths.script_path
        side.loading = ""


def _load_file(file: Path, basedir: str) -> None:
    loading = importlib.import_module("modules.script_loading")
    known = sys.modules.get(f"scripts.{file.stem}")
    is_known = known is not None and getattr(known, "__file__", None) == str(file)
    module = known if is_known else loading.load_module(str(file))
    _register(module, file, basedir)


def _register(module: Any, file: Path, basedir: str) -> None:
    scripts = importlib.import_module("modules.scripts")
    postprocessing = sys.modules.get("modules.scripts_postprocessing")
    for value in dict.fromkeys(each for each in vars(module).values() if isinstance(each, type)):
        if value.__module__.startswith("modules."):
            continue
        data = scripts.ScriptClassData(value, str(file), basedir, module)
        if issubclass(value, scripts.Script):
            scripts.register_class(data)
        elif postprocessing and issubclass(value, postprocessing.ScriptPostprocessing):
            scripts.register_class(data, is_postprocessing=True)


def _make_way(folder: Path) -> None:
    """Let an extension's own modules come before those that others have under the same names."""
    package = sys.modules["scripts"]
    if folder.is_dir():
        package.__path__.insert(0, str(folder / "scripts"))
    roots = [path for path in _side().folders.values() if path != folder]
    own = {path.stem for path in (folder / "scripts").glob("*")} if folder.is_dir() else set()
    top = {path.stem for path in folder.glob("*")} if folder.is_dir() else set()
    for name, module in list(sys.modules.items()):
        first, _, rest = name.partition(".")
        is_other = _lies_in(module, roots)
        if first == "scripts" and rest.split(".")[0] in own and is_other:
            del sys.modules[name]
            if hasattr(package, rest):
                delattr(package, rest)
        elif first in top - set(OURS) and is_other:
            del sys.modules[name]


@contextmanager
def _guarded(id: str) -> Iterator[None]:
    try:
        yield
    except (Exception, SystemExit) as error:  # noqa: BLE001 - booked with its traceback
        text = "".join(traceback.format_exception(error))
        _side().errors.setdefault(id, text)
        log.warning("The extension %s can't be loaded whole:\n%s", id, text)


@contextmanager
def _as_front(folder: Path) -> Iterator[None]:
    """The extension's folder comes first in the path of imports. What it adds itself stays."""
    root = str(folder if folder.is_dir() else folder.parent)
    sys.path.insert(0, root)
    try:
        yield
    finally:
        with suppress(ValueError):
            sys.path.remove(root)


def _is_ours(name: str, module: Any) -> bool:
    """Whether a module of one of OURS was brought by the layer or by an extension."""
    file = getattr(module, "__file__", None)
    if file is None:
        return name.split(".")[0] in ("scripts", "extensions") or not hasattr(module, "__path__")
    return _lies_in(module, [ROOT, *_side().folders.values()])


def _lies_in(module: Any, folders: Sequence[Path]) -> bool:
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return False
    return any(file.startswith(str(folder) + os.sep) or file == str(folder) for folder in folders)
