"""One side of benchmarks/diffusion.py, in a process of its own; its argument is a JSON object."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> None:
    """Measure, row by row."""
    told = json.loads(sys.argv[1])
    from webui.engine.environment import prepare_environment
    from webui.engine.host_memory import keep_freed_memory

    prepare_environment(os.environ)
    import torch
    from diffusion_measures import Row, Told

    given = Told(told)
    if given.side == "gesso" and given.device.is_cpu:
        keep_freed_memory()  # as LocalEngine does
    if given.side == "stock":
        from diffusion_stock import rows
    else:
        from diffusion_gesso import rows as whole
        from diffusion_shortcuts import rows as shortened

        def rows(told: Told) -> Iterator[Row]:
            yield from whole(told)
            yield from shortened(told)

    with torch.inference_mode():
        given.facts()
        for row in rows(given):
            given.measure(row)


if __name__ == "__main__":
    main()
