"""The model files that a recipe needs beside its checkpoint, found and hashed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from webui.catalog.catalog import Catalog
from webui.catalog.sidecar import read_sidecar
from webui.core.errors import InvalidRequest, NotFound
from webui.core.model import ModelInfo, ModelKind
from webui.core.recipe import FileRef, PromptPair
from webui.core.request import OWN_VAE
from webui.prompting import network_tags
from webui.prompting.embeddings import find_embeddings
from webui.resolver.parts import VAE, asked_encoders, find_encoder, find_vae


class Files:
    """Collects the files of one recipe, each once."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog: Final = catalog
        self._refs: Final[dict[tuple[ModelKind, str], FileRef]] = {}

    @property
    def refs(self) -> tuple[FileRef, ...]:
        """All that were found."""
        return tuple(self._refs.values())

    def take(self, field: str, kind: ModelKind, name: str) -> str:
        """The id of a file, which is recorded. Raises InvalidRequest for `field`."""
        try:
            model = self._catalog.find(name, kind)
        except NotFound as error:
            raise InvalidRequest(
                field,
                f"There is no {noun(kind)} “{name}” on this server. Choose one that is in the "
                f"list, or put the file into the folder {self._catalog.folder.name}.",
            ) from error
        self._record(kind, model.id, model.id)
        return model.id

    def take_vae(self, name: str | None, checkpoint: ModelInfo, latents: str) -> str | None:
        """The id of the VAE that is asked for, or else noted for the checkpoint; None for the
        checkpoint's own. Where it has none, one for `latents` is taken. Raises InvalidRequest."""
        wanted = noted_vae(self._catalog, checkpoint) if name is None else name
        if VAE in checkpoint.missing and wanted in (None, OWN_VAE):
            wanted = find_vae(self._catalog, checkpoint, latents).id
        if wanted is None or wanted == OWN_VAE:
            return None
        return self.take("vae", ModelKind.VAE, wanted)

    def take_parts(self, model: ModelInfo, names: Sequence[str] = ()) -> tuple[str, ...]:
        """Record the text encoders that a checkpoint lacks, those of these names where it can use
        them. Their ids. Raises InvalidRequest."""
        asked = asked_encoders(self._catalog, model, names)
        for part in model.missing:
            if part == VAE:
                continue
            found = asked.get(part) or find_encoder(self._catalog, model, part)
            if found is not None:
                self._record(ModelKind.TEXT_ENCODER, part, found.id)
        return tuple(found.id for found in asked.values())

    def take_networks(self, pairs: Iterable[PromptPair]) -> None:
        """Record the networks and embeddings that these prompts name; networks in a negative
        prompt do nothing, as in A1111. Raises InvalidRequest."""
        embeddings = self._catalog.models(ModelKind.EMBEDDING)
        for pair in pairs:
            self._take_tags(pair.prompt)
            self._take_embeddings(pair.prompt, embeddings)
            self._take_embeddings(pair.negative_prompt, embeddings)

    def _take_tags(self, text: str) -> None:
        tags, _ = network_tags(text)
        for tag in tags:
            try:
                model = self._catalog.find(tag.name, ModelKind.LORA)
            except NotFound as error:
                raise InvalidRequest(
                    "prompt",
                    f"At character {tag.position + 1}: there is no network “{tag.name}” on this "
                    "server. Take the tag out, or add the file to the models folder.",
                ) from error
            self._record(ModelKind.LORA, tag.name, model.id)

    def _take_embeddings(self, text: str, embeddings: Iterable[ModelInfo]) -> None:
        by_name = {model.name: model for model in embeddings}
        for found in find_embeddings(text, by_name.keys()):
            self._record(ModelKind.EMBEDDING, found.name, by_name[found.name].id)

    def _record(self, kind: ModelKind, ref: str, id: str) -> None:
        if (kind, ref) not in self._refs:
            found = self._catalog.file_ref(kind, id)
            self._refs[kind, ref] = FileRef(
                kind=kind,
                ref=ref,
                id=found.id,
                name=found.name,
                hash=found.hash,
                short_hash=found.short_hash,
            )


def noted_vae(catalog: Catalog, checkpoint: ModelInfo) -> str | None:
    """The id of the VAE that the notes beside a checkpoint name, if it is here."""
    found = catalog.look_up(ModelKind.VAE, read_sidecar(checkpoint.path).vae)
    return None if found is None else found.id


def noun(kind: ModelKind) -> str:
    """What people call a kind of file."""
    return {
        ModelKind.VAE: "VAE",
        ModelKind.LORA: "network",
        ModelKind.TEXT_ENCODER: "text encoder",
    }.get(kind, kind.value)
