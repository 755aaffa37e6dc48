"""Embeddings: the files that the catalog has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from modules import gesso_models, shared
from webui.compat.missing import unprovided
from webui.core.model import ModelInfo, ModelKind

textual_inversion_templates: dict[str, Any] = {}


class Embedding:
    """An embedding: its file, and its vectors when they are asked for."""

    def __init__(self, vec: Any, name: str, step: int | None = None) -> None:
        self._vec = vec
        self.name = name
        self.step = step
        self.shape: Any = None
        self.vectors = 0
        self.cached_checksum: str | None = None
        self.sd_checkpoint: str | None = None
        self.sd_checkpoint_name: str | None = None
        self.optimizer_state_dict: Any = None
        self.filename: str | None = None
        self.hash: str | None = None
        self.shorthash: str | None = None

    @property
    def vec(self) -> Any:
        """(n, width); for SDXL a mapping of two such."""
        if self._vec is None and self.filename:
            from pathlib import Path

            from webui.networks.embedding import read_embedding

            rows = dict(read_embedding(Path(self.filename)))
            self._vec = next(iter(rows.values())) if len(rows) == 1 else rows
        return self._vec

    @vec.setter
    def vec(self, value: Any) -> None:
        """Others in their place."""
        self._vec = value

    def save(self, filename: str) -> None:
        """Write it as A1111 does: a mapping of tensors."""
        import torch

        data = {"string_to_token": {"*": 265}, "string_to_param": {"*": self.vec}}
        torch.save({**data, "name": self.name, "step": self.step}, filename)

    def checksum(self) -> str:
        """The short hash."""
        return self.shorthash or ""

    def set_hash(self, v: str) -> None:
        """Its hash."""
        self.hash, self.shorthash = v, v[:12]


class DirWithTextualInversionEmbeddings:
    """A folder of embeddings."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.mtime: float | None = None

    def has_changed(self) -> bool:
        """Whether files came or went since `update`."""
        return os.path.isdir(self.path) and os.path.getmtime(self.path) != self.mtime

    def update(self) -> None:
        """Take note of how it is."""
        if os.path.isdir(self.path):
            self.mtime = os.path.getmtime(self.path)


class EmbeddingDatabase:
    """All embeddings by name."""

    def __init__(self) -> None:
        self.ids_lookup: dict[int, Any] = {}
        self.word_embeddings: dict[str, Embedding] = {}
        self.skipped_embeddings: dict[str, Embedding] = {}
        self.expected_shape = -1
        self.embedding_dirs: dict[str, DirWithTextualInversionEmbeddings] = {}
        self.previously_displayed_embeddings: tuple[Any, ...] = ()
        self.image_embedding_parse_cache: dict[str, Any] = {}

    def add_embedding_dir(self, path: str) -> None:
        """One more folder to look through."""
        self.embedding_dirs[path] = DirWithTextualInversionEmbeddings(path)
        self.load_textual_inversion_embeddings()

    def clear_embedding_dirs(self) -> None:
        """Forget the folders."""
        self.embedding_dirs.clear()

    def register_embedding(self, embedding: Embedding, model: Any = None) -> Embedding:
        """Into the list. Prompts know it by its file only."""
        self.word_embeddings[embedding.name] = embedding
        return embedding

    def register_embedding_by_name(self, embedding: Embedding, model: Any, name: str) -> Embedding:
        """As `register_embedding`."""
        self.word_embeddings[name] = embedding
        return embedding

    def get_expected_shape(self) -> int:
        """The width of the model's words: known in jobs only."""
        model = shared.sd_model
        if model is None or model.engine is None:
            return -1
        encoder = model.cond_stage_model.wrapped.transformer
        return int(encoder.get_input_embeddings().weight.shape[1])

    def load_textual_inversion_embeddings(
        self, force_reload: bool = False, sync_with_sd_model: bool = True
    ) -> None:
        """Fill the list with what the catalog has."""
        known = {name for name, each in self.word_embeddings.items() if each.filename is None}
        kept = {name: self.word_embeddings[name] for name in known}
        self.word_embeddings.clear()
        for embedding in self._found():
            self.word_embeddings[embedding.name] = embedding
        self.word_embeddings.update(kept)

    def find_embedding_at_position(self, tokens: Any, offset: int) -> tuple[Any, Any]:
        """The engine finds them in the text."""
        return None, None

    def _found(self) -> Iterator[Embedding]:
        for model in gesso_models.models(ModelKind.EMBEDDING):
            yield _as_embedding(model)


def _as_embedding(model: ModelInfo) -> Embedding:
    embedding = Embedding(None, model.name)
    embedding.filename = str(model.path)
    if model.hash:
        embedding.set_hash(model.hash)
    return embedding


def create_embedding(
    name: str, num_vectors_per_token: int, overwrite_old: bool, init_text: str = "*"
) -> str:
    """A file with the vectors of a few words; its path."""
    words = shared.sd_model.cond_stage_model
    rows = words.encode_embedding_init_text(init_text or "*", num_vectors_per_token)
    path = os.path.join(shared.cmd_opts.embeddings_dir, f"{name}.pt")
    if os.path.exists(path) and not overwrite_old:
        raise FileExistsError(f"{path} is there already. Choose another name.")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Embedding(rows.detach().cpu(), name, 0).save(path)
    return path


def list_textual_inversion_templates() -> dict[str, Any]:
    """None: training is not built in."""
    return textual_inversion_templates


def train_embedding(*arguments: Any, **named: Any) -> Any:
    """Not here."""
    raise NotImplementedError("Training is not built in. Embeddings made elsewhere work.")


__getattr__ = unprovided(__name__)
