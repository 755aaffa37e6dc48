"""How far the job is, and whether it is to go on: what scripts read and set."""

from __future__ import annotations

import datetime
import threading
import time
from typing import Any

from webui.compat.missing import unprovided


class State:
    """The job at work. `job_count` and `job_no` count its sub-jobs."""

    def __init__(self) -> None:
        self.skipped = False
        self.interrupted = False
        self.stopping_generation = False
        self.job = ""
        self.job_no = 0
        self.job_count = 0
        self.processing_has_refined_job_count = False
        self.job_timestamp = "0"
        self.sampling_step = 0
        self.sampling_steps = 0
        self.current_latent: Any = None
        self.current_image: Any = None
        self.current_image_sampling_step = 0
        self.id_live_preview = 0
        self.textinfo: str | None = None
        self.time_start: float | None = None
        self.server_start = time.time()
        self.oom = False
        self.server_command: str | None = None
        self.need_restart = False
        self._server_command_signal = threading.Event()

    @property
    def server_command_signal(self) -> threading.Event:
        """Set when the server is asked to end; here nobody does."""
        return self._server_command_signal

    def skip(self) -> None:
        """Leave the picture at work out."""
        self.skipped = True

    def interrupt(self) -> None:
        """End the job."""
        self.interrupted = True

    def stop_generating(self) -> None:
        """End the job after the picture at work."""
        self.stopping_generation = True

    def request_restart(self) -> None:
        """Scripts can't restart the server: this ends the job."""
        self.interrupt()

    def nextjob(self) -> None:
        """A sub-job is done."""
        self.job_no += 1
        self.sampling_step = 0
        self.current_image_sampling_step = 0

    def dict(self) -> dict[str, Any]:
        """What the API tells of it."""
        return {
            "skipped": self.skipped,
            "interrupted": self.interrupted,
            "stopping_generation": self.stopping_generation,
            "job": self.job,
            "job_count": self.job_count,
            "job_timestamp": self.job_timestamp,
            "job_no": self.job_no,
            "sampling_step": self.sampling_step,
            "sampling_steps": self.sampling_steps,
        }

    def begin(self, job: str = "(unknown)") -> None:
        """A job begins."""
        self.sampling_step = 0
        self.sampling_steps = 0
        self.job_count = -1
        self.processing_has_refined_job_count = False
        self.job_no = 0
        self.job_timestamp = datetime.datetime.now().strftime("%Y%m%d%H%M%S")
        self.current_latent = None
        self.current_image = None
        self.current_image_sampling_step = 0
        self.id_live_preview = 0
        self.skipped = False
        self.interrupted = False
        self.stopping_generation = False
        self.textinfo = None
        self.time_start = time.time()
        self.job = job

    def end(self) -> None:
        """The job is over."""
        self.job = ""
        self.job_count = 0

    def set_current_image(self) -> None:
        """Previews are the engine's business."""

    def do_set_current_image(self) -> None:
        """Previews are the engine's business."""

    def assign_current_image(self, image: Any) -> None:
        """Show a picture while the job runs."""
        self.current_image = image
        self.id_live_preview += 1


__getattr__ = unprovided(__name__)
