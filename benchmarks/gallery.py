"""A gallery of 100,000 pictures: pages, searches, a save, a start, and the index made anew.

    python benchmarks/gallery.py [PICTURES] [--rebuild]

The save is compared with what it can't do without: encoding, and one durable write of the same
bytes. `--rebuild` also writes that many small files and reads them all back (some minutes).
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from webui.core.codec import to_json
from webui.core.files import write_atomic
from webui.core.job import LOCAL, Job, JobId, JobState
from webui.core.recipe import ModelRef, Recipe
from webui.core.request import GenerationRequest, Mode
from webui.gallery.gallery import Gallery
from webui.gallery.index import Entry, Index, picture_id, search_words
from webui.gallery.thumbnails import Thumbnails
from webui.imaging.infotext import Labels
from webui.imaging.picture_text import PictureFormat, PictureRecord, encode_picture
from webui.settings import Settings

START = 1_700_000_000.0
SAVES = 200
SIDE = 256


def recipe(number: int, words: list[str]) -> Recipe:
    """A prompt of 40 words; every thousandth shows a zebra."""
    chance = random.Random(number)
    prompt = ", ".join(chance.choices(words, k=40)) + (", zebra" if number % 1000 == 0 else "")
    return Recipe(
        prompt=prompt,
        negative_prompt="blurry, low quality",
        model=ModelRef(id="starter", name="starter", family="sd15", hash="ab" * 32),
        width=64,
        height=64,
        seed=number,
        sampler="dpmpp_2m",
        schedule="karras",
        steps=20,
        guidance_scale=7.0,
        clip_skip=1,
        version="0.1.0",
    )


def vocabulary() -> list[str]:
    chance = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwy"
    return ["".join(chance.choices(letters, k=chance.randint(3, 10))) for _ in range(5000)]


def entries(count: int) -> Iterator[Entry]:
    words = vocabulary()
    for number in range(count):
        made = recipe(number, words)
        folder = f"txt2img-images/day-{number // 1000:04d}"
        yield Entry(
            id=picture_id(JobId(f"job-{number}"), 0),
            job_id=JobId(f"job-{number}"),
            index=0,
            owner=LOCAL,
            mode=Mode.TXT2IMG,
            path=f"{folder}/{number % 1000:05d}-{number}.png",
            width=64,
            height=64,
            words=search_words(made),
            series=folder,
            number=number % 1000,
            created_at=START + number,
            digest="",
            facts="{}",
            recipe=to_json(made),
        )


def timed(action: Callable[[], object], repeats: int = 30) -> str:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append((time.perf_counter() - start) * 1000)
    return (
        f"p50 {statistics.median(times):6.2f} ms, p95 {sorted(times)[int(repeats * 0.95)]:6.2f} ms"
    )


def pages(gallery: Gallery, count: int) -> None:
    middle = picture_id(JobId(f"job-{count // 2}"), 0)
    print("first page      ", timed(lambda: gallery.page(LOCAL)))
    print("page in the middle", timed(lambda: gallery.page(LOCAL, before=middle)))
    print("page of one tab ", timed(lambda: gallery.page(LOCAL, mode=Mode.TXT2IMG)))
    print("empty tab       ", timed(lambda: gallery.page(LOCAL, mode=Mode.INPAINT)))
    print("search, 1 of 1000", timed(lambda: gallery.page(LOCAL, search="zebra")))
    print("search, no match", timed(lambda: gallery.page(LOCAL, search="zzzz")))
    print("search, 2 words ", timed(lambda: gallery.page(LOCAL, search="zebra starter")))


def job(number: int) -> Job:
    return Job(
        id=JobId(f"new-{number}"),
        owner=LOCAL,
        state=JobState.SAVING,
        request=GenerationRequest(),
        recipe=recipe(number, vocabulary()[:50]),
        created_at=START,
    )


def saves(gallery: Gallery, root: Path) -> None:
    """The three parts one after the other for each picture, so that a busy disk is fair."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE * 255
    grain = np.random.default_rng(0).normal(0, 3, (SIDE, SIDE, 3))
    image = Image.fromarray(
        (np.stack([x, y, (x + y) / 2], -1) + grain).clip(0, 255).astype("uint8")
    )
    thumbnails = Thumbnails(root / "thumbnails")
    encode, write, whole, thumbnail = [], [], [], []
    for number in range(SAVES):
        made = job(number)
        record = PictureRecord(recipe=made.recipe, job_id=made.id, index=0, created_at=START)
        start = time.perf_counter()
        data = encode_picture(image, record, Labels(), PictureFormat()).data
        encoded = time.perf_counter()
        write_atomic(root / "bare" / f"{number}.png", data)
        written = time.perf_counter()
        gallery.save(made, 0, image)
        saved = time.perf_counter()
        thumbnails.make(str(number), image)
        thumbnail.append(time.perf_counter() - saved)
        encode.append(encoded - start)
        write.append(written - encoded)
        whole.append(saved - written)
    parts = zip(whole, encode, write, thumbnail, strict=True)
    extra = [all - sum(known) for all, *known in parts]
    for name, times in (
        (f"save, {SIDE}x{SIDE}", whole),
        ("  encode", encode),
        ("  one durable write", write),
        ("  thumbnail", thumbnail),
        ("  all else", extra),
    ):
        print(f"{name:20}", f"p50 {statistics.median(times) * 1000:7.2f} ms")


def write_files(outputs: Path, count: int) -> None:
    image = Image.new("RGB", (64, 64), "teal")
    words = vocabulary()
    for number in range(count):
        record = PictureRecord(
            recipe=recipe(number, words),
            job_id=JobId(f"job-{number}"),
            index=0,
            created_at=START + number,
        )
        data = encode_picture(image, record, Labels(), PictureFormat()).data
        path = outputs / f"txt2img-images/day-{number // 1000:04d}/{number % 1000:05d}-{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def start(root: Path) -> Gallery:
    begin = time.perf_counter()
    gallery = Gallery(root / "outputs", root / "data", lambda: Settings(keep_free_mb=0))
    gallery.recover()
    print(f"start: {time.perf_counter() - begin:.2f} s")
    return gallery


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", type=int, nargs="?", default=100_000)
    parser.add_argument("--rebuild", action="store_true")
    parser.add_argument("--folder", help="where to put the files; default: the temporary folder")
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(dir=given.folder))
    try:
        index = Index(root / "data" / "gallery.sqlite", lambda: False)
        index.add_found(entries(given.pictures))
        index.close()
        size = (root / "data" / "gallery.sqlite").stat().st_size
        print(json.dumps({"pictures": given.pictures, "index_mb": round(size / 1e6)}))
        gallery = start(root)
        pages(gallery, given.pictures)
        saves(gallery, root)
        gallery.close()
        if given.rebuild:
            write_files(root / "outputs", given.pictures)
            (root / "data" / "gallery.sqlite").unlink()
            print("index gone:", end=" ")
            start(root).close()
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
