"""How far off pictures of a trained model are with a step cache, and with matrices in 8 bits.

    PYTHONPATH=. python benchmarks/shortcuts.py [--cpu] [--threads 1] [--steps 20 30] [--seeds 3]

Draws with the starter model, 256 x 256, DPM++ 2M: without, then with each, the same seeds in turns.
Prints for each way the mean difference of 0 to 255, the peak signal-to-noise ratio in dB, and how
many times as fast the picture was (processor time on a CPU); "another seed" is what to compare the
difference with. On a GPU: --model FILE --side 1024 takes a checkpoint of Stable Diffusion.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from webui.core.request import StepCache
from webui.engine.environment import prepare_environment

CACHES: Mapping[str, StepCache | None] = {
    "off": None,
    **{f"every {n}": StepCache(every=n) for n in (2, 3, 5)},
    **{f"every {n} from the start": StepCache(every=n, start=0.0) for n in (2, 3, 5)},
}
SAME_DB = 99.0
"""Told of pictures that are the same."""
STARTER = Path(__file__).parents[1] / "models" / "starter"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--cpu", action="store_true", help="even if there is a GPU")
    for name, default in (("threads", 1), ("seeds", 3), ("side", 256)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--steps", type=int, nargs="*", default=[20, 30])
    parser.add_argument("--model", help="a checkpoint of Stable Diffusion 1.5 or XL")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    prepare_environment(os.environ)
    import torch

    with torch.inference_mode():
        for steps in options.steps:
            for name, figures in _measured(options, steps).items():
                print(json.dumps({"steps": steps, "way": name, **figures}), flush=True)


def apart(picture: Any, other: Any) -> dict[str, float]:
    """How far two pictures are apart: the mean difference of 0 to 255, and the PSNR in dB."""
    one, two = (np.asarray(each, dtype=np.float64) for each in (picture, other))
    square = float(((one - two) ** 2).mean())
    psnr = 10 * float(np.log10(255**2 / square)) if square else SAME_DB
    return {"mean_of_255": float(np.abs(one - two).mean()), "psnr_db": psnr}


def _measured(options: argparse.Namespace, steps: int) -> Mapping[str, dict[str, float]]:
    """Each way, beside the plain one."""
    found: dict[str, list[dict[str, float]]] = {}
    plain, *fast = _painters(options)
    clock = time.process_time if options.cpu else time.perf_counter
    before: Any = None
    for seed in range(options.seeds + 1):
        exact, took = _timed(clock, plain, _work(options, steps, seed, None))
        sides = [(name, plain, cache) for name, cache in CACHES.items() if cache is not None]
        sides.extend(("8 bits", paint, None) for paint in fast)
        for name, paint, cache in sides:
            picture, own = _timed(clock, paint, _work(options, steps, seed, cache))
            figures = {**apart(picture, exact), "times_faster": took / own}
            found.setdefault(name, []).append(figures)
        if before is not None:
            found.setdefault("another seed", []).append(apart(before, exact))
        before = exact
    warm = {name: each[1:] or each for name, each in found.items()}
    return {
        name: {key: round(statistics.median(f[key] for f in each), 2) for key in each[0]}
        for name, each in warm.items()
    }


def _timed(clock: Callable[[], float], paint: Callable[[Any], Any], work: Any) -> tuple[Any, float]:
    started = clock()
    picture = paint(work)
    return picture, clock() - started


def _painters(options: argparse.Namespace) -> tuple[Callable[[Any], Any], ...]:
    """In the plain precision; and in 8 bits, but for GPUs that can't."""
    from webui.core.events import ImageReady
    from webui.engine.device import choose_device, multiplies_fp8
    from webui.engine.options import Options
    from webui.engine.painter import Painter
    from webui.families import load_families
    from webui.samplers import load_samplers
    from webui.schedules import load_schedules

    device = choose_device(Options(use_cpu=options.cpu, threads=options.threads))
    tools = device, load_families(), load_samplers(), load_schedules()

    def painting(painter: Painter) -> Callable[[Any], Any]:
        return lambda work: next(
            event.image for event in painter.paint(work) if isinstance(event, ImageReady)
        )

    is_able = device.is_cpu or multiplies_fp8(device.placement.device)
    ways = (False, True) if is_able else (False,)
    return tuple(painting(Painter(*tools, is_fp8=is_fp8)) for is_fp8 in ways)


def _work(options: argparse.Namespace, steps: int, seed: int, cache: StepCache | None) -> Any:
    """One picture."""
    from webui import __version__
    from webui.core.engine import Work
    from webui.core.model import ModelInfo, ModelKind
    from webui.core.recipe import ModelRef, Recipe
    from webui.families.safetensors_file import read_table

    path = Path(options.model) if options.model else STARTER
    family = "sd15"
    if options.model and any(key.startswith("conditioner.") for key in read_table(path.stem, path)):
        family = "sdxl"
    model = ModelInfo(
        id="m", name=path.stem, kind=ModelKind.CHECKPOINT, family=family, path=path, size_bytes=1
    )
    recipe = Recipe(
        prompt="a red apple, 3d style",
        negative_prompt="",
        model=ModelRef(id="m", name=model.name, family=family, hash=""),
        width=options.side,
        height=options.side,
        seed=seed + 7,
        sampler="dpmpp_2m",
        schedule="automatic",
        steps=steps,
        guidance_scale=4.0,
        clip_skip=1,
        version=__version__,
    )
    recipe = replace(recipe, step_cache=cache)
    return Work(recipes=(recipe,), model=model, inputs={}, preview_every_s=0)


if __name__ == "__main__":
    main()
