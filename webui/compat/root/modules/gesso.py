"""What of the program stands behind these modules, in this process. Not a name of A1111's."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Side:
    """State of the layer: what is loaded, what was told, and the job at work."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        """Names that were asked for and are not there."""
        self.job: Any = None
        """webui.compat.bridge.Bridge of the job that is being made, in the engine's process."""
        self.folders: dict[str, Path] = {}
        """Extensions that are loaded, by id."""
        self.stamp: Any = None
        self.errors: dict[str, str] = {}
        """Tracebacks of extensions that failed, by id."""
        self.loading = ""
        """The id of the extension whose files are being loaded."""
        self.passing: tuple[type[BaseException], ...] = ()
        """What calls of scripts must not hold up."""
        self.heard: list[Any] = []
        """Functions that are told of each call of a script's function (gesso_calls.Call)."""
        self.runners: dict[bool, Any] = {}
        """Of jobs, by is_img2img, where the page has drawn those of modules.scripts."""
        self.told: dict[str, Any] = {}
        """What the server says of itself, see webui.compat.told."""
        self.model: Any = None
        """core.model.ModelInfo of the checkpoint in use."""
        self.engine: Any = None
        """What makes pictures, in the engine's process, see sd_models; None on the fake engine."""
        self.asked: list[str] = []
        """What scripts wanted installed or fetched, in words, for the doctor."""
        self.studio: Any = None
        """The Studio, in the server's process only."""


side = Side()
