"""What A1111 changes in its models. Here nothing is changed: the engine's networks can be looked
at, and their convolutions may get other ways of padding for a job."""

from __future__ import annotations

from typing import Any

from modules import shared
from modules.gesso import side
from modules.textual_inversion.textual_inversion import EmbeddingDatabase
from webui.compat.missing import unprovided

optimizers: list[Any] = []
current_optimizer: Any = None


class StableDiffusionModelHijack:
    """The model in use. `layers` are its convolutions; `comments` go into a job's text."""

    def __init__(self) -> None:
        self.fixes: Any = None
        self.comments: list[str] = []
        self.circular_enabled = False
        self.extra_generation_params: dict[str, Any] = {}
        self.optimization_method: str | None = None
        self.embedding_db = EmbeddingDatabase()
        self.embedding_db.add_embedding_dir(shared.cmd_opts.embeddings_dir)

    @property
    def layers(self) -> list[Any]:
        """All convolutions of the job's network and VAE; none without an engine that has them."""
        return [] if side.engine is None else side.engine.convolutions()

    @property
    def clip(self) -> Any:
        """The text encoder of the checkpoint in use."""
        model = shared.sd_model
        return None if model is None else model.cond_stage_model

    def apply_optimizations(self, option: Any = None) -> None:
        """The engine chooses the quickest attention itself."""

    def convert_sdxl_to_ssd(self, m: Any) -> None:
        """The engine knows its models."""

    def hijack(self, m: Any) -> None:
        """Nothing is changed."""

    def undo_hijack(self, m: Any) -> None:
        """Nothing was changed."""

    def apply_circular(self, enable: bool) -> None:
        """Seamless tiling is a field of the job: `p.tiling`."""
        self.circular_enabled = enable

    def clear_comments(self) -> None:
        """Forget them."""
        self.comments = []
        self.extra_generation_params = {}

    def get_prompt_lengths(self, text: str) -> tuple[int, int]:
        """How many tokens a text has, and how many its chunks have room for."""
        clip = self.clip
        if clip is None:
            return 0, 0
        _, count = clip.process_texts([text])
        return count, clip.get_target_prompt_token_count(count)

    def redo_hijack(self, m: Any) -> None:
        """Nothing is changed."""


class EmbeddingsWithFixes:
    """A1111's table of words with embeddings in it; the engine has its own."""


def apply_optimizations(option: Any = None) -> str:
    """The engine chooses the quickest attention itself."""
    return ""


def undo_optimizations() -> None:
    """Nothing was changed."""


def fix_checkpoint() -> None:
    """Nothing is to be mended."""


def list_optimizers() -> None:
    """The engine chooses the quickest attention itself."""


def add_circular_option_to_conv_2d() -> None:
    """Seamless tiling is a field of the job: `p.tiling`."""


model_hijack = StableDiffusionModelHijack()

__getattr__ = unprovided(__name__)
