"""The first picture of a new process, by the engine as it is shipped: until its model is ready, and
until its first step. Run by benchmarks/diffusion.py; its arguments are a checkpoint, a folder for
what an engine learns, and what came before: "nothing"; "told", as the studio tells the engine what
to expect; "used", another model's picture, then the same."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if TYPE_CHECKING:
    from webui.core.engine import Work

IDLE_S = 6.0
"""From the engine's being ready to somebody's wish: it builds ahead meanwhile, if it is told."""
SIDE = 1024
STARTER = Path(__file__).resolve().parents[1] / "models" / "starter"
STARTER_SIDE = 256


def main() -> None:
    """Print the seconds."""
    file, state, before = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    from webui.core.events import Progress
    from webui.engine.environment import prepare_environment
    from webui.engine.local import create

    prepare_environment(os.environ)
    shutil.rmtree(state, ignore_errors=True)
    work = _work(file, "sdxl", SIDE)
    with closing(create({"state_dir": str(state)})) as engine:
        started = time.perf_counter()
        engine.prepare()
        told = {"prepare_s": time.perf_counter() - started}
        if before == "used":
            list(engine.generate(_work(STARTER, "sd15", STARTER_SIDE)))
        if before != "nothing":
            engine.expect(work.model)
        time.sleep(IDLE_S)
        started = time.perf_counter()
        events = engine.generate(work)
        for event in events:
            if isinstance(event, Progress):
                told.setdefault("ready_s", time.perf_counter() - started)
                if event.step:
                    told["first_step_s"] = time.perf_counter() - started
                    break
        events.close()
    print(json.dumps(told))


def _work(file: Path, family: str, side: int) -> Work:
    from webui.core.engine import Work
    from webui.core.model import ModelInfo, ModelKind
    from webui.core.recipe import ModelRef, Recipe

    model = ModelInfo(
        id=file.stem,
        name=file.stem,
        kind=ModelKind.CHECKPOINT,
        family=family,
        path=file,
        size_bytes=file.stat().st_size,
    )
    recipe = Recipe(
        prompt="a red fox in deep snow",
        negative_prompt="",
        model=ModelRef(id=model.id, name=model.name, family=model.family, hash=""),
        width=side,
        height=side,
        seed=7,
        sampler="euler",
        schedule="automatic",
        steps=4,
        guidance_scale=5.0,
        clip_skip=1,
        version="",
    )
    return Work(recipes=(recipe,), model=model, inputs={}, preview_every_s=0)


if __name__ == "__main__":
    main()
