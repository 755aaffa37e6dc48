"""What SD 3, Flux and Chroma have in common as families: one network, several text encoders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from webui.core.errors import ModelUnreadable
from webui.core.model import Detected, Header
from webui.families import dit_loading
from webui.families.components import NO_PARTS, Components, Placement
from webui.families.dit_plan import Kind, Plan, missing_parts
from webui.families.t5 import TOKENIZER as T5_TOKENIZER
from webui.families.told import said_of

NAMING: Final = ("modelspec.architecture", "modelspec.title", "general.name", "general.basename")
"""Where makers write what a model is, in safetensors and in GGUF."""
LONG: Final = 510
SHORT: Final = 254
"""Tokens that a T5 takes at once, without two marks: in models that read much, and others."""


class TransformerFamily:
    """One of these families. Its own class tells the variants apart."""

    id: str
    label: str
    latents = "flux16"
    hears_weights = True
    """Whether weights of words change its pictures."""

    def __init__(self, plan: Plan) -> None:
        self.plan: Final = plan

    def variant(self, header: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str]) -> str:
        """Which one a file with tensors of these shapes is."""
        raise NotImplementedError

    def folder_variant(self, model_index: Mapping[str, object], folder: Path) -> str | None:
        """Which one a diffusers folder is; None if it is of another family."""
        raise NotImplementedError

    def kind(self, variant: str) -> Kind:
        """What this variant is run with. Raises ValueError with a reason where it can't be run."""
        raise NotImplementedError

    def plan_of(self, variant: str) -> Plan:
        """What this variant is made of."""
        return self.plan

    def reading(self, variant: str) -> tuple[Path, int]:
        """The folder of the tokenizer by which prompts are measured, and how many tokens are read
        at once, without marks."""
        return T5_TOKENIZER, LONG

    def detect(self, header: Header, metadata: Mapping[str, str]) -> Detected | None:
        """A file with this family's network, alone or with the other parts."""
        if not self.plan.network.is_in(header):
            return None
        shapes = {key: tensor.shape for key, tensor in header.items()}
        return Detected(
            variant=(variant := self.variant(shapes, metadata)),
            missing=missing_parts(header, self.plan_of(variant)),
        )

    def detect_folder(self, model_index: Mapping[str, object], folder: Path) -> Detected | None:
        """A diffusers folder that is made of this family's parts."""
        variant = self.folder_variant(model_index, folder)
        return None if variant is None else Detected(variant=variant)

    def load(
        self, path: Path, placement: Placement, parts: Mapping[str, Path] = NO_PARTS
    ) -> Components:
        """The model in a single file or a diffusers folder. Raises ModelUnreadable."""
        if path.is_dir():
            _check_encoders(path, self.plan)
            variant = self.folder_variant(dit_loading.read_index(path), path) or ""
            kind, plan = self._kind(path, variant), self.plan_of(variant)
            return dit_loading.load_folder(path, plan, kind, placement)
        variant = self.variant(dit_loading.read_shapes(path), said_of(path))
        kind, plan = self._kind(path, variant), self.plan_of(variant)
        return dit_loading.load_file(path, plan, kind, placement, parts)

    def _kind(self, path: Path, variant: str) -> Kind:
        try:
            return self.kind(variant)
        except ValueError as error:
            raise ModelUnreadable(path.name, str(error)) from error


def said(metadata: Mapping[str, str]) -> str:
    """What the maker wrote of a model's kind, in small letters."""
    return " ".join(str(metadata.get(key, "")) for key in NAMING).lower()


def _check_encoders(folder: Path, plan: Plan) -> None:
    for each in plan.readers:
        if not each.is_optional and not (folder / each.name).is_dir():
            raise ModelUnreadable(
                folder.name,
                f"its folder {each.name} is missing, the {each.label} text encoder. "
                "Download the model again.",
            )
