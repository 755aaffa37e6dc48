"""From a picture back to a request: what it says, with the files it names found on this server."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from webui.catalog.catalog import Catalog
from webui.core.errors import GessoError, InvalidRequest, NotFound
from webui.core.model import ModelKind
from webui.core.recipe import Recipe
from webui.core.request import OWN_VAE, Extras, GenerationRequest, Hires, InputId
from webui.gallery.inputs import InputStore
from webui.imaging.infotext import Infotext
from webui.imaging.restore import Lookups, request_from
from webui.imaging.told import read_told
from webui.prompting import network_tags
from webui.resolver.files import noted_vae

HASHES: Final = "Lora hashes"
_PAIR: Final = re.compile(r"\s*(.+?):\s*([0-9a-fA-F]{8,64})\s*(?:,|\Z)")
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

    def __init__(self, lookups: Lookups, catalog: Catalog, inputs: InputStore) -> None:
        self._lookups: Final = lookups
        self._catalog: Final = catalog
        self._inputs: Final = inputs

    def read(self, data: bytes) -> PictureReading:
        """What a picture file asks for. Raises UnreadablePicture."""
        found = read_told(data)
        if found.recipe is None:
            return self.read_text(found.told.infotext, found.told.generator)
        request, missing = self.request_of(found.recipe)
        return PictureReading(
            generator=found.told.generator,
            request=request,
            infotext=found.told.infotext,
            missing=missing,
        )

    def read_text(self, infotext: Infotext, generator: str) -> PictureReading:
        """What a text in A1111's words asks for."""
        restored = request_from(infotext, self._lookups)
        ignored = dict(restored.ignored)
        missing = [f"{noun} “{ignored.pop(key)}”" for key, noun in _NOUNS if key in ignored]
        request, lost = self._with_known_networks(
            restored.request, _hashes(infotext.settings.get(HASHES, ""))
        )
        return PictureReading(
            generator=generator,
            request=request,
            infotext=infotext,
            source=restored.source,
            mask=restored.mask,
            ignored=ignored,
            missing=(*missing, *lost),
        )

    def request_of(self, recipe: Recipe) -> tuple[GenerationRequest, tuple[str, ...]]:
        """The request that makes a picture again, with files that were renamed or moved under
        their present ids; and what is not here. A checkpoint that is gone becomes a blank."""
        missing: list[str] = []
        find = _Finder(self._catalog, recipe, missing)
        request = recipe.request()
        if request.checkpoint is not None:
            checkpoint = find(ModelKind.CHECKPOINT, request.checkpoint)
            request = replace(request, checkpoint=checkpoint)
        request = replace(
            request,
            vae=find(ModelKind.VAE, request.vae) if request.vae else self._own_vae(request),
            hires=request.hires and _hires(request.hires, find),
            extras=request.extras and _extras(request.extras, find),
        )
        if request.refiner is not None:
            second = find(ModelKind.CHECKPOINT, request.refiner.checkpoint)
            refiner = replace(request.refiner, checkpoint=second) if second else None
            request = replace(request, refiner=refiner)
        hashes = {file.ref: file.hash for file in recipe.files if file.kind is ModelKind.LORA}
        request, lost = self._with_known_networks(request, hashes)
        return request, (*missing, *lost, *self._lost_pictures(request))

    def _own_vae(self, request: GenerationRequest) -> str | None:
        """What keeps a picture that was made without a VAE file from getting one that was noted
        for its checkpoint since."""
        try:
            checkpoint = self._catalog.find(request.checkpoint or "")
        except NotFound:
            return None
        return OWN_VAE if noted_vae(self._catalog, checkpoint) else None

    def _with_known_networks(
        self, request: GenerationRequest, hashes: Mapping[str, str]
    ) -> tuple[GenerationRequest, list[str]]:
        """The request with networks that go by another name here renamed in its prompt."""
        missing: list[str] = []
        try:
            tags, _ = network_tags(request.prompt)
        except InvalidRequest:
            return request, []
        prompt = request.prompt
        for name in {tag.name for tag in tags}:
            known = self._network(name, hashes.get(name, ""))
            if known is None:
                missing.append(f"the network “{name}”")
            elif known != name:
                prompt = re.sub(rf"<(lora|lyco):{re.escape(name)}(?=[:>])", rf"<\1:{known}", prompt)
        return replace(request, prompt=prompt), missing

    def _network(self, name: str, hash: str) -> str | None:
        """What a network is called in a prompt here; its name counts before its hash."""
        for ref in (name, hash):
            try:
                found = self._catalog.find(ref, ModelKind.LORA) if ref else None
            except NotFound:
                continue
            if found is not None:
                return name if ref == name else found.name
        return None

    def _lost_pictures(self, request: GenerationRequest) -> list[str]:
        parts = (
            (request.source, "the source picture"),
            (request.mask, "the mask"),
            (request.extras, "the picture"),
        )
        return [word for part, word in parts if part and not self._is_here(part.image)]

    def _is_here(self, id: InputId) -> bool:
        try:
            return self._inputs.path(id).exists()
        except GessoError:
            return False


class _Finder:
    """Finds a file of a recipe where it is now: by its id, then its hash, then its name."""

    def __init__(self, catalog: Catalog, recipe: Recipe, missing: list[str]) -> None:
        model = recipe.model
        self._catalog = catalog
        self._missing = missing
        self._known = {(ModelKind.CHECKPOINT, model.id): (model.hash, model.name)}
        self._known |= {(file.kind, file.ref): (file.hash, file.name) for file in recipe.files}

    def __call__(self, kind: ModelKind, ref: str) -> str | None:
        """The present id; None, and noted as missing, when the file is not here. An id that
        names no file, such as a built-in upscaler's, stays."""
        hash, name = self._known.get((kind, ref), ("", ""))
        for wanted in filter(None, (ref, hash, name)):
            try:
                return self._catalog.find(wanted, kind).id
            except NotFound:
                continue
        if (kind, ref) not in self._known:
            return ref
        self._missing.append(f"the {kind.value} “{name}”")
        return None


Find = Callable[[ModelKind, str], str | None]


def _hires(hires: Hires, find: Find) -> Hires:
    return replace(
        hires,
        upscaler=find(ModelKind.UPSCALER, hires.upscaler) or hires.upscaler,
        checkpoint=hires.checkpoint and find(ModelKind.CHECKPOINT, hires.checkpoint),
    )


def _extras(extras: Extras, find: Find) -> Extras:
    second = extras.second_upscaler
    return replace(
        extras,
        upscaler=find(ModelKind.UPSCALER, extras.upscaler) or extras.upscaler,
        second_upscaler=second and find(ModelKind.UPSCALER, second),
    )


def _hashes(text: str) -> dict[str, str]:
    """A1111's list "name: hash, name: hash"."""
    return {match[1].strip(): match[2] for match in _PAIR.finditer(text)}
