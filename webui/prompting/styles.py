"""Styles: named pieces of prompts, kept in A1111's CSV files.

A style with {prompt} in it goes around the prompt; any other goes behind it, after ", ".
"""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from webui.core.errors import InvalidRequest, NotFound
from webui.core.files import write_atomic

PLACEHOLDER: Final = "{prompt}"
COLUMNS: Final = ("name", "prompt", "negative_prompt")
DIVIDER: Final = "-----"
"""A1111 writes a line of these between the styles of two files."""

_Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, kw_only=True)
class Style:
    """One style. `more` are columns of the file that mean nothing here, kept as they are."""

    name: str
    prompt: str = ""
    negative_prompt: str = ""
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether it would change nothing."""
        return not self.prompt.strip() and not self.negative_prompt.strip()


@dataclass(frozen=True, kw_only=True)
class Styled:
    """Two prompts and the styles that were, or are to be, put around them."""

    prompt: str
    negative_prompt: str
    styles: tuple[str, ...] = ()


class StyleBook:
    """The styles in one or several CSV files. Usable from any thread; sees changes of the files.

    A style that two files have is the first file's; new ones go into the first file too.
    """

    def __init__(self, path: Path, *more: Path) -> None:
        self._paths: Final = (path, *more)
        self._lock: Final = threading.RLock()
        self._stamp: _Stamp | None = None
        self._files: dict[Path, list[Style]] = {}

    def styles(self) -> tuple[Style, ...]:
        """All styles in the order of the files, no name twice."""
        with self._lock:
            self._read()
            first: dict[str, Style] = {}
            for style in (style for file in self._files.values() for style in file):
                first.setdefault(style.name, style)
            return tuple(first.values())

    def get(self, name: str) -> Style:
        """The style of this name. Raises NotFound."""
        for style in self.styles():
            if style.name == name:
                return style
        raise NotFound("style", name)

    def apply(self, styled: Styled) -> Styled:
        """The prompts with the styles in them, applied in their order; no styles are left.

        Raises InvalidRequest for a name that no style has.
        """
        known = {style.name: style for style in self.styles()}
        for name in styled.styles:
            if name not in known:
                raise InvalidRequest(
                    "styles", f"There is no style “{name}”. Choose one that is in the list."
                )
        return apply(styled, [known[name] for name in styled.styles])

    def extract(self, prompt: str, negative_prompt: str) -> Styled:
        """The styles that are in two prompts, and what is left without them."""
        return extract(prompt, negative_prompt, self.styles())

    def save(self, style: Style) -> None:
        """Add a style, or change the one of the same name. Raises InvalidRequest."""
        if not style.name.strip() or style.name.startswith(DIVIDER):
            raise InvalidRequest("name", f"“{style.name}” is no name for a style. Choose another.")
        with self._lock:
            self._read()
            path = next(
                (p for p in self._paths if _index(self._files[p], style.name) is not None),
                self._paths[0],
            )
            styles = list(self._files[path])
            index = _index(styles, style.name)
            if index is None:
                styles.append(style)
            else:
                styles[index] = replace(style, more={**styles[index].more, **style.more})
            self._write(path, styles)

    def delete(self, name: str) -> None:
        """Remove a style from all files. Raises NotFound."""
        with self._lock:
            self.get(name)
            for path, styles in list(self._files.items()):
                kept = [style for style in styles if style.name != name]
                if len(kept) < len(styles):
                    self._write(path, kept)

    def _read(self) -> None:
        stamp = tuple(_stamp(path) for path in self._paths)
        if stamp != self._stamp:
            self._files = {path: read_styles(path) for path in self._paths}
            self._stamp = stamp

    def _write(self, path: Path, styles: Sequence[Style]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, write_styles(styles))
        self._stamp = None


def apply(styled: Styled, styles: Iterable[Style]) -> Styled:
    """The prompts with these styles in them."""
    prompt, negative = styled.prompt, styled.negative_prompt
    for style in styles:
        prompt = _around(prompt, style.prompt)
        negative = _around(negative, style.negative_prompt)
    return Styled(prompt=prompt, negative_prompt=negative)


def extract(prompt: str, negative_prompt: str, styles: Sequence[Style]) -> Styled:
    """The styles that are in two prompts, the longest first, and what is left without them.

    Applying them again gives the same two prompts.
    """
    left = Styled(prompt=prompt, negative_prompt=negative_prompt)
    names: list[str] = []
    candidates = sorted(
        (style for style in styles if not style.is_empty),
        key=lambda style: -len(style.prompt + style.negative_prompt),
    )
    while found := next(((s, rest) for s in candidates if (rest := _without(left, s))), None):
        style, left = found
        candidates.remove(style)
        names.insert(0, style.name)
    return replace(left, styles=tuple(names))


def read_styles(path: Path) -> list[Style]:
    """The styles of one file; none when it is not there. Old files say "text" for "prompt".

    Raises InvalidRequest when it is no table.
    """
    try:
        text = path.read_text("utf-8-sig", errors="replace")
    except FileNotFoundError:
        return []
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), restkey="", restval=""))
    except csv.Error as error:
        raise InvalidRequest(
            "styles", f"{path.name} can't be read as a table ({error}). Repair or remove it."
        ) from error
    return [
        Style(
            name=row["name"],
            prompt=row.get("prompt") or row.get("text") or "",
            negative_prompt=row.get("negative_prompt") or "",
            more={key: value for key, value in row.items() if key and key not in COLUMNS},
        )
        for row in rows
        if row.get("name") and not row["name"].startswith(DIVIDER)
    ]


def write_styles(styles: Sequence[Style]) -> bytes:
    """The content of a file with these styles, as A1111 writes it."""
    more = dict.fromkeys(key for style in styles for key in style.more)
    buffer = io.StringIO(newline="")
    table = csv.DictWriter(buffer, [*COLUMNS, *more], restval="")
    table.writeheader()
    for style in styles:
        own = {"prompt": style.prompt, "negative_prompt": style.negative_prompt}
        table.writerow({"name": style.name, **own, **style.more})
    return buffer.getvalue().encode("utf-8-sig")


def _around(prompt: str, style: str) -> str:
    if PLACEHOLDER in style:
        return style.replace(PLACEHOLDER, prompt)
    return ", ".join(part for part in (prompt.strip(), style.strip()) if part)


def _without(given: Styled, style: Style) -> Styled | None:
    """What a style was put around; None if it wasn't."""
    prompt = _inside(given.prompt, style.prompt)
    negative = _inside(given.negative_prompt, style.negative_prompt)
    if prompt is None or negative is None:
        return None
    return Styled(prompt=prompt, negative_prompt=negative)


def _inside(text: str, style: str) -> str | None:
    """The prompt that `style` made `text` of; None if it did not."""
    if PLACEHOLDER in style:
        before, _, after = style.partition(PLACEHOLDER)
        inner = text[len(before) : len(text) - len(after)]
    elif not style.strip():
        inner = text
    else:
        inner = text.removesuffix(style.strip()).removesuffix(", ")
    return inner if _around(inner, style) == text else None


def _index(styles: Sequence[Style], name: str) -> int | None:
    return next((i for i, style in enumerate(styles) if style.name == name), None)


def _stamp(path: Path) -> tuple[str, int, int]:
    """Changes when a file does."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return str(path), 0, 0
    return str(path), stat.st_mtime_ns, stat.st_size
