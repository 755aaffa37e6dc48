"""Styles, as scripts see the studio's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from webui.compat.missing import unprovided
from webui.prompting.styles import Style, StyleBook, Styled, apply


class PromptStyle(NamedTuple):
    """One style."""

    name: str
    prompt: str | None
    negative_prompt: str | None
    path: str | None = None


def merge_prompts(style_prompt: str, prompt: str) -> str:
    """A prompt with a style around or behind it."""
    style = Style(name="", prompt=style_prompt)
    return apply(Styled(prompt=prompt, negative_prompt=""), [style]).prompt


def apply_styles_to_prompt(prompt: str, styles: list[str]) -> str:
    """A prompt with several styles."""
    for style in styles:
        prompt = merge_prompts(style, prompt)
    return prompt


class StyleDatabase:
    """The styles of a file; it is read again whenever it changed."""

    def __init__(self, *paths: Any) -> None:
        self.path = str(paths[0])
        self._book = StyleBook(Path(self.path), *(Path(str(path)) for path in paths[1:]))
        self.no_style = PromptStyle("None", "", "", None)

    @property
    def styles(self) -> dict[str, PromptStyle]:
        """All by name."""
        return {
            style.name: PromptStyle(style.name, style.prompt, style.negative_prompt, self.path)
            for style in self._book.styles()
        }

    def reload(self) -> None:
        """Changes are seen without it."""

    def get_style_prompts(self, styles: Any) -> list[str]:
        """The prompts of these styles."""
        return [self.styles.get(name, self.no_style).prompt or "" for name in styles or ()]

    def get_negative_style_prompts(self, styles: Any) -> list[str]:
        """Their negative prompts."""
        return [self.styles.get(name, self.no_style).negative_prompt or "" for name in styles or ()]

    def apply_styles_to_prompt(self, prompt: str, styles: Any) -> str:
        """A prompt with them."""
        return apply_styles_to_prompt(prompt, self.get_style_prompts(styles))

    def apply_negative_styles_to_prompt(self, prompt: str, styles: Any) -> str:
        """A negative prompt with them."""
        return apply_styles_to_prompt(prompt, self.get_negative_style_prompts(styles))

    def save_styles(self, path: str | None = None) -> None:
        """They are saved through the studio."""

    def extract_styles_from_prompt(self, prompt: str, negative_prompt: str) -> Any:
        """The styles that are in two prompts, and the prompts without them."""
        found = self._book.extract(prompt, negative_prompt)
        return list(found.styles), found.prompt, found.negative_prompt

    def __contains__(self, name: object) -> bool:
        return name in self.styles

    def __fspath__(self) -> str:
        return os.fspath(self.path)


__getattr__ = unprovided(__name__)
