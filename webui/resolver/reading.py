"""From a picture back to a request: what it says, with the files it names found on this server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from webui.catalog.catalog import Catalog
from webui.core.errors import GessoError, InvalidRequest
from webui.core.job import PersonId
from webui.core.model import ModelInfo, ModelKind
from webui.core.recipe import Recipe
from webui.core.request import OWN_VAE, Extras, GenerationRequest, Hires, InputId
from webui.extend.extensions import Extensions
from webui.gallery.inputs import InputStore
from webui.imaging.infotext import Infotext, join_infotext
from webui.imaging.restore import Lookups, request_from
from webui.imaging.told import read_told
from webui.prompting import network_tags
from webui.resolver.files import noted_vae, noun

HASHES: Final = "Lora hashes"
_PAIR: Final = re.compile(r"\s*(.+?):\s*([0-9a-fA-F]{8,64})\s*(?:,|\Z)")
_TAG: Final = re.compile(r"(<(?:lora|lyco):)([^:>]+)(?=[:>])")
_NOUNS: Final = (
    ("Model", "the checkpoint"),
    ("VAE", "the VAE"),
    ("Sampler", "the sampler"),
    ("Schedule type", "the schedule"),
    ("Hires checkpoint", "the checkpoint"),
    ("Hires upscaler", "the upscaler"),
    ("Refiner", "the checkpoint"),
)
"""Keys whose value, when it is not understood, names something that is not here."""

Known = dict[tuple[ModelKind, str], tuple[str, str]]
"""By kind and what a request calls it: the name and the hash of a file."""


@dataclass(frozen=True, kw_only=True)
class PictureReading:
    """What a picture asks for. `missing` names what it needs and this server doesn't have;
    `ignored` are settings of other programs that have no meaning here."""

    generator: str
    request: GenerationRequest
    infotext: Infotext
    source: Mapping[str, object] = field(default_factory=dict)
    mask: Mapping[str, object] = field(default_factory=dict)
    """Fields of a source and a mask whose pictures no text can carry."""
    ignored: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


class PictureReader:
    """Reads pictures with the names that this server knows."""

    def __init__(
        self, lookups: Lookups, catalog: Catalog, inputs: InputStore, extensions: Extensions
    ) -> None:
        self._lookups: Final = lookups
        self._extensions: Final = extensions
        self._catalog: Final = catalog
        self._inputs: Final = inputs

    def read(self, data: bytes, person: PersonId) -> PictureReading:
        """What a picture file asks for, for this person: pictures that others put in are missing.
        Raises UnreadablePicture."""
        found = read_told(data)
        if found.recipe is None:
            return self.read_text(found.told.infotext, found.told.generator)
        request, missing = self.request_of(found.recipe, person)
        return PictureReading(
            generator=found.told.generator,
            request=request,
            infotext=found.told.infotext,
            missing=missing,
        )

    def read_text(self, infotext: Infotext, generator: str) -> PictureReading:
        """What a text in A1111's words asks for, after extensions looked at it."""
        told = self._extensions.parsed(join_infotext(infotext), infotext.settings)
        infotext = replace(infotext, settings=told)
        restored = request_from(infotext, self._lookups)
        ignored = dict(restored.ignored)
        missing = [f"{noun} “{ignored.pop(key)}”" for key, noun in _NOUNS if key in ignored]
        hashes = _hashes(infotext.settings.get(HASHES, ""))
        known = {(ModelKind.LORA, name): ("", hash) for name, hash in hashes.items()}
        find = self._finder(known)
        request = _with_known_networks(restored.request, find)
        return PictureReading(
            generator=generator,
            request=request,
            infotext=infotext,
            source=restored.source,
            mask=restored.mask,
            ignored=ignored,
            missing=(*missing, *find.missing),
        )

    def request_of(
        self, recipe: Recipe, person: PersonId
    ) -> tuple[GenerationRequest, tuple[str, ...]]:
        """The request that makes a picture again, as `with_known_files`; files that were renamed
        or moved go by their hash."""
        model, files = recipe.model, recipe.files
        known: Known = {(file.kind, file.ref): (file.name, file.hash) for file in files}
        known |= {(file.kind, file.id): (file.name, file.hash) for file in files}
        known[ModelKind.CHECKPOINT, model.id] = (model.name, model.hash)
        request, missing = self.with_known_files(recipe.request(), person, known)
        return replace(request, vae=request.vae or self._own_vae(request)), missing

    def with_known_files(
        self, request: GenerationRequest, person: PersonId, known: Known | None = None
    ) -> tuple[GenerationRequest, tuple[str, ...]]:
        """The request with all files under their present ids, and the names of what is not here.

        A file that is gone becomes a blank or the default; pictures that are gone stay named.
        """
        find = self._finder(known or {})
        extensions, absent = self._extensions.known_values(request.extensions)
        script = request.script
        if script is not None and not self._extensions.has_script(script):
            absent, script = (*absent, f"the script “{script}”"), None
        refiner = request.refiner
        second = refiner and find(ModelKind.CHECKPOINT, refiner.checkpoint)
        request = replace(
            request,
            checkpoint=find(ModelKind.CHECKPOINT, request.checkpoint),
            vae=find(ModelKind.VAE, request.vae),
            text_encoders=tuple(
                filter(None, (find(ModelKind.TEXT_ENCODER, one) for one in request.text_encoders))
            ),
            hires=request.hires and _hires(request.hires, find),
            refiner=replace(refiner, checkpoint=second) if refiner and second else None,
            extras=request.extras and _extras(request.extras, find),
            extensions=extensions,
            script=script,
        )
        request = _with_known_networks(request, find)
        return request, (
            *find.missing,
            *dict.fromkeys(absent),
            *self._lost_pictures(request, person),
        )

    def _finder(self, known: Known) -> _Finder:
        return _Finder(self._catalog, known, self._lookups)

    def _own_vae(self, request: GenerationRequest) -> str | None:
        """What keeps a picture that was made without a VAE file from getting one that was noted
        for its checkpoint since."""
        checkpoint = self._catalog.look_up(ModelKind.CHECKPOINT, request.checkpoint)
        return OWN_VAE if checkpoint and noted_vae(self._catalog, checkpoint) else None

    def _lost_pictures(self, request: GenerationRequest, person: PersonId) -> list[str]:
        parts = (
            (request.source, "the source picture"),
            (request.mask, "the mask"),
            (request.extras, "the picture"),
        )
        return [word for part, word in parts if part and not self._has(person, part.image)]

    def _has(self, person: PersonId, id: InputId) -> bool:
        try:
            return self._inputs.path(id).exists() and self._inputs.is_of(id, person)
        except GessoError:
            return False


class _Finder:
    """Finds the files that a request names where they are now: by what the request calls them,
    then by the name and the hash that are known of them. `missing` names the others."""

    def __init__(self, catalog: Catalog, known: Known, lookups: Lookups) -> None:
        self.missing: Final[list[str]] = []
        self._lookups: Final = lookups
        self._catalog: Final = catalog
        self._known: Final = known

    def __call__(self, kind: ModelKind, ref: str | None) -> str | None:
        """The present id. An id that names no file, such as a built-in upscaler's, stays."""
        if ref is None or ref == OWN_VAE or self._is_without_file(kind, ref):
            return ref
        found = self._find(kind, ref)
        return None if found is None else found.id

    def network(self, name: str) -> str:
        """What a network is called in a prompt here; its name counts before its hash."""
        if self._catalog.look_up(ModelKind.LORA, name) is not None:
            return name
        found = self._find(ModelKind.LORA, name)
        return name if found is None else found.name

    def _is_without_file(self, kind: ModelKind, ref: str) -> bool:
        return kind is ModelKind.UPSCALER and self._lookups.upscaler(ref) == ref

    def _find(self, kind: ModelKind, ref: str) -> ModelInfo | None:
        name, hash = self._known.get((kind, ref), ("", ""))
        found = self._catalog.look_up(kind, ref, hash, name)
        if found is None:
            self.missing.append(f"the {noun(kind)} “{name or ref}”")
        return found


def _with_known_networks(request: GenerationRequest, find: _Finder) -> GenerationRequest:
    """The request with networks that go by another name here renamed in its prompt."""
    try:
        tags, _ = network_tags(request.prompt)
    except InvalidRequest:
        return request
    names = {name: find.network(name) for name in dict.fromkeys(tag.name for tag in tags)}

    def renamed(match: re.Match[str]) -> str:
        return match[1] + names.get(match[2], match[2])

    return replace(request, prompt=_TAG.sub(renamed, request.prompt))


def _hires(hires: Hires, find: _Finder) -> Hires:
    return replace(
        hires,
        upscaler=find(ModelKind.UPSCALER, hires.upscaler) or Hires.upscaler,
        checkpoint=find(ModelKind.CHECKPOINT, hires.checkpoint),
    )


def _extras(extras: Extras, find: _Finder) -> Extras:
    return replace(
        extras,
        upscaler=find(ModelKind.UPSCALER, extras.upscaler) or Extras.upscaler,
        second_upscaler=find(ModelKind.UPSCALER, extras.second_upscaler),
    )


def _hashes(text: str) -> dict[str, str]:
    """A1111's list "name: hash, name: hash"."""
    return {match[1].strip(): match[2] for match in _PAIR.finditer(text)}
