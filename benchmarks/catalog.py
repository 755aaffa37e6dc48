"""How long the catalog takes to look through a folder of 10,000 files, new and again.

    python -m benchmarks.catalog [COUNT]

The files are LoRA headers of a real one's length (264 layers) without weights, in 100 folders.
"""

from __future__ import annotations

import json
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from webui.catalog.catalog import Catalog
from webui.core.model import ModelKind
from webui.families import load_families

COUNT: Final = 10_000
FOLDERS: Final = 100
LAYERS: Final = 264


def main() -> None:
    """Print seconds for the first look, the second, and a look after a restart."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory() as root:
        models = Path(root) / "models"
        fill(models, count)
        for label in ("new", "after a restart"):
            catalog = Catalog(models, Path(root) / "models.sqlite", load_families())
            report(label, catalog)
            report("again", catalog)
            catalog.close()


def fill(models: Path, count: int) -> None:
    """That many networks, each with a name of its own."""
    text = json.dumps(header()).encode()
    for index in range(count):
        file = models / "Lora" / f"{index % FOLDERS:03}" / f"style {index:05}.safetensors"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(struct.pack("<Q", len(text)) + text)


def header() -> dict[str, object]:
    """Of a LoRA for Stable Diffusion 1.5, its tensors all empty ranges."""
    none = {"dtype": "F16", "data_offsets": [0, 0]}
    entries: dict[str, object] = {"__metadata__": {"ss_output_name": "style"}}
    for layer in range(LAYERS):
        name = f"lora_unet_down_blocks_0_attentions_0_transformer_blocks_{layer}_attn2_to_k"
        entries[f"{name}.lora_down.weight"] = {**none, "shape": [32, 768]}
        entries[f"{name}.lora_up.weight"] = {**none, "shape": [320, 32]}
        entries[f"{name}.alpha"] = {**none, "shape": []}
    return entries


def report(label: str, catalog: Catalog) -> None:
    """One line about one refresh; processor time too, for machines that do other work."""
    started, worked = time.perf_counter(), time.process_time()
    catalog.refresh()
    seconds, busy = time.perf_counter() - started, time.process_time() - worked
    count = len(catalog.models(ModelKind.LORA))
    print(f"{label:16} {count} networks in {seconds:.2f} s ({busy:.2f} s of processor time)")


if __name__ == "__main__":
    main()
