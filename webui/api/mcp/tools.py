"""The tools themselves. Their docstrings and descriptions are what agents choose by."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Final

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from mcp.types import CallToolResult, TextContent
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from webui.api.mcp.views import (
    JobFacts,
    ModelsFacts,
    PictureRecord,
    model_facts,
)
from webui.api.mcp.visit import Visit, in_words
from webui.api.openai.asked import ImagesAsk, ImagesQuery
from webui.api.openai.links import Links
from webui.api.openai.painting import edit, generate
from webui.core.codec import check, encode
from webui.core.errors import NotFound
from webui.core.job import JobId
from webui.studio import Studio

WAIT_S: Final = 50.0
"""Clients give up on a tool after a minute unless they are told otherwise."""

Ctx = Context[Any, Any]
Prompt = Annotated[
    str,
    Field(
        description="What should be in the picture: subject, style, light, composition. "
        "(word:1.2) weighs a word; <lora:name:0.8> adds a LoRA.",
        max_length=20_000,
    ),
]
NegativePrompt = Annotated[
    str, Field(description="What should not be in the picture.", max_length=20_000)
]
Model = Annotated[
    str | None,
    Field(description="A model of list_models; leave out for the studio's chosen one."),
]
Side = Annotated[
    int | None,
    Field(
        description="Pixels, a multiple of 8; leave out for what suits the model.",
        ge=64,
        le=2048,
    ),
]
Seed = Annotated[
    int | None,
    Field(description="The same seed gives the same picture; leave out for a new one.", ge=0),
]
StepCount = Annotated[
    int | None, Field(description="More are finer and slower; leave out.", ge=1, le=150)
]
Scale = Annotated[
    float | None,
    Field(description="How closely the prompt is followed; leave out.", ge=1, le=30),
]
Count = Annotated[int, Field(description="How many pictures.", ge=1, le=10)]
Wait = Annotated[
    float,
    Field(
        description="Seconds to wait for the pictures. 0 answers at once with the job_id; ask "
        "job_status then.",
        ge=0,
        le=600,
    ),
]
Strength = Annotated[
    float | None,
    Field(
        description="How much is made anew: 0.3 keeps the composition, 0.75 keeps little. "
        "Leave out for 0.75, or 1 under a mask.",
        ge=0,
        le=1,
    ),
]
PictureId = Annotated[str, Field(description="The picture_id of a picture made here.")]
JobName = Annotated[str, Field(description="The job_id of a job of yours.")]
Base64 = Annotated[
    str | None, Field(description="A PNG, JPEG or WebP file as base64, or as a data: address.")
]


class Tools:
    """What agents can do in a studio; each method is a tool."""

    def __init__(self, studio: Studio, links: Links) -> None:
        self._studio: Final = studio
        self._links: Final = links

    async def generate_image(
        self,
        context: Ctx,
        prompt: Prompt,
        negative_prompt: NegativePrompt = "",
        model: Model = None,
        width: Side = None,
        height: Side = None,
        count: Count = 1,
        seed: Seed = None,
        steps: StepCount = None,
        guidance_scale: Scale = None,
        wait_s: Wait = WAIT_S,
    ) -> Annotated[CallToolResult, JobFacts]:
        """Make new pictures from a description. Returns small versions to look at, a link to each
        whole file, and a picture_id for edit_image. If the state is not yet "done", call
        job_status with the job_id. Write prompts as descriptions ("a red fox in snow, soft morning
        light, photograph"), not as instructions."""
        visit = self._visit(context)
        visit.must_be_artist()
        query = ImagesQuery(
            prompt=prompt,
            negative_prompt=negative_prompt,
            model=model,
            n=count,
            seed=seed,
            steps=steps,
            guidance_scale=guidance_scale,
        )
        return await self._made(visit, ImagesAsk(query=query, size=(width, height)), wait_s)

    async def edit_image(
        self,
        context: Ctx,
        prompt: Prompt,
        picture_id: Annotated[
            str | None, Field(description="The picture_id of the picture to change.")
        ] = None,
        image_base64: Base64 = None,
        mask_base64: Annotated[
            str | None,
            Field(
                description="A PNG of the picture's size as base64: what is transparent in it is "
                "repainted, the rest stays. Leave out to change all of it."
            ),
        ] = None,
        strength: Strength = None,
        negative_prompt: NegativePrompt = "",
        model: Model = None,
        count: Count = 1,
        seed: Seed = None,
        wait_s: Wait = WAIT_S,
    ) -> Annotated[CallToolResult, JobFacts]:
        """Change a picture: give its picture_id, or the file itself as image_base64. The prompt
        describes the whole result, not only the change. The original stays as it is."""
        visit = self._visit(context)
        visit.must_be_artist()
        query = ImagesQuery(
            prompt=prompt,
            negative_prompt=negative_prompt,
            model=model,
            n=count,
            seed=seed,
            denoising_strength=strength,
        )
        mask = None if mask_base64 is None else _bytes("mask_base64", mask_base64)
        image = await run_in_threadpool(self._image, visit, picture_id, image_base64)
        return await self._made(visit, ImagesAsk(query=query, images=(image,), mask=mask), wait_s)

    def list_models(self, context: Ctx) -> ModelsFacts:
        """The models that pictures can be made with, and which one is used when none is named."""
        default = self._studio.current_model()
        return ModelsFacts(
            models=[model_facts(model, default) for model in self._studio.catalog.models()]
        )

    def get_picture(
        self, context: Ctx, picture_id: PictureId
    ) -> Annotated[CallToolResult, PictureRecord]:
        """Look at a picture again, and at how it was made: prompt, seed, model, settings."""
        visit = self._visit(context)
        with in_words():
            picture = self._studio.own_picture(picture_id, visit.caller.id)
            recipe = picture.recipe
            record = PictureRecord(
                picture=visit.facts(picture),
                negative_prompt=recipe.negative_prompt,
                model=recipe.model.id,
                sampler=recipe.sampler,
                steps=recipe.steps,
                guidance_scale=recipe.guidance_scale,
                settings=self._studio.infotext(recipe, picture.facts),
                is_trashed=picture.is_trashed,
            )
            text = TextContent(type="text", text=record.settings)
            return CallToolResult(
                content=[text, *visit.blocks(picture)], structured_content=encode(record)
            )

    async def job_status(
        self, context: Ctx, job_id: JobName, wait_s: Wait = WAIT_S
    ) -> Annotated[CallToolResult, JobFacts]:
        """Wait for a job and look at it: its state, how far it is, and its pictures so far."""
        visit = self._visit(context)
        with in_words():
            job = await run_in_threadpool(self._studio.own_job, JobId(job_id), visit.caller.id)
            job = await visit.looked_at(job, wait_s)
            return await run_in_threadpool(visit.answer, job)

    def cancel_job(self, context: Ctx, job_id: JobName) -> Annotated[CallToolResult, JobFacts]:
        """End a job of yours. Pictures that it has finished stay."""
        visit = self._visit(context)
        visit.must_be_artist()
        with in_words():
            job = self._studio.own_job(JobId(job_id), visit.caller.id)
            return visit.answer(self._studio.cancel(job.id, visit.caller.id))

    def picture_file(self, context: Ctx, picture_id: str) -> bytes:
        """The whole file of a picture of yours."""
        caller = self._visit(context).caller
        try:
            return self._studio.own_picture(picture_id, caller.id).path.read_bytes()
        except (NotFound, OSError) as error:
            raise ResourceNotFoundError(f"There is no picture “{picture_id}”.") from error

    def _visit(self, context: Ctx) -> Visit:
        return Visit(studio=self._studio, links=self._links, context=context)

    async def _made(self, visit: Visit, ask: ImagesAsk, wait_s: float) -> CallToolResult:
        submit = edit if ask.images else generate
        with in_words():
            check(ask.query)
            job = await run_in_threadpool(submit, self._studio, ask, visit.caller.id)
            job = await visit.finished(job, wait_s)
            return await run_in_threadpool(visit.answer, job)

    def _image(self, visit: Visit, picture_id: str | None, data: str | None) -> bytes:
        if (picture_id is None) == (data is None):
            raise ToolError("Which picture? Give either picture_id or image_base64.")
        if data is not None:
            return _bytes("image_base64", data)
        with in_words():
            return self._studio.own_picture(picture_id or "", visit.caller.id).path.read_bytes()


def _bytes(field: str, text: str) -> bytes:
    """The bytes of a base64 text, or of a data: address."""
    try:
        return base64.b64decode(text.rpartition(",")[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ToolError(f"{field} is not base64. Send the file's bytes encoded so.") from error
