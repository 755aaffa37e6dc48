"""Size and time of PNG compression levels, to choose the one that pictures are saved with.

    python benchmarks/png_level.py [PICTURE ...]

Without pictures it measures made-up ones: a smooth gradient, a gradient with film grain as in
photographs, and pure noise, each 1024x1024.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator

import numpy as np
from PIL import Image, features

REPEATS = 3


def made_up() -> Iterator[tuple[str, Image.Image]]:
    random = np.random.default_rng(0)
    y, x = np.mgrid[0:1024, 0:1024] / 1024
    smooth = np.stack([x, y, (x + y) / 2], -1) * 255
    for name, pixels in (
        ("gradient", smooth),
        ("grain", smooth + random.normal(0, 6, smooth.shape)),
        ("noise", random.uniform(0, 255, smooth.shape)),
    ):
        yield name, Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def measure(image: Image.Image, level: int) -> tuple[float, int]:
    """Best time in seconds and size in bytes."""
    times = []
    for _ in range(REPEATS):
        buffer = io.BytesIO()
        start = time.perf_counter()
        image.save(buffer, "PNG", compress_level=level)
        times.append(time.perf_counter() - start)
    return min(times), buffer.tell()


def main() -> None:
    print("zlib", features.version("zlib"), "zlib-ng", features.check_feature("zlib_ng"))
    given = [(path, Image.open(path).convert("RGB")) for path in sys.argv[1:]]
    for name, image in given or made_up():
        print(name, image.size)
        for level in range(10):
            seconds, size = measure(image, level)
            print(f"  level {level}: {seconds * 1000:7.1f} ms {size / 1024:8.0f} KiB")


if __name__ == "__main__":
    main()
