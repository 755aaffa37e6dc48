"""What the denoiser and each kind of guidance cost on the starter model.

    python benchmarks/guidance.py [--threads 1] [--rounds 5] [--side 256] [--steps 20] [--only ...]

Each run is `steps` calls at falling noise levels, without sampler and decoding. "bare" calls the
network alone with the same rows. The runs take turns, so that other work on the machine hits all
alike; what counts are the ratios to the bare calls of the same turn. Prints JSON: the median ratio,
and the least and largest. CPU only.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from webui.core.request import FreeU, Guidance, Tiling
from webui.engine.environment import prepare_environment

KINDS = {
    "plain": Guidance(),
    "skip_first_0.25": Guidance(skip_first=0.25),
    "skip_below_always_2": Guidance(skip_below=2.0, skip_below_always=True),
    "rescale": Guidance(rescale=0.7),
    "dynamic_thresholding": Guidance(mimic_scale=4.0, mimic_percentile=0.99),
    "freeu": Guidance(freeu=FreeU()),
    "perturbed_attention": Guidance(perturbed_attention=3.0),
    "self_attention": Guidance(self_attention=0.75),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("threads", 1), ("rounds", 5), ("side", 256), ("steps", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--only", nargs="*", help="names of runs; all without it")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    prepare_environment(os.environ)
    import torch

    torch.set_num_threads(options.threads)
    with torch.inference_mode():
        runs = _runs(options)
        if options.only:
            runs = {name: runs[name] for name in ("bare", *options.only)}
        seconds = {name: [] for name in runs}
        for _ in range(options.rounds + 1):
            for name, run in runs.items():
                started = time.process_time()
                run()
                seconds[name].append(time.process_time() - started)
    bare = seconds.pop("bare")[1:]
    print(json.dumps({"bare_s": round(statistics.median(bare), 3), **_ratios(seconds, bare)}))


def _ratios(seconds: dict[str, list[float]], bare: list[float]) -> dict[str, list[float]]:
    """Median, least and largest ratio; the first turn warms up."""
    found = {}
    for name, each in seconds.items():
        ratios = sorted(own / base for own, base in zip(each[1:], bare, strict=True))
        found[name] = [round(x, 3) for x in (statistics.median(ratios), ratios[0], ratios[-1])]
    return found


def _runs(options: argparse.Namespace) -> dict[str, Callable[[], object]]:
    """What takes turns, by name."""
    import torch

    from webui.engine.denoise import Denoiser
    from webui.engine.tiling import tiled

    asked, steps = _asked(options), options.steps
    network, levels = asked.components.diffusion_model, asked.levels
    plan = _plan(asked.components, steps)
    sigmas = [levels.sigma(levels.last_timestep * (1 - i / steps)) for i in range(steps)]
    x = torch.randn((1, 4, options.side // 8, options.side // 8))

    def bare() -> None:
        said = plan.at(0)
        text = torch.cat([said.positive[0].text.tokens, said.negative.tokens])
        rows = torch.cat([x, x]).to(network.dtype)
        for sigma in sigmas:
            network(rows, torch.tensor(levels.timestep(sigma)), text, return_dict=False)

    def run(guidance: Guidance, tiling: Tiling = Tiling.NONE, *, is_exact: bool = False) -> None:
        with tiled(network, asked.components.vae, tiling):
            denoise = Denoiser(asked, plan, guidance, 4.0, calls_total=steps, is_exact=is_exact)
            for sigma in sigmas:
                denoise(x * sigma, sigma)

    return {
        "bare": bare,
        **{name: partial(run, guidance) for name, guidance in KINDS.items()},
        "tiling": partial(run, Guidance(), Tiling.BOTH),
        "exact": partial(run, Guidance(), is_exact=True),
    }


def _asked(options: argparse.Namespace) -> Any:
    """The starter model, asked in the plain way."""
    import torch

    from webui.engine.architectures.architecture import Frame
    from webui.engine.architectures.sd import ARCHITECTURE
    from webui.engine.denoise import Asked
    from webui.engine.graphs.runner import EagerRunner
    from webui.engine.memory.thrift import Thrift
    from webui.engine.pipeline_manager import PipelineManager
    from webui.families import load_families
    from webui.families.components import Placement
    from webui.families.sd15 import FAMILY
    from webui.schedules.noise_levels import NoiseLevels

    placement = Placement(device=torch.device("cpu"), dtype=torch.bfloat16, is_channels_last=True)
    starter = FAMILY.load(Path(__file__).parents[1] / "models" / "starter", placement)
    return Asked(
        components=starter,
        architecture=ARCHITECTURE,
        levels=NoiseLevels(starter.betas),
        frame=Frame(width=options.side, height=options.side),
        runner=EagerRunner(starter.diffusion_model),
        thrift=Thrift(PipelineManager(load_families(), placement)),
    )


def _plan(components: Any, steps: int) -> Any:
    """What the network is told."""
    from webui.core.request import Emphasis
    from webui.engine.architectures.sd import SdText
    from webui.engine.conditioning import PromptEncoder

    return PromptEncoder(SdText(components)).plan(
        "a red apple, 3d style",
        "",
        clip_skip=1,
        emphasis=Emphasis.ORIGINAL,
        steps=steps,
        calls_per_step=1,
        is_guided=True,
    )


if __name__ == "__main__":
    main()
