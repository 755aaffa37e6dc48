"""Imports that can't work here: an error that names what the program has built in instead."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import MappingProxyType, ModuleType
from typing import Any, Final

from webui.compat import missing

_NETWORK: Final = "the engine's networks are diffusers', and their inner parts have other names"
INSTEAD: Final = MappingProxyType(
    {
        "ldm": f"{_NETWORK}. Tiled decoding, tiling and soft inpainting are built in",
        "sgm": f"{_NETWORK}. SDXL and its refiner are built in",
        "k_diffusion": "samplers and schedules are built in, and an extension can add one "
        "(webui.extend, register_samplers)",
        "ldm_patched": "it belongs to Forge. Its guidance (FreeU, SAG, PAG, thresholding) is "
        "built in",
        "modules_forge": "it belongs to Forge. Its guidance (FreeU, SAG, PAG, thresholding) is "
        "built in",
        "backend": "it belongs to Forge. Loading models and memory are the engine's own",
        "modules.sd_hijack_optimizations": "the engine chooses the quickest attention itself",
        "modules.sd_hijack_clip": "prompts are encoded by the engine's own encoder; use the hook "
        "`conditioning`",
        "modules.sd_hijack_open_clip": "prompts are encoded by the engine's own encoder; use the "
        "hook `conditioning`",
        "modules.sd_unet": _NETWORK,
        "modules.hypernetworks": "hypernetworks are not supported. Use a LoRA",
        "modules.textual_inversion.textual_inversion": "training is not built in. Embeddings "
        "that are files work in prompts",
        "modules.models": _NETWORK,
        "modules.unipc": "the sampler UniPC is built in",
    }
)


class BlockedFinder(MetaPathFinder):
    """Asked last, when nobody else knows a module: raises ModuleNotFoundError for those above."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Nothing for modules that are not A1111's."""
        for name, instead in INSTEAD.items():
            if fullname == name or fullname.startswith(name + "."):
                missing.note(fullname)
                raise ModuleNotFoundError(
                    f"{fullname} can't be used here: {instead}.", name=fullname
                )
        if fullname.startswith("modules."):
            missing.note(fullname)
            raise ModuleNotFoundError(
                f"No module named {fullname!r}: it is not provided by the layer", name=fullname
            )
        return None


def block() -> None:
    """Ask the finder from now on, if it isn't asked already."""
    finders: list[Any] = sys.meta_path
    if not any(isinstance(finder, BlockedFinder) for finder in finders):
        finders.append(BlockedFinder())


def unblock() -> None:
    """Take the finder away."""
    sys.meta_path[:] = [f for f in sys.meta_path if not isinstance(f, BlockedFinder)]
