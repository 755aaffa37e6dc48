"""What repainting does to a picture beside what was asked: kept pixels, seams, colour drift.

    python benchmarks/inpaint.py [--side 256] [--steps 20] [--threads 1]

The starter model draws four pictures, then repaints them with the prompt they were made with, so
that whatever changes is not what the prompt wanted. Prints JSON. CPU only.

- kept: pixels that differ from the source where the mask is 0, largest over all pictures
- seam: mean step between neighbouring pixels across the mask's edge, over the source's own there
- drift: distance in Lab between the mean colours of the repainted part before and after
- round trip: mean difference of a picture that only went through the VAE, in grey levels: what
  pasting the whole painted picture would do to the kept part
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from webui.core.engine import Work
from webui.core.events import ImageReady
from webui.core.model import ModelInfo, ModelKind
from webui.core.recipe import ModelRef, Recipe
from webui.core.request import (
    InputId,
    Mask,
    MaskArea,
    MaskContent,
    Outpaint,
    SoftInpainting,
    Source,
)
from webui.engine.environment import prepare_environment
from webui.engine.local import LocalEngine, create
from webui.imaging.lab import to_lab
from webui.imaging.masks import prepare_mask
from webui.imaging.outpaint import outpaint_size

STARTER = Path(__file__).resolve().parent.parent / "models" / "starter"
PICTURE, MASK = InputId("1" * 64), InputId("2" * 64)
PROMPTS = (
    "a cat in a meadow, cartoon",
    "a red apple, 3d style",
    "a house in the forest, flat style",
    "a rocket, night background",
)
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The engine, and where pictures are put for it."""

    engine: LocalEngine
    folder: Path
    side: int
    steps: int

    def draw(self, recipe: Recipe, source: Image.Image | None = None) -> Image.Image:
        """The picture of a recipe, on a source if it has one."""
        inputs = {MASK: self.folder / "mask.png", PICTURE: self.folder / "picture.png"}
        if source is not None:
            source.save(inputs[PICTURE])
        model = ModelInfo(
            id="starter",
            name="starter",
            kind=ModelKind.CHECKPOINT,
            family="sd15",
            path=STARTER,
            size_bytes=1,
        )
        batch = Work(recipes=(recipe,), model=model, inputs=inputs, preview_every_s=0)
        events = self.engine.generate(batch)
        return next(event.image for event in events if isinstance(event, ImageReady))

    def recipe(self, prompt: str, seed: int) -> Recipe:
        """A plain picture."""
        return Recipe(
            prompt=prompt,
            negative_prompt="",
            model=ModelRef(id="starter", name="starter", family="sd15", hash="0" * 64),
            width=self.side,
            height=self.side,
            seed=seed,
            sampler="dpmpp_2m",
            schedule="automatic",
            steps=self.steps,
            guidance_scale=4.0,
            clip_skip=1,
            version="benchmark",
        )


def main() -> None:
    """Draw, repaint, print figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("side", 256), ("steps", 20), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    prepare_environment(os.environ)
    engine = create({"use_cpu": True, "threads": options.threads})
    engine.prepare()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(engine=engine, folder=Path(folder), side=options.side, steps=options.steps)
        mask = Image.new("L", (bench.side, bench.side))
        ImageDraw.Draw(mask).ellipse([bench.side // 4] * 2 + [bench.side * 3 // 4] * 2, fill=255)
        mask.save(bench.folder / "mask.png")
        sources = [bench.draw(bench.recipe(p, i + 1)) for i, p in enumerate(PROMPTS)]
        figures = {
            "inpaint": {name: inpainted(bench, sources, way) for name, way in ways()},
            "outpaint": {f"overlap {n}": outpainted(bench, sources, n) for n in (0, 16, 64)},
            "img2img": img2img(bench, sources),
        }
    engine.close()
    print(json.dumps(figures, indent=2))


def ways() -> Iterator[tuple[str, dict[str, Any]]]:
    """What is measured: fields of the mask, and of the source."""
    for strength in (0.3, 0.75):
        yield f"original, {strength}", {"denoising_strength": strength}
    for content in (MaskContent.FILL, MaskContent.NOISE):
        yield f"{content.value}, 0.75", {"denoising_strength": 0.75, "content": content}
    yield "soft, 0.75", {"denoising_strength": 0.75, "soft": SoftInpainting(), "blur": 8}
    yield "only masked, 0.3", {"denoising_strength": 0.3, "area": MaskArea.MASKED}
    yield "only masked, 0.75", {"denoising_strength": 0.75, "area": MaskArea.MASKED}
    yield "original, 0.3, corrected", {"denoising_strength": 0.3, "color_correction": True}


def inpainted(bench: Bench, sources: list[Image.Image], way: Mapping[str, Any]) -> dict[str, float]:
    """The figures of one way to inpaint, over all pictures."""
    of_source = {k: v for k, v in way.items() if k in ("denoising_strength", "color_correction")}
    mask = Mask(image=MASK, **{k: v for k, v in way.items() if k not in of_source})
    prepared = np.asarray(prepare_mask(Image.open(bench.folder / "mask.png"), False, mask.blur))
    kept, seams, drifts = [], [], []
    for index, (prompt, source) in enumerate(zip(PROMPTS, sources, strict=True)):
        recipe = replace(
            bench.recipe(prompt, 100 + index),
            source=Source(image=PICTURE, **of_source),
            mask=mask,
        )
        result = bench.draw(recipe, source)
        kept.append(changed(source, result, prepared == 0))
        seams.append(edge(result, prepared) / edge(source, prepared))
        drifts.append(drift(source, result, prepared >= 250))
    return {
        "kept pixels changed": max(kept),
        "seam": round(float(np.mean(seams)), 3),
        "drift": round(float(np.mean(drifts)), 2),
    }


def outpainted(bench: Bench, sources: list[Image.Image], overlap: int) -> dict[str, float]:
    """New pixels at the right: the largest mean step from one column to the next around the
    source's old edge, over the largest within the source."""
    outpaint = Outpaint(right=bench.side // 4, overlap=overlap)
    width, height = outpaint_size((bench.side, bench.side), outpaint)
    kept, around, own = [], 0.0, 0.0
    inner = np.zeros((bench.side, bench.side), bool)
    inner[:, : bench.side - overlap] = True
    near = slice(bench.side - 16, bench.side + 8)
    for index, (prompt, source) in enumerate(zip(PROMPTS, sources, strict=True)):
        recipe = bench.recipe(prompt, 100 + index)
        recipe = replace(
            recipe, width=width, height=height, source=Source(image=PICTURE), outpaint=outpaint
        )
        result = bench.draw(recipe, source)
        kept.append(changed(source, result.crop((0, 0, *source.size)), inner))
        around += float(np.abs(np.diff(pixels(result), axis=1))[:, near].mean(axis=(0, 2)).max())
        own += float(np.abs(np.diff(pixels(source), axis=1)).mean(axis=(0, 2)).max())
    return {"kept pixels changed": max(kept), "seam": round(around / own, 3)}


def img2img(bench: Bench, sources: list[Image.Image]) -> dict[str, float]:
    """The whole picture: the VAE alone, and drift with and without correction, once and thrice."""
    figures: dict[str, float] = {}
    round_trips = []
    for name, is_corrected in (("plain", False), ("corrected", True)):
        for passes in (1, 3):
            drifts = []
            for index, (prompt, source) in enumerate(zip(PROMPTS, sources, strict=True)):
                result = source
                for turn in range(passes):
                    asked = Source(
                        image=PICTURE, denoising_strength=0.3, color_correction=is_corrected
                    )
                    recipe = replace(bench.recipe(prompt, 100 + index + turn), source=asked)
                    result = bench.draw(recipe, result)
                drifts.append(drift(source, result, np.ones(source.size[::-1], bool)))
            figures[f"drift, {passes} times at 0.3, {name}"] = round(float(np.mean(drifts)), 2)
    for prompt, source in zip(PROMPTS, sources, strict=True):
        asked = Source(image=PICTURE, denoising_strength=0)
        result = bench.draw(replace(bench.recipe(prompt, 1), source=asked), source)
        round_trips.append(np.abs(pixels(result) - pixels(source)).mean())
    figures["round trip"] = round(float(np.mean(round_trips)), 2)
    return figures


def changed(source: Image.Image, result: Image.Image, where: npt.NDArray[np.bool_]) -> int:
    """How many pixels differ there."""
    differs = (np.asarray(source) != np.asarray(result)).any(axis=-1)
    return int(differs[where].sum())


def edge(picture: Image.Image, mask: npt.NDArray[np.uint8]) -> float:
    """The mean step between neighbours in the fringe of the mask, its outer half doubled away."""
    values = pixels(picture)
    across = np.abs(np.diff(values, axis=1)).mean(axis=-1)[:-1]
    down = np.abs(np.diff(values, axis=0)).mean(axis=-1)[:, :-1]
    fringe = (mask > 0) & (mask < 255)
    return float((across + down)[fringe[:-1, :-1]].mean())


def drift(source: Image.Image, result: Image.Image, where: npt.NDArray[np.bool_]) -> float:
    """The distance of the mean colours there, in Lab."""
    before, after = (to_lab(each)[where].mean(axis=0) for each in (source, result))
    return float(np.linalg.norm(before - after))


def pixels(picture: Image.Image) -> Floats:
    """(H, W, 3), 0..255."""
    return np.asarray(picture, dtype=np.float64)


if __name__ == "__main__":
    main()
