"""The docs name everything a person can set or call, and point at files that exist."""

from __future__ import annotations

import dataclasses
import re
import typing
from pathlib import Path
from typing import get_args

import pytest

from webui.api.build import build_api
from webui.core.request import GenerationRequest
from webui.settings import Settings
from webui.studio import Studio

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("models/**/*.md")])


def headings(page: Path) -> set[str]:
    return set(re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE))


def test_every_setting_has_a_heading_and_no_other_has() -> None:
    documented = {h for h in headings(ROOT / "docs" / "settings.md") if h.islower()}
    assert documented == {setting.name for setting in dataclasses.fields(Settings)}


def test_every_route_has_a_heading_and_no_other_has(studio: Studio) -> None:
    paths = build_api(studio, None).openapi()["paths"]
    routes = {f"{verb.upper()} {path}" for path, verbs in paths.items() for verb in verbs}
    documented = {h for h in headings(ROOT / "docs" / "api.md") if " /" in h}
    assert documented == routes


def fields(kind: type, prefix: str = "") -> set[str]:
    """All fields of a request by path."""
    found: set[str] = set()
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        parts = [p for p in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(p)]
        name = prefix + field.name
        found |= fields(typing.cast("type", parts[0]), f"{name}.") if parts else {name}
    return found


def test_every_request_field_has_a_heading() -> None:
    assert fields(GenerationRequest) - headings(ROOT / "docs" / "api.md") == set()


def section(page: Path, title: str) -> str:
    """The text below a heading, up to the next one of its level."""
    return page.read_text("utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_every_parameter_of_openai_is_explained() -> None:
    from webui.api.openai.asked import KNOWN

    text = section(ROOT / "docs" / "api.md", "OpenAI")
    assert [name for name in sorted(KNOWN) if f"`{name}`" not in text] == []


def test_every_tool_of_agents_is_named() -> None:
    from webui.api.mcp.tools import Tools

    text = section(ROOT / "docs" / "api.md", "Agents (MCP)")
    tools = [name for name in vars(Tools) if not name.startswith("_") and name != "picture_file"]
    assert [name for name in tools if f"`{name}`" not in text] == []


def test_every_event_is_named() -> None:
    from webui.core.events import JobEvent

    text = section(ROOT / "docs" / "api.md", "What happens")
    names = [re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower() for kind in get_args(JobEvent)]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_file_name_pattern_is_in_the_guide() -> None:
    from webui.gallery.naming import PATTERNS

    guide = (ROOT / "docs" / "artists.md").read_text("utf-8")
    assert [name for name in PATTERNS if f"[{name}" not in guide] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_point_at_files_that_exist(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
    local = [link for link in links if not link.startswith(("http:", "https:"))]
    assert [link for link in local if not (page.parent / link).exists()] == []
