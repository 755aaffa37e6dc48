"""How fast the cards of 10,000 networks are: pages, a search, and the folder tree.

    python -m benchmarks.cards [COUNT]

Every second file has notes beside it, every tenth a picture; they lie in 100 folders.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.catalog import COUNT, FOLDERS, fill
from webui.catalog.cards import CardQuery, Cards, Sort
from webui.catalog.catalog import Catalog
from webui.core.model import ModelKind
from webui.families import load_families

TIMES: Final = 5
LORA: Final = ModelKind.LORA
QUERIES: Final = (
    ("first page by name", CardQuery(kind=LORA)),
    ("a page in the middle", CardQuery(kind=LORA, offset=5000)),
    ("newest first", CardQuery(kind=LORA, sort=Sort.CREATED)),
    ("one folder", CardQuery(kind=LORA, folder="Lora/042")),
    ("search in names", CardQuery(kind=LORA, search="style 0123")),
    ("search in notes", CardQuery(kind=LORA, search="word777")),
    ("only those that fit", CardQuery(kind=LORA, checkpoint="starter", only_fitting=True)),
)


def main() -> None:
    """Print milliseconds of the first time and the median of five more."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory() as root:
        models = Path(root) / "models"
        fill(models, count)
        note(models, count)
        catalog = Catalog(models, Path(root) / "models.sqlite", load_families())
        catalog.refresh()
        cards = Cards(catalog)
        for label, query in QUERIES:
            first, *more = (timed(cards, query) for _ in range(TIMES + 1))
            found = cards.page(query).total
            print(
                f"{label:22} {found:6} found, first {first:7.1f} ms, "
                f"then {statistics.median(more):6.1f} ms"
            )
        catalog.close()


def note(models: Path, count: int) -> None:
    """Notes and pictures beside the files; the pictures are empty, for nobody looks at them."""
    for index in range(0, count, 2):
        stem = models / "Lora" / f"{index % FOLDERS:03}" / f"style {index:05}"
        text = json.dumps({"activation text": f"word{index}", "preferred weight": 0.8})
        stem.with_suffix(".json").write_text(text)
        if index % 5 == 0:
            stem.with_suffix(".preview.png").touch()


def timed(cards: Cards, query: CardQuery) -> float:
    """Milliseconds of one page."""
    started = time.perf_counter()
    cards.page(query)
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
