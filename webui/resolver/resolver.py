"""Fills the blanks of a request: defaults of the model, ids for names, words for wildcards."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, Protocol

from webui import __version__
from webui.catalog.catalog import Catalog
from webui.core.errors import InvalidRequest, NotFound
from webui.core.model import Defaults, ModelInfo, ModelKind
from webui.core.recipe import ModelRef, PromptPair, Recipe
from webui.core.request import CELL, MAX_SEED, Extras, GenerationRequest, Hires, Noise, Refiner
from webui.extend.draft import Draft
from webui.extend.extensions import Extensions
from webui.families import Families
from webui.gallery.inputs import InputStore
from webui.prompting import parse
from webui.resolver.files import Files
from webui.resolver.pictures import Pictures
from webui.resolver.second_pass import with_both_sides
from webui.resolver.words import Edit, Filler, unedited
from webui.samplers import Samplers
from webui.schedules import Schedules
from webui.upscalers import Upscalers

NO_MODEL: Final = ModelRef(id="", name="", family="", hash="")
"""What extras are made with."""
LARGEST_HIRES: Final = 8192


class Labelled(Protocol):
    """A part that has a name for people."""

    @property
    def label(self) -> str:
        """What the page calls it."""
        ...


class Resolver:
    """Turns requests into recipes. Usable from any thread."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        families: Families,
        samplers: Samplers,
        schedules: Schedules,
        upscalers: Upscalers,
        inputs: InputStore,
        words: Filler,
        extensions: Extensions,
        chosen: Callable[[], str],
    ) -> None:
        """`chosen` is the id of the checkpoint for requests that name none, may be empty."""
        self._catalog: Final = catalog
        self._families: Final = families
        self._samplers: Final = samplers
        self._schedules: Final = schedules
        self._upscalers: Final = upscalers
        self._pictures: Final = Pictures(inputs)
        self._words: Final = words
        self._extensions: Final = extensions
        self._chosen: Final = chosen

    def resolve(self, request: GenerationRequest, draft: Draft | None = None) -> Recipe:
        """The recipe of the request's first picture, every blank filled. With the `draft` that the
        request comes from, extensions see the words of each picture. Raises InvalidRequest, which
        names the field."""
        request = settle(request)
        values = self._extensions.values(request)
        self._pictures.check(request)
        recipe = (
            self._painted(request, unedited if draft is None else draft.words)
            if request.extras is None
            else self._extras(request, request.extras)
        )
        out = draft.failed if draft is not None else ()
        taking_part = {id: own for id, own in values.items() if id not in out}
        return replace(recipe, extensions=taking_part, script=request.script)

    def _painted(self, request: GenerationRequest, edit: Edit) -> Recipe:
        model = self.model(request.checkpoint)
        defaults = self.defaults(model)
        width, height = self._pictures.size(request, defaults)
        sampling = request.sampling
        sampler, implied = self._sampler("sampling.sampler", sampling.sampler or defaults.sampler)
        pairs, template = self._filled(request, edit)
        files = Files(self._catalog)
        files.take_networks(pairs)
        text_encoders = files.take_parts(model, request.text_encoders)
        return Recipe(
            prompt=pairs[0].prompt,
            negative_prompt=pairs[0].negative_prompt,
            template=template.prompt,
            negative_template=template.negative_prompt,
            prompts=pairs if len(pairs) > 1 else (),
            model=_ref(self._catalog.hashed(model)),
            width=width,
            height=height,
            seed=_drawn(request.seed),
            sampler=sampler,
            schedule=self._schedule(
                "sampling.schedule", sampling.schedule or implied or defaults.schedule
            ),
            steps=sampling.steps or defaults.steps,
            guidance_scale=_given(sampling.guidance_scale, defaults.guidance_scale),
            clip_skip=sampling.clip_skip or defaults.clip_skip,
            distilled_guidance=_distilled(sampling.distilled_guidance, defaults),
            parameters=sampling.parameters,
            emphasis=request.emphasis,
            vae=files.take_vae(request.vae, model, self._families[model.family].latents),
            text_encoders=text_encoders,
            noise=request.noise,
            guidance=request.guidance,
            tiling=request.tiling,
            step_cache=request.step_cache,
            hires=self._hires(request, (width, height), files),
            refiner=self._refiner(request.refiner, files),
            source=request.source,
            mask=request.mask,
            outpaint=request.outpaint,
            files=files.refs,
            version=__version__,
        )

    def _filled(
        self, request: GenerationRequest, edit: Edit
    ) -> tuple[tuple[PromptPair, ...], PromptPair]:
        """The prompts of each picture, which are well formed, and as they were typed."""
        pairs, template = self._words.fill(request, edit)
        for pair in pairs:
            parse(pair.prompt)
            parse(pair.negative_prompt, "negative_prompt", is_negative=True)
        return pairs, template

    def model(self, ref: str | None) -> ModelInfo:
        """The checkpoint with this id, name or hash; without one, the one for blanks.

        Raises InvalidRequest.
        """
        try:
            return self._catalog.find(ref) if ref else self._catalog.default(self._chosen())
        except NotFound as error:
            raise InvalidRequest(
                "checkpoint",
                f"There is no model “{error.id}”. Choose one that is in the list, "
                f"or put the file into the folder {self._catalog.folder.name}.",
            ) from error

    def defaults(self, model: ModelInfo) -> Defaults:
        """What a model does best when a field is left blank."""
        return self._families[model.family].defaults(model)

    def _extras(self, request: GenerationRequest, extras: Extras) -> Recipe:
        defaults = Defaults(width=CELL, height=CELL, steps=1, guidance_scale=1.0, sampler="")
        width, height = self._pictures.size(request, defaults)
        files = Files(self._catalog)
        second = extras.second_upscaler
        words = self._pictures.words(extras.image)
        return Recipe(
            prompt=words.prompt,
            negative_prompt=words.negative_prompt,
            model=NO_MODEL,
            width=width,
            height=height,
            seed=_drawn(request.seed),
            sampler="",
            schedule="",
            steps=1,
            guidance_scale=1.0,
            clip_skip=1,
            extras=replace(
                extras,
                upscaler=self._upscaler("extras.upscaler", extras.upscaler, files),
                second_upscaler=second and self._upscaler("extras.second_upscaler", second, files),
            ),
            files=files.refs,
            version=__version__,
        )

    def _hires(
        self, request: GenerationRequest, size: tuple[int, int], files: Files
    ) -> Hires | None:
        hires = request.hires
        if hires is None:
            return None
        hires = with_both_sides(hires, size)
        if not hires.width and max(size) * hires.scale > LARGEST_HIRES:
            raise InvalidRequest(
                "hires.scale",
                f"{hires.scale:g} times {size[0]} x {size[1]} is larger than {LARGEST_HIRES} "
                "pixels at a side. Choose a smaller factor.",
            )
        if hires.prompt or hires.negative_prompt:
            hires = self._hires_words(request, hires, files)
        sampler, implied = (
            self._sampler("hires.sampler", hires.sampler) if hires.sampler else (None, None)
        )
        schedule = hires.schedule or implied
        return replace(
            hires,
            upscaler=self._upscaler("hires.upscaler", hires.upscaler, files, is_hires=True),
            sampler=sampler,
            schedule=schedule and self._schedule("hires.schedule", schedule),
            checkpoint=hires.checkpoint
            and files.take("hires.checkpoint", ModelKind.CHECKPOINT, hires.checkpoint),
        )

    def _hires_words(self, request: GenerationRequest, hires: Hires, files: Files) -> Hires:
        """The second pass's own prompts; wildcards in them fall as for the first picture."""
        own = replace(
            request,
            prompt=hires.prompt or "",
            negative_prompt=hires.negative_prompt or "",
            styles=(),
            batch_size=1,
            batch_count=1,
        )
        (pair,), _ = self._words.fill(own)
        parse(pair.prompt, "hires.prompt")
        parse(pair.negative_prompt, "hires.negative_prompt", is_negative=True)
        files.take_networks([pair])
        return replace(
            hires,
            prompt=pair.prompt if hires.prompt else hires.prompt,
            negative_prompt=pair.negative_prompt if hires.negative_prompt else None,
        )

    def _refiner(self, refiner: Refiner | None, files: Files) -> Refiner | None:
        if refiner is None:
            return None
        field = "refiner.checkpoint"
        return replace(
            refiner, checkpoint=files.take(field, ModelKind.CHECKPOINT, refiner.checkpoint)
        )

    def _upscaler(self, field: str, name: str, files: Files, *, is_hires: bool = False) -> str:
        """The id of a built-in upscaler or of a file. Latents are enlarged by hires fix only."""
        id = self._upscalers.find(name)
        if id is None:
            if owner := self._extensions.owner_of("upscaler", name):
                raise InvalidRequest(field, f"There is no upscaler “{name}”. {owner}")
            return files.take(field, ModelKind.UPSCALER, name)
        if self._upscalers[id].is_latent and not is_hires:
            raise InvalidRequest(
                field,
                f"“{name}” enlarges latents, which a finished picture has none of. "
                "Choose another upscaler.",
            )
        return id

    def _sampler(self, field: str, name: str) -> tuple[str, str | None]:
        """The sampler's id, and the schedule's name when an old combined name gives one."""
        found = self._samplers.find(name)
        if found is None:
            raise self._unknown(field, "sampler", name, self._samplers)
        return found

    def _schedule(self, field: str, name: str) -> str:
        found = self._schedules.find(name)
        if found is None:
            raise self._unknown(field, "schedule", name, self._schedules)
        return found

    def _unknown(
        self, field: str, kind: str, name: str, parts: Iterable[Labelled]
    ) -> InvalidRequest:
        """The refusal of a name: whose it is when that is off, else those that there are."""
        way_out = self._extensions.owner_of(kind, name) or (
            f"Choose one of: {', '.join(part.label for part in parts)}."
        )
        return InvalidRequest(field, f"There is no {kind} “{name}”. {way_out}")


def settle(request: GenerationRequest) -> GenerationRequest:
    """The request with its seeds drawn: asked again, it means the same pictures."""
    noise = request.noise
    if noise.variation_strength and noise.variation_seed is None:
        noise = replace(noise, variation_seed=_drawn(None))
    _check_pair("noise.resize_from", noise)
    return replace(request, seed=_drawn(request.seed), noise=noise)


def _check_pair(field: str, noise: Noise) -> None:
    if (noise.resize_from_width is None) != (noise.resize_from_height is None):
        raise InvalidRequest(
            f"{field}_height" if noise.resize_from_width else f"{field}_width",
            "Resizing the seed needs a width and a height. Give both, or neither.",
        )


def _drawn(seed: int | None) -> int:
    return random.SystemRandom().randint(0, MAX_SEED) if seed is None else seed


def _ref(model: ModelInfo) -> ModelRef:
    return ModelRef(id=model.id, name=model.name, family=model.family, hash=model.hash or "")


def _given(value: float | None, default: float) -> float:
    return default if value is None else value


def _distilled(value: float | None, defaults: Defaults) -> float | None:
    """Only for models that know it."""
    if defaults.distilled_guidance is None:
        return None
    return _given(value, defaults.distilled_guidance)
