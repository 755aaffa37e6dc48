"""A place to write extensions, and a studio that has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import pytest

from webui.engine.fake import FakeEngine
from webui.extend.extension import Extension
from webui.extend.extensions import Extensions, Places, Safety
from webui.settings import SettingsStore
from webui.studio import Studio

IMPORTS = """\
from dataclasses import replace
from webui.extend import *
from webui.extend import hook
"""


@dataclass
class Workshop:
    """A data folder with extensions in it, and what was opened on it."""

    root: Path
    opened: list[Extensions | Studio] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.root / "extensions"

    @property
    def data(self) -> Path:
        return self.root / "data" / "extensions"

    def write(self, id: str, code: str = "", manifest: str = "", **files: str) -> Path:
        """A native extension; `files` lie beside its module, by their names without .py."""
        folder = self.folder / id
        folder.mkdir(parents=True, exist_ok=True)
        name = id.replace("-", " ").capitalize()
        about = f'id = "{id}"\nname = "{name}"\n{dedent(manifest)}'
        (folder / "extension.toml").write_text(about, "utf-8")
        (folder / "__init__.py").write_text(IMPORTS + dedent(code), "utf-8")
        for stem, text in files.items():
            (folder / f"{stem}.py").write_text(dedent(text), "utf-8")
        return folder

    def script(self, name: str, code: str) -> Path:
        """A single file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        path.write_text(dedent(code), "utf-8")
        return path

    def open(self, safety: Safety | None = None, load_s: float = 30.0) -> Extensions:
        """The extensions alone, started."""
        places = Places(shipped=self.root / "shipped", folder=self.folder, data=self.data)
        extensions = Extensions(places, safety, load_s=load_s)
        self.opened.append(extensions)
        extensions.start()
        return extensions

    def enabled(self, *ids: str) -> Extensions:
        """The extensions alone, with these on."""
        extensions = self.open()
        for id in ids:
            on(extensions.enable(id))
        return extensions

    def studio(self, *ids: str, **more: object) -> Studio:
        """A running studio of test patterns with these on, and none of those that come with it.
        `more` are settings."""
        settings = SettingsStore(
            {
                "data_dir": str(self.root),
                "keep_free_mb": 0,
                "ext_off": "film-look,gradient-estimation,prompt-tools,sharper-guidance",
                **more,
            }
        )
        studio = Studio(settings, [FakeEngine("fake")])
        self.opened.append(studio)
        studio.start()
        for id in ids:
            on(studio.extensions.enable(id))
        return studio

    def close(self) -> None:
        """All that was opened, newest first."""
        while self.opened:
            self.opened.pop().close()


def on(extension: Extension) -> Extension:
    """The extension, which is on."""
    assert extension.is_on, (extension.state, extension.error, extension.traceback)
    return extension


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    """An empty one."""
    made = Workshop(tmp_path)
    yield made
    made.close()
