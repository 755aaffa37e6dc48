"""A whole server without a page, for tests that kill it: it does what its standard input says.

    submit <pictures> <prompt>    accept a job; answers "accepted <id>" when that is done
    plan <cells>                  begin a plan of so many seeds; answers "accepted <id>"
    finish                        run until no job is open and no plan has anything left to do,
                                  its failed cells tried once more; end in order, answer "finished"

It tells on standard output, unasked: "engine <pid>" for each life of the engine's process,
"waiting <reason>" when the queue can't go on and when it can again.
"""

from __future__ import annotations

import json
import logging
import sys
import threading

from webui.core.engine import EngineState
from webui.core.errors import DiskFull
from webui.core.events import EngineChanged, Message, Waiting
from webui.core.request import GenerationRequest, Sampling
from webui.engine.process import EngineProcess, Limits
from webui.plans.plan import PlanRequest
from webui.settings import SettingsStore
from webui.studio import Studio


def main() -> None:
    """Serve; the one argument is JSON: settings, factory, options, size, steps."""
    plan = json.loads(sys.argv[1])
    logging.basicConfig(level=logging.WARNING)
    engine = EngineProcess("test", plan["factory"], plan["options"], Limits(backoff_s=0.05))
    studio = Studio(SettingsStore(plan["settings"]), [engine])
    over = threading.Event()

    def tell(message: Message) -> None:
        if isinstance(message.event, EngineChanged):
            if engine.status().state is EngineState.READY:
                say("engine", engine.pid)
        elif isinstance(message.event, Waiting):
            say("waiting", message.event.reason)
        over.set()

    studio.bus.subscribe(tell)
    studio.start()
    try:
        for line in sys.stdin:
            command, _, rest = line.strip().partition(" ")
            if command == "submit":
                submit(studio, plan, rest)
            elif command == "plan":
                say("accepted", studio.plans.begin(seeds(plan, int(rest))).id)
            elif command == "finish":
                for begun in studio.plans.recent():
                    studio.plans.retry(begun.id)
                while is_busy(studio):
                    over.wait(0.2)
                    over.clear()
                break
    finally:
        studio.close()
    say("finished")


def is_busy(studio: Studio) -> bool:
    """Whether anything is left to do."""
    plans = studio.plans.recent()
    return bool(studio.jobs.open_jobs()) or not all(plan.is_settled for plan in plans)


def seeds(plan: dict[str, int], cells: int) -> PlanRequest:
    """A plot along the seeds from 1."""
    request = GenerationRequest(
        prompt="a plan",
        width=plan["size"],
        height=plan["size"],
        sampling=Sampling(steps=plan["steps"]),
    )
    options = {"x": {"axis": "seed", "values": f"1-{cells}"}}
    return PlanRequest(kind="xyz", request=request, options=options)


def submit(studio: Studio, plan: dict[str, int], rest: str) -> None:
    """Accept a job, or say why not."""
    pictures, _, prompt = rest.partition(" ")
    request = GenerationRequest(
        prompt=prompt,
        width=plan["size"],
        height=plan["size"],
        batch_size=min(2, int(pictures)),
        batch_count=max(1, int(pictures) // 2),
        sampling=Sampling(steps=plan["steps"]),
    )
    try:
        say("accepted", studio.submit(request).id)
    except DiskFull as full:
        say("refused", full)


def say(*words: object) -> None:
    """One line to whoever started this; in one piece, whatever thread says it."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
