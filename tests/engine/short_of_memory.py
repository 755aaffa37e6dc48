"""A program: the real engine with little memory left, asked for too much and then for little.

Prints what each of the two came to.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from PIL import Image

from tests.engine.work import images, work
from webui.core.errors import GessoError
from webui.core.request import InputId, Source
from webui.engine.local import create

AMPLE_BYTES = 2**40
SPARE_BYTES = 250 * 2**20
PICTURE = InputId("1" * 64)


def main(folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (AMPLE_BYTES, AMPLE_BYTES))  # so that nothing is kept
    engine = create({"use_cpu": True, "threads": 1})
    engine.prepare()
    images(engine, work(steps=1))
    large = folder / "large.png"
    Image.new("RGB", (2048, 2048), "red").save(large)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + SPARE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for size, inputs in ((2048, {PICTURE: large}), (64, {PICTURE: large})):
        plan = Source(image=PICTURE, denoising_strength=0.0)
        try:
            (image,) = images(engine, work(width=size, height=size, source=plan, inputs=inputs))
            print("made", image.size)
        except GessoError as error:
            print(type(error).__name__, error)
    engine.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
