"""How long the catalog takes to look through a folder of 10,000 files, new and again.

    python -m benchmarks.catalog [COUNT]

The files are LoRA headers of a real one's length (264 layers) without numbers, in 100 folders.
"""

from __future__ import annotations

import json
import struct
import sys
import tempfile
import time
from math import prod
from pathlib import Path
from typing import Any, Final

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
    entries = header()
    weights = max(int(each["data_offsets"][1]) for each in entries.values() if "dtype" in each)
    text = json.dumps(entries).encode()
    for index in range(count):
        file = models / "Lora" / f"{index % FOLDERS:03}" / f"style {index:05}.safetensors"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as target:
            target.write(struct.pack("<Q", len(text)) + text)
            target.truncate(8 + len(text) + weights)


def header() -> dict[str, Any]:
    """Of a LoRA for Stable Diffusion 1.5."""
    entries: dict[str, Any] = {"__metadata__": {"ss_output_name": "style"}}
    end = 0
    for layer in range(LAYERS):
        name = f"lora_unet_down_blocks_0_attentions_0_transformer_blocks_{layer}_attn2_to_k"
        shapes = {"lora_down.weight": [32, 768], "lora_up.weight": [320, 32], "alpha": []}
        for part, shape in shapes.items():
            begin, end = end, end + 2 * prod(shape)
            offsets = [begin, end]
            entries[f"{name}.{part}"] = {"dtype": "F16", "shape": shape, "data_offsets": offsets}
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
