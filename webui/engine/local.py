"""The engine of this machine: a Painter on a thread of its own. torch is loaded by `prepare`."""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from webui.core.codec import decode
from webui.core.engine import Work
from webui.core.errors import EngineError
from webui.core.model import ModelInfo
from webui.engine.asking import Events, take_over
from webui.engine.environment import prepare_environment
from webui.engine.host_memory import give_back_freed_memory, keep_freed_memory
from webui.engine.options import Options
from webui.engine.torch_thread import TorchThread

if TYPE_CHECKING:
    from webui.engine.device import Device
    from webui.engine.foresight import Foresight
    from webui.engine.painter import Painter

log = logging.getLogger(__name__)

REST_S: Final = 10.0
"""Without a job, until memory that is free goes back to the system."""


def create(options: Mapping[str, object]) -> LocalEngine:
    """The engine with these options, see Options; not ready yet."""
    return LocalEngine(decode(Options, options))


class LocalEngine:
    """An InProcessEngine. All of torch runs in one thread, so the caller's stays free to cancel."""

    def __init__(self, options: Options) -> None:
        self._options: Final = options
        self._thread: Final = TorchThread()
        self._painter: Painter | None = None
        self._foresight: Foresight | None = None
        self._rest = _at_rest()

    def prepare(self) -> str:
        """The device's name, after imports and self-test. Raises EngineError."""
        prepare_environment(os.environ)
        started = time.monotonic()
        try:
            device = _find_device(self._options)
            self._painter = self._thread.run(
                partial(_make_painter, device, self._options, self._thread.is_given_up)
            )
        except (ImportError, OSError) as error:
            raise EngineError(
                f"PyTorch or diffusers can't be loaded ({error}). "
                "Start again with launch.py, which repairs the installation."
            ) from error
        log.info("%s is ready after %.1f s.", device.label, time.monotonic() - started)
        return device.label

    def generate(self, work: Work) -> Events:
        """As core's Engine.generate. Before `prepare` it raises EngineError."""
        if self._painter is None:
            raise EngineError("The engine is not ready. Try again in a few seconds.")
        self._give_up_foresight()
        return self._drive(take_over(work, self._painter.paint, self._options.legacy))

    def expect(self, model: ModelInfo) -> None:
        """As core's Engine.expect. Layers of 8 bits are made from weights: there nothing can be
        built without."""
        from webui.engine.foresight import Foresight

        if self._painter is None or self._options.fp8_matmul:
            return
        self._give_up_foresight()
        self._foresight = Foresight(self._painter.manager, model)
        self._thread.begin(self._foresight.build)

    def release(self) -> None:
        """As core's Engine.release; waits until it is done."""
        self._give_up_foresight()
        if self._painter is not None:
            self._thread.run(self._painter.manager.release)

    def close(self) -> None:
        """Free the model and end the thread."""
        self._rest.cancel()
        self.release()
        self._painter = None
        self._thread.close()

    def _drive(self, events: Events) -> Events:
        self._rest.cancel()
        try:
            yield from self._thread.drive(events)
        finally:
            self._rest = _at_rest()
            self._rest.start()

    def _give_up_foresight(self) -> None:
        if self._foresight is not None:
            self._foresight.give_up()


def _at_rest() -> threading.Timer:
    """Gives free memory back when nothing was made for a while; the next picture wants it."""
    timer = threading.Timer(REST_S, give_back_freed_memory)
    timer.daemon = True
    return timer


def _can_do_fp8(device: Device) -> bool:
    """Says so where it can't."""
    from webui.engine.device import multiplies_fp8

    is_able = multiplies_fp8(device.placement.device)
    if not is_able:
        log.warning(
            "The setting fp8_matmul has no effect: %s does not multiply in 8 bits. That takes an "
            "NVIDIA GPU since Ada (RTX 40, H100). Pictures are made without; leave it out.",
            device.label,
        )
    return is_able


def _find_device(options: Options) -> Device:
    """Imports torch, 2 to 4 s of one core: hence not at the top. While torch has no thread of its
    own yet, which is to share the memory that is kept."""
    from webui.engine.device import choose_device

    device = choose_device(options)
    if device.is_cpu:
        keep_freed_memory()
    return device


def _make_painter(device: Device, options: Options, is_cancelled: Callable[[], bool]) -> Painter:
    """Imports what stands on torch, too."""
    import torch

    from webui.engine.painter import Painter
    from webui.engine.self_test import check_engine
    from webui.families import load_families
    from webui.samplers import load_samplers
    from webui.schedules import load_schedules

    torch.set_num_threads(device.threads)
    check_engine(device)
    state = Path(options.state_dir) if options.state_dir else None
    painter = Painter(
        device,
        load_families(),
        load_samplers(),
        load_schedules(),
        state,
        compiles=options.compile_models,
        is_fp8=options.fp8_matmul and _can_do_fp8(device),
        is_cancelled=is_cancelled,
    )
    gc.freeze()  # libraries' objects stay for good: no need to look through them again and again
    return painter
