"""All settings in one frozen dataclass: defaults < file < environment < command line.

To add one, add a field: the Settings tab, its flag, its environment variable (GESSO_ and the
name) and the docs check follow. Fields marked `startup` are read once when the server starts and
can't be changed from the page; the others are kept in `data/settings.json`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

from annotated_types import Ge, Le

from webui.core.codec import NO_LABELS, decode, encode
from webui.core.errors import InvalidRequest
from webui.core.files import write_atomic

log = logging.getLogger(__name__)

ENVIRONMENT_PREFIX: Final = "GESSO_"
BACKUPS: Final = 3


def _setting(
    default: object,
    help: str,
    *,
    group: str = "start-up",
    label: str = "",
    choices: tuple[str, ...] = (),
) -> Any:
    """A settings field. Group "start-up" is for flags only; any other is a part of the page."""
    info = {"help": help, "group": group, "label": label, "choices": choices}
    return field(default=default, metadata=info)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting, with its default, range and help."""

    data_dir: str = _setting(
        "",
        "Folder for models, outputs, extensions and the studio's own data. "
        "Default: the program's folder.",
    )
    models_dir: str = _setting("", "Folder of model files. Default: models in the data folder.")
    outputs_dir: str = _setting("", "Folder for pictures. Default: outputs in the data folder.")
    port: Annotated[int, Ge(0), Le(65535)] = _setting(
        7860, "Port of the page on this machine; 0 takes any that is free."
    )
    lan: bool = _setting(
        False,
        "Let others in your network use this studio, each with an account of their own. "
        "Without it only this machine can.",
    )
    sign_in: bool = _setting(
        False, "Ask for an account on this machine, too; with --lan that is always so."
    )
    listen: str = _setting(
        "",
        "With --lan: listen on these addresses of this machine only, with commas between. "
        "Default: all.",
    )
    allowed_hosts: str = _setting(
        "",
        "With --lan: more names that people type to reach this studio, with commas between: that "
        "of a reverse proxy, or of the machine that a container runs on.",
    )
    trusted_proxies: str = _setting(
        "",
        "With --lan: addresses or networks of reverse proxies, with commas between. What others "
        "say about where a request came from is not believed.",
    )
    tls: str = _setting(
        "off",
        "With --lan: self makes a certificate and keeps it, so that nobody in the network can "
        "read along; browsers warn once.",
        choices=("off", "self"),
    )
    tls_cert: str = _setting("", "With --lan: file of a certificate of your own (PEM).")
    tls_key: str = _setting("", "With --lan: file of its key (PEM).")
    autolaunch: bool = _setting(True, "Open the page in a browser when the server has started.")
    theme: str = _setting("system", "Colours of the page.", choices=("system", "light", "dark"))
    engine: str = _setting(
        "auto",
        "What makes the pictures; fake draws test patterns without a model.",
        choices=("auto", "fake"),
    )
    fake_step_s: Annotated[float, Ge(0.0), Le(60.0)] = _setting(
        0.05, "Seconds that a step of the fake engine takes."
    )
    use_cpu: bool = _setting(False, "Make pictures on the processor even if there is a GPU.")
    device_id: str = _setting("", "Which GPU to use, by number. Default: the first.")
    threads: Annotated[int, Ge(0), Le(256)] = _setting(
        0, "Processor threads for making pictures; 0 takes the cores that it may use."
    )
    compile_models: bool = _setting(
        False,
        "On a GPU, compile parts of a network in the background, for sizes that come often. "
        "Pictures come sooner then and differ in fine detail.",
    )
    fp8_matmul: bool = _setting(
        False,
        "On an NVIDIA GPU since Ada (RTX 40, H100), multiply a network's large matrices in 8 bits: "
        "a little sooner (SDXL by 7 %) and in less memory, at some cost to the picture.",
    )
    hugging_face: str = _setting(
        "https://huggingface.co",
        "Where models named owner/name are downloaded from when somebody asks for one.",
    )
    civitai: str = _setting(
        "https://civitai.com", "Where models with a number are downloaded from when asked for."
    )
    download_hosts: str = _setting(
        "",
        "Hosts in the own network that models may be downloaded from, as host:port with commas "
        "between; plain http is allowed there. All others must be public and use https.",
    )
    webhook_hosts: str = _setting(
        "",
        "Hosts in the own network that webhooks may call, as host:port with commas between; plain "
        "http is allowed there. All others must be public and use https.",
    )

    lan_installs: bool = _setting(
        False,
        "With --lan: let owners install extensions from other machines, too. Without it that is "
        "done on this machine alone.",
    )
    install_hosts: str = _setting(
        "",
        "Hosts in the own network that extensions may be fetched from, as host:port with commas "
        "between; plain http is allowed there. All others must be public and use https.",
    )
    extension_index: str = _setting(
        "https://raw.githubusercontent.com/AUTOMATIC1111/stable-diffusion-webui-extensions/master/"
        "index.json",
        "Where the list of extensions for AUTOMATIC1111 is fetched from when somebody asks for it.",
    )
    safe_mode: bool = _setting(
        False, "Start with all extensions off, to repair what one of them broke."
    )
    ext_only: str = _setting(
        "", "Start with these extensions only: their ids, with commas between."
    )
    ext_input: str = _setting(
        "",
        "First values of what extensions declare: extension.input=value, with semicolons between.",
    )
    ext_off: str = _setting("", "Start without these extensions: their ids, with commas between.")
    a1111_dir: str = _setting(
        "",
        "The folder of an AUTOMATIC1111 web UI on this machine: options of its extensions and "
        "first values of their controls are read from its config.json and ui-config.json.",
    )

    checkpoint: str = _setting(
        "",
        "Used when a request names none. Empty takes the newest real checkpoint, "
        "or the starter model when there is no other.",
        group="Models",
        label="Checkpoint",
    )
    extra_model_folders: str = _setting(
        "",
        "Folders of models of A1111, Forge, ComfyUI or any others, with semicolons between them. "
        "They are looked through beside the studio's own; name=folder gives one a name.",
        group="Models",
        label="More folders of models",
    )
    exact_batches: bool = _setting(
        False,
        "On a GPU, each picture of a batch alone: slower, and to the last bit what it would be "
        "without the others. Always so on a processor.",
        group="Models",
        label="Exact batches",
    )
    downloads_at_once: Annotated[int, Ge(1), Le(4)] = _setting(
        1, "Models that are downloaded at the same time.", group="Models", label="Downloads at once"
    )
    download_most_gb: Annotated[int, Ge(1), Le(10_000)] = _setting(
        100, "No download may be larger than this.", group="Models", label="Largest download (GB)"
    )
    picture_format: str = _setting(
        "png",
        "PNG keeps every pixel; JPEG and WebP are smaller.",
        group="Saving",
        label="Picture format",
        choices=("png", "jpeg", "webp"),
    )
    picture_quality: Annotated[int, Ge(1), Le(100)] = _setting(
        92, "Quality of JPEG and WebP files.", group="Saving", label="JPEG and WebP quality"
    )
    filename_pattern: str = _setting(
        "[number]-[seed]",
        "Name of a picture without its suffix. Folders are allowed. "
        "The patterns are listed in the guide for artists.",
        group="Saving",
        label="File name pattern",
    )
    folder_pattern: str = _setting(
        "[date]",
        "Folder of a picture below the folder of its tab.",
        group="Saving",
        label="Folder pattern",
    )
    keep_free_mb: Annotated[int, Ge(0), Le(1_000_000)] = _setting(
        512,
        "The queue waits when the disk has less free space than this (MB).",
        group="Saving",
        label="Keep free on the disk (MB)",
    )
    show_previews: bool = _setting(
        True, "Show the picture while it is being made.", group="Page", label="Live preview"
    )
    preview_interval_s: Annotated[float, Ge(0.1), Le(10.0)] = _setting(
        0.5, "Seconds between two previews.", group="Page", label="Seconds between previews"
    )

    @property
    def root(self) -> Path:
        """The folder that everything of this installation is below, unless moved by a flag."""
        default = Path(__file__).resolve().parent.parent
        return Path(self.data_dir).expanduser().resolve() if self.data_dir else default

    @property
    def data(self) -> Path:
        """The studio's own data: databases, uploads, thumbnails, settings."""
        return self.root / "data"

    @property
    def extensions(self) -> Path:
        """Where extensions are put. Those of the program itself lie beside its code."""
        return self.root / "extensions"

    @property
    def models(self) -> Path:
        """Where model files are looked for."""
        return (
            Path(self.models_dir).expanduser().resolve()
            if self.models_dir
            else (self.root / "models")
        )

    @property
    def outputs(self) -> Path:
        """Where pictures are saved."""
        return (
            Path(self.outputs_dir).expanduser().resolve()
            if self.outputs_dir
            else (self.root / "outputs")
        )


def is_startup(setting: dataclasses.Field[Any]) -> bool:
    """Whether a field is read only when the server starts."""
    return bool(setting.metadata["group"] == "start-up")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """One flag for each setting: --keep-free-mb; switches also have --no-NAME."""
    for setting in dataclasses.fields(Settings):
        flag, info = "--" + setting.name.replace("_", "-"), setting.metadata
        help = info["help"].replace("%", "%%")  # to argparse a single one begins a placeholder
        if isinstance(setting.default, bool):
            parser.add_argument(
                flag, action=argparse.BooleanOptionalAction, default=None, help=help
            )
        else:
            parser.add_argument(
                flag,
                choices=info["choices"] or None,
                default=None,
                help=help,
                metavar=None if info["choices"] else "VALUE",
            )


def from_flags(arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, object]:
    """The values that the command line or the environment set, the command line first."""
    parser = argparse.ArgumentParser(prog="launch.py", description="Gesso, a picture studio.")
    add_flags(parser)
    given: dict[str, object] = {}
    for setting in dataclasses.fields(Settings):
        if (value := environment.get(ENVIRONMENT_PREFIX + setting.name.upper())) is not None:
            given[setting.name] = value
    flags = vars(parser.parse_args(arguments))
    return given | {name: value for name, value in flags.items() if value is not None}


class SettingsStore:
    """The settings in force, and the file that keeps what the page changed.

    Safe to use from any thread. A damaged file is set aside and the newest good backup is used.
    """

    def __init__(self, fixed: Mapping[str, object]) -> None:
        """`fixed` holds what flags and environment set; the page can't change those."""
        self.fixed: Final = dict(fixed)
        self._lock = threading.Lock()
        self._watchers: list[Callable[[Settings], None]] = []
        self.path: Final = _build(self.fixed).data / "settings.json"
        self._saved = self._read()
        self._current = _build(self._saved | self.fixed)

    @property
    def current(self) -> Settings:
        """The settings in force now."""
        return self._current

    def update(self, changes: Mapping[str, object]) -> Settings:
        """Change settings and keep them. Raises InvalidRequest; then nothing is changed."""
        names = {s.name for s in dataclasses.fields(Settings) if not is_startup(s)}
        for name in changes:
            if name not in names:
                raise InvalidRequest(name, f"“{name}” can't be changed from the page.")
            if name in self.fixed:
                raise InvalidRequest(
                    name, f"“{name}” was set when the server was started. Change it there."
                )
        with self._lock:
            saved = self._saved | dict(changes)
            labels = {each.name: each.metadata["label"] for each in dataclasses.fields(Settings)}
            current = _build(saved | self.fixed, labels)
            self._write(saved)
            self._saved, self._current = saved, current
        for watcher in self._watchers:
            watcher(current)
        return current

    def on_change(self, watcher: Callable[[Settings], None]) -> None:
        """Call `watcher` with the new settings after each change."""
        self._watchers.append(watcher)

    def _write(self, saved: Mapping[str, object]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(saved, indent=2, ensure_ascii=False).encode()
        if self.path.exists():
            for age in range(BACKUPS - 1, 0, -1):
                older = self.path.with_suffix(f".backup{age}.json")
                if older.exists():
                    os.replace(older, self.path.with_suffix(f".backup{age + 1}.json"))
            write_atomic(self.path.with_suffix(".backup1.json"), self.path.read_bytes())
        write_atomic(self.path, text)

    def _read(self) -> dict[str, object]:
        if not self.path.exists():
            return {}
        backups = [self.path.with_suffix(f".backup{age}.json") for age in range(1, BACKUPS + 1)]
        for path in (self.path, *backups):
            try:
                saved = json.loads(path.read_text("utf-8"))
                _build(saved | self.fixed)
            except (OSError, ValueError, TypeError, InvalidRequest) as error:
                log.warning("Settings file %s can't be used (%s).", path, error)
                _set_aside(path)
            else:
                return dict(saved)
        return {}


def _build(values: Mapping[str, object], labels: Mapping[str, str] = NO_LABELS) -> Settings:
    settings = decode(Settings, values, labels)
    for setting in dataclasses.fields(Settings):
        choices, value = setting.metadata["choices"], getattr(settings, setting.name)
        if choices and value not in choices:
            raise InvalidRequest(
                setting.name,
                f"“{value}” is not a choice for {setting.name.replace('_', ' ')}. "
                f"Choose one of: {', '.join(choices)}.",
            )
    return settings


def _set_aside(path: Path) -> None:
    """Keep a damaged file for whoever wants to look, out of the way."""
    if path.exists():
        os.replace(path, path.with_suffix(f".damaged-{int(time.time())}.json"))


def describe(settings: Settings) -> dict[str, Any]:
    """All values as plain data, for the doctor's report."""
    return encode(settings)
