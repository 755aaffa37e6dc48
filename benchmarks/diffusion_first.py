"""The first picture of a new process, by the engine as it is shipped: until its model is ready, and
until its first step. Run by benchmarks/diffusion.py; its arguments are a checkpoint, a folder for
what an engine learns, and 1 if the model was the one used last."""

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
"""From the engine's being ready to somebody's wish: it builds ahead meanwhile."""
SIDE = 1024


def main() -> None:
    """Print the seconds."""
    file, state, is_last = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "1"
    from webui.core.events import Progress
    from webui.engine.environment import prepare_environment
    from webui.engine.local import create

    prepare_environment(os.environ)
    shutil.rmtree(state, ignore_errors=True)
    work = _work(file)
    if is_last:
        from webui.engine.last_model import LastModel

        LastModel(state / "last-model.json").note(work.model)
    with closing(create({"state_dir": str(state)})) as engine:
        started = time.perf_counter()
        engine.prepare()
        told = {"prepare_s": time.perf_counter() - started}
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


def _work(file: Path) -> Work:
    from webui.core.engine import Work
    from webui.core.model import ModelInfo, ModelKind
    from webui.core.recipe import ModelRef, Recipe

    model = ModelInfo(
        id=file.stem,
        name=file.stem,
        kind=ModelKind.CHECKPOINT,
        family="sdxl",
        path=file,
        size_bytes=file.stat().st_size,
    )
    recipe = Recipe(
        prompt="a red fox in deep snow",
        negative_prompt="",
        model=ModelRef(id=model.id, name=model.name, family=model.family, hash=""),
        width=SIDE,
        height=SIDE,
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
