"""A1111's API: what there is to choose from."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from webui.api.context import the_studio
from webui.api.sdapi import lists
from webui.api.sdapi.lists import Row
from webui.api.sdapi.router import SdapiRouter
from webui.core.model import ModelKind
from webui.gate.access import Access, needs

ROUTER = SdapiRouter()


@ROUTER.get("/samplers")
@needs(Access.PERSON)
def list_samplers(request: Request) -> list[Row]:
    """Samplers."""
    return lists.samplers(the_studio(request))


@ROUTER.get("/schedulers")
@needs(Access.PERSON)
def list_schedulers(request: Request) -> list[Row]:
    """Schedules."""
    return lists.schedulers(the_studio(request))


@ROUTER.get("/upscalers")
@needs(Access.PERSON)
def list_upscalers(request: Request) -> list[Row]:
    """Upscalers."""
    return lists.upscalers(the_studio(request))


@ROUTER.get("/latent-upscale-modes")
@needs(Access.PERSON)
def list_latent_modes(request: Request) -> list[Row]:
    """Ways to enlarge latents."""
    return lists.latent_modes(the_studio(request))


@ROUTER.get("/sd-models")
@needs(Access.PERSON)
def list_checkpoints(request: Request) -> list[Row]:
    """Checkpoints."""
    return lists.checkpoints(the_studio(request))


@ROUTER.get("/sd-vae")
@needs(Access.PERSON)
def list_vaes(request: Request) -> list[Row]:
    """VAEs."""
    return lists.files(the_studio(request).catalog.models(ModelKind.VAE))


@ROUTER.get("/sd-modules")
@needs(Access.PERSON)
def list_modules(request: Request) -> list[Row]:
    """VAEs and text encoders, as Forge lists them."""
    return lists.modules(the_studio(request))


@ROUTER.get("/loras")
@needs(Access.PERSON)
def list_loras(request: Request) -> list[Row]:
    """Networks."""
    return lists.loras(the_studio(request))


@ROUTER.get("/embeddings")
@needs(Access.PERSON)
def list_embeddings(request: Request) -> Row:
    """Embeddings."""
    return lists.embeddings(the_studio(request))


@ROUTER.get("/prompt-styles")
@needs(Access.PERSON)
def list_styles(request: Request) -> list[Row]:
    """Styles."""
    return lists.styles(the_studio(request))


@ROUTER.get("/scripts")
@needs(Access.PERSON)
def list_scripts() -> dict[str, list[str]]:
    """Titles of scripts, in lower case."""
    return lists.scripts()


@ROUTER.get("/script-info")
@needs(Access.PERSON)
def describe_scripts() -> list[Row]:
    """Scripts with their arguments."""
    return lists.script_info()


@ROUTER.get("/hypernetworks")
@ROUTER.get("/face-restorers")
@ROUTER.get("/realesrgan-models")
@ROUTER.get("/extensions")
@needs(Access.PERSON)
def list_nothing() -> list[Any]:
    """What A1111 has and this studio doesn't."""
    return []
