"""What extensions cost that do nothing: a job with five of them, and one with none.

    python benchmarks/extensions.py [--rounds 30] [--jobs 4] [--engine starter] [--side 256]

Each of the five has hooks of the server (job_start, prompt, image_post, image_save_before and
_after, job_end) and of the engine (all that a picture from words alone goes through), and each hook
does nothing. They are switched on and off between the turns of one studio, so other work on the
machine hits both sides alike; a turn is some jobs, one after the other, since the clock of
processors ticks in hundredths. Prints JSON: seconds of a job from the request to its end, as a
person waits them and of processors (server and engine together), the medians of the ratios of
neighbouring turns, and how long switching one on and off takes. `--engine fake` has no model: a
job is then nothing but what surrounds one (`--step-s` is how long it waits at each step).

"step_ms" is counted apart, without a network, since other work on the machine hides it otherwise:
processor time of the five extensions' fifteen calls at one step.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psutil

from webui.core.events import Failed, Finished, Message
from webui.core.request import GenerationRequest, Sampling
from webui.engine.process import EngineProcess
from webui.settings import SettingsStore
from webui.studio import Studio

MODULE = """
from webui.extend import hook

@hook
def job_start(request, inputs, ctx): return None
@hook
def prompt(words, inputs, ctx): return None
@hook
def image_post(item, inputs, ctx): return None
@hook
def image_save_before(item, inputs, ctx): return None
@hook
def image_save_after(saved, inputs, ctx): return None
@hook
def job_end(end, inputs, ctx): return None
"""
ENGINE = """
from webui.extend import hook

@hook
def batch_start(batch, inputs, ctx): return None
@hook
def noise(noise, inputs, ctx): return None
@hook
def conditioning(cond, inputs, ctx): return None
@hook
def step_before(state, inputs, ctx): return None
@hook
def guidance(guess, inputs, ctx): return None
@hook
def step_after(state, inputs, ctx): return None
@hook
def latents_final(latents, inputs, ctx): return None
@hook
def decode(latents, inputs, ctx): return None
@hook
def batch_end(items, inputs, ctx): return None
"""
IDS = tuple(f"nothing-{number}" for number in range(5))
PATIENCE_S = 300
STEPS = 500


def main() -> None:
    """Take turns, print figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=("starter", "fake"), default="starter")
    parser.add_argument("--step-s", type=float, default=0.0)
    for name, default in (
        ("rounds", 30),
        ("jobs", 4),
        ("side", 256),
        ("steps", 20),
        ("threads", 1),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        root = Path(folder)
        write_extensions(root / "extensions")
        studio = open_studio(root, options)
        stack.callback(studio.close)
        figures = measured(Rig(studio, options), options.rounds)
        figures["step_ms"] = round(step_ms(root / "extensions"), 3)
        print(json.dumps({**vars(options), **figures}))


def write_extensions(folder: Path) -> None:
    """Five folders."""
    for id in IDS:
        (folder / id).mkdir(parents=True)
        (folder / id / "extension.toml").write_text(f'id = "{id}"\nname = "{id}"\n')
        (folder / id / "__init__.py").write_text(MODULE)
        (folder / id / "engine.py").write_text(ENGINE)


def open_studio(root: Path, options: argparse.Namespace) -> Studio:
    """A running studio with one engine in a process of its own, and nothing shipped on."""
    shipped = Path(__file__).resolve().parent.parent / "extensions"
    names = ",".join(path.name for path in shipped.iterdir() if path.is_dir())
    settings = SettingsStore({"data_dir": str(root), "keep_free_mb": 0, "ext_off": names})
    if options.engine == "fake":
        chosen = {"seconds_per_step": options.step_s}
        engine = EngineProcess("fake", "webui.engine.fake:create", chosen)
    else:
        chosen = {"use_cpu": True, "threads": options.threads}
        engine = EngineProcess("local", "webui.engine.local:create", chosen)
    studio = Studio(settings, [engine])
    studio.start()
    return studio


class Rig:
    """Makes one picture at a time and knows when it is there."""

    def __init__(self, studio: Studio, options: argparse.Namespace) -> None:
        self.studio = studio
        self._jobs = options.jobs
        self._over = threading.Event()
        studio.bus.subscribe(self._hear)
        sampling = Sampling(steps=options.steps, sampler="dpmpp_2m")
        side = options.side
        self._request = GenerationRequest(
            prompt="a red apple, 3d style", seed=7, width=side, height=side, sampling=sampling
        )

    def turn(self) -> tuple[float, float]:
        """Seconds of one job, waited and of processors, in the mean of a turn."""
        began, busy = time.perf_counter(), processor_s()
        for _ in range(self._jobs):
            self.job()
        spent = time.perf_counter() - began, processor_s() - busy
        return spent[0] / self._jobs, spent[1] / self._jobs

    def job(self) -> None:
        """One, until it is over."""
        self._over.clear()
        self.studio.submit(self._request)
        if not self._over.wait(PATIENCE_S):
            raise TimeoutError("The job did not end.")

    def switch(self, *, is_on: bool) -> list[float]:
        """Seconds for each of the five."""
        extensions = self.studio.extensions
        return [
            timed(partial(extensions.enable if is_on else extensions.disable, id)) for id in IDS
        ]

    def _hear(self, message: Message) -> None:
        if isinstance(message.event, Failed):
            raise RuntimeError(message.event.reason)
        if isinstance(message.event, Finished):
            self._over.set()


def step_ms(folder: Path) -> float:
    """Milliseconds of a processor that a step's hooks take, latents of 256 x 256 pixels."""
    import torch

    from webui.engine.extensions.calls import Calls, Participant
    from webui.engine.extensions.loading import hooks_of
    from webui.engine.extensions.steps import StepHooks
    from webui.extend import Context
    from webui.extend.loading import load_file

    log = logging.getLogger()
    calls = Calls(
        Participant(
            id=id,
            name=id,
            hooks=hooks_of(load_file("benchmark", id, folder / id / "engine.py")),
            ctx=Context(extension=id, settings={}, data=folder, log=log),
        )
        for id in IDS
    )
    hooks, x = StepHooks(calls, [], STEPS), torch.randn(1, 4, 32, 32)
    with torch.inference_mode():
        began = time.process_time()
        for step in range(STEPS):
            hooks.before(x, 1.0, step)
            hooks.combined(x, 1.0, step, 4.0, (x, x, x))
            hooks.after(x, 1.0, step, x)
        return (time.process_time() - began) / STEPS * 1000


def processor_s() -> float:
    """Of this process and those that it started, so far."""
    here = psutil.Process()
    times = [each.cpu_times() for each in (here, *here.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def timed(run: Callable[[], object]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def measured(rig: Rig, rounds: int) -> dict[str, object]:
    """Figures after two turns that are not counted."""
    turns: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    switches: dict[bool, list[float]] = {True: [], False: []}
    for round_ in range(-2, rounds):
        for is_on in (True, False) if round_ % 2 else (False, True):
            spent = rig.switch(is_on=is_on)
            rig.job()  # the engine reads code that it has not seen yet
            times = rig.turn()
            if round_ >= 0:
                switches[is_on] += spent
                turns[is_on].append(times)
    figures: dict[str, object] = {}
    for place, name in enumerate(("seconds", "processor_s")):
        on, off = ([each[place] for each in turns[is_on]] for is_on in (True, False))
        ratios = [with_ / without for with_, without in zip(on, off, strict=True)]
        figures[name] = {
            "five": round(statistics.median(on), 4),
            "none": round(statistics.median(off), 4),
            "ratio": round(statistics.median(ratios), 4),
            "ratio_of_sums": round(sum(on) / sum(off), 4),
        }
    figures["enable_s"] = round(max(switches[True]), 4)
    figures["disable_s"] = round(max(switches[False]), 4)
    return figures


if __name__ == "__main__":
    main()
