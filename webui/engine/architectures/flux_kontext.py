"""Flux.1 Kontext: dev that was taught to change pictures it is shown."""

from __future__ import annotations

from dataclasses import replace

from webui.engine.architectures import flux

ARCHITECTURE = replace(flux.ARCHITECTURE, id="flux_kontext", has_references=True)
