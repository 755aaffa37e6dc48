"""What stands in for old scripts: they ask for pictures of their own, see `webui.engine.asking`."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from webui.core.engine import Work
from webui.core.errors import InvalidRequest
from webui.core.events import Ask, ImageReady
from webui.core.request import GenerationRequest, InputId
from webui.engine.asking import Events, Paint, ask

MAKE: Final = "tests.engine.asking:make"
"""Names `make` to an engine."""
PNG: Final = b"what stands in for a PNG"


def make(work: Work, paint: Paint) -> Events:
    """The pictures asked for, and behind each that of a request for "inner" words; where that is
    refused, the picture says why."""
    plain = replace(work, legacy=None)
    for event in paint(plain):
        yield event
        if not isinstance(event, ImageReady):
            continue
        request = GenerationRequest(prompt="inner words")
        try:
            inner = yield from ask(Ask(request=request, pictures={InputId("f" * 64): PNG}))
        except InvalidRequest as refusal:
            yield replace(event, is_extra=True, facts={"refused": str(refusal)})
        else:
            yield from _extra(inner, paint)


def _extra(work: Work, paint: Paint) -> Events:
    for event in paint(work):
        yield replace(event, is_extra=True) if isinstance(event, ImageReady) else event


def make_one(work: Work, paint: Paint) -> Events:
    """The first picture alone, however many were asked for."""
    yield from paint(replace(work, legacy=None, recipes=work.recipes[:1]))


def make_other(work: Work, paint: Paint) -> Events:
    """The pictures with words of its own, which are told."""
    recipes = tuple(replace(recipe, prompt="other words") for recipe in work.recipes)
    for event in paint(replace(work, legacy=None, recipes=recipes)):
        is_picture = isinstance(event, ImageReady)
        yield replace(event, recipe=recipes[event.index]) if is_picture else event
