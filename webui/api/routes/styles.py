"""Styles: named pieces of prompts. Look at them, save one, remove one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request

from webui.api.context import RawBody, the_studio
from webui.api.known_fields import refuse_unknown_fields
from webui.core.request import Name, Prompt
from webui.gate.access import Access, needs
from webui.prompting.styles import Style

ROUTER = APIRouter(prefix="/api/v1/styles", tags=["styles"])


@dataclass(frozen=True, kw_only=True)
class StyleView:
    """One style."""

    name: Name
    prompt: Prompt = ""
    negative_prompt: Prompt = ""


@ROUTER.get("")
@needs(Access.PERSON)
def list_styles(request: Request) -> list[StyleView]:
    """All styles, in the order of their file."""
    return [
        StyleView(name=style.name, prompt=style.prompt, negative_prompt=style.negative_prompt)
        for style in the_studio(request).styles.styles()
    ]


@ROUTER.post("")
@needs(Access.OWNER)
def save_style(request: Request, style: StyleView, body: RawBody) -> list[StyleView]:
    """Add a style, or change the one of the same name; all styles then."""
    refuse_unknown_fields(StyleView, body)
    kept = Style(name=style.name, prompt=style.prompt, negative_prompt=style.negative_prompt)
    the_studio(request).styles.save(kept)
    return list_styles(request)


@ROUTER.delete("")
@needs(Access.OWNER)
def delete_style(request: Request, name: Annotated[str, Query()]) -> list[StyleView]:
    """Remove a style; all that are left."""
    the_studio(request).styles.delete(name)
    return list_styles(request)
