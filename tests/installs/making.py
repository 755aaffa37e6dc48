"""Extensions, zips and wheels, made for tests; and installing without a studio around it."""

from __future__ import annotations

import io
import os
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from webui.extend.packages import VARIABLE
from webui.installs.doctor import Doctor, NoDoctor, Outcome, Verdict
from webui.installs.fetching import FORGES, Fetching
from webui.installs.git import Git
from webui.installs.installs import Confirmed, Installs
from webui.installs.known_bad import KnownBad
from webui.installs.line import Line
from webui.installs.lockfile import Entry
from webui.installs.packages.host import Host, HostPackage
from webui.installs.packages.uv import Uv
from webui.installs.places import Places
from webui.installs.surroundings import Surroundings
from webui.installs.task import Choices, Task
from webui.net.fetch import Fetcher
from webui.net.guard import Guard

Files = Mapping[str, str | bytes]
MANIFEST = 'id = "film-dust"\nname = "Film dust"\nversion = "1.0"\nlicense = "MIT"\n'
CODE = "from webui.extend import hook\n\n@hook\ndef image_post(item):\n    return item.image\n"


@contextmanager
def as_it_was() -> Iterator[None]:
    """This process finds packages where it found them before."""
    path, told = list(sys.path), os.environ.get(VARIABLE)
    yield
    sys.path[:] = path
    os.environ.pop(VARIABLE, None)
    if told is not None:
        os.environ[VARIABLE] = told


def extension(more: Files | None = None, manifest: str = MANIFEST) -> dict[str, str | bytes]:
    """The files of a small extension of ours."""
    return {"extension.toml": manifest, "__init__.py": CODE, **(more or {})}


def zipped(files: Files, around: str = "") -> bytes:
    """A zip of files, below a folder if one is named."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in files.items():
            packed.writestr(around + name, text)
    return buffer.getvalue()


def written(folder: Path, files: Files) -> Path:
    """Files in a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def wheel(
    folder: Path,
    name: str,
    version: str,
    requires: Sequence[str] = (),
    files: Files | None = None,
) -> Path:
    """A wheel of pure Python. Extras are those that its requirements name."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    extras = sorted(
        {text.split('extra == "')[1].rstrip('"') for text in requires if "extra" in text}
    )
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    lines += [f"Requires-Dist: {text}" for text in requires]
    held = {f"{module}/__init__.py": f"VERSION = {version!r}\n", **(files or {})}
    held[f"{info}/METADATA"] = "\n".join(lines) + "\n"
    held[f"{info}/WHEEL"] = (
        "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    held[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*held, f"{info}/RECORD"])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as packed:
        for file, text in held.items():
            packed.writestr(file, text)
    return path


@dataclass
class Shelf:
    """Stands in for whoever loads extensions: what is in the folder, and what is on."""

    folder: Path
    on: set[str] = field(default_factory=set)
    scans: int = 0

    def scan(self) -> None:
        self.scans += 1

    def enable(self, id: str) -> str:
        self.on.add(id)
        return ""

    def disable(self, id: str) -> None:
        self.on.discard(id)

    def reload(self, id: str) -> str:
        return ""

    def enabled(self) -> frozenset[str]:
        return frozenset(self.on)

    def is_taken(self, id: str) -> bool:
        return False

    def data(self, id: str) -> Path:
        return self.folder / "data" / "extensions" / id


class Content:
    """A doctor that is content with everything, and says what it was given."""

    def examine(self, folder: Path, packages: Path | None, line: Line) -> Verdict:
        names = sorted(path.name for path in packages.iterdir()) if packages else []
        return Verdict(outcome=Outcome.WORKS, summary=f"{folder.name} works.", notes=tuple(names))


@dataclass(frozen=True, kw_only=True)
class House:
    """Installing below a folder."""

    root: Path
    installs: Installs
    shelf: Shelf

    @property
    def extensions(self) -> Path:
        return self.root / "extensions"

    @property
    def quarantine(self) -> Path:
        return self.root / "data" / "installs" / "quarantine"

    def upload(self, data: bytes, name: str = "film-dust.zip") -> Task:
        """Send a file; the task when it waits or is over."""
        return self.installs.wait(self.installs.begin_upload(name, data).id)

    def examine(self, task: Task, **choices: object) -> Task:
        return self.installs.wait(self.installs.examine(task.id, Choices(**choices)).id)  # type: ignore[arg-type]

    def confirm(self, task: Task) -> Task:
        assert task.review is not None, task.note
        yes = Confirmed(fingerprint=task.review.fingerprint)
        return self.installs.wait(self.installs.confirm(task.id, yes).id)

    def installed(self, task: Task, **choices: object) -> Entry:
        """Go all the way with a task that was fetched."""
        done = self.confirm(self.examine(task, **choices))
        assert done.state.value == "done", done.note
        return self.installs.lock.get(done.extension)


HOST = {"numpy": "2.4.6", "transformers": "5.23.0", "pillow": "12.3.0", "torch": "2.13.0+cpu"}


def make_house(
    root: Path,
    *,
    hosts: Sequence[str] = (),
    links: Path | None = None,
    doctor: Doctor | None = None,
    known_bad: KnownBad | None = None,
    forges: Sequence[tuple[str, str]] = FORGES,
    index_address: str = "",
) -> House:
    """Installing below `root`, started; packages come from the folder `links` alone."""
    places = Places(
        extensions=root / "extensions",
        notes=root / "data" / "extensions",
        work=root / "data" / "installs",
    )
    guard = Guard(hosts, setting="install_hosts")
    fetcher = Fetcher(guard=guard, token_for=lambda origin: "")
    packages = {name: HostPackage(name=name, version=version) for name, version in HOST.items()}
    source = ("--no-index", "--find-links", str(links or root / "no-links"))
    shelf = Shelf(root)
    installs = Installs(
        Surroundings(
            places=places,
            fetching=Fetching(fetcher=fetcher, git=Git(guard=guard), forges=forges),
            switches=shelf,
            host=lambda: Host(packages=packages),
            uv=lambda: Uv(cache=root / "uv-cache", options=source),
            known_bad=known_bad or KnownBad(),
            doctor=doctor or NoDoctor(),
            index_address=index_address,
        )
    )
    (root / "no-links").mkdir(parents=True, exist_ok=True)
    installs.start()
    return House(root=root, installs=installs, shelf=shelf)
