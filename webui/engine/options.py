"""What an engine of this machine can be told."""

from __future__ import annotations

from dataclasses import dataclass

from webui.engine.asking import LEGACY


@dataclass(frozen=True, kw_only=True)
class Options:
    """The settings of the same names, and where the engine keeps what it has learnt."""

    state_dir: str = ""
    """A folder for what is measured and learnt; empty: nothing outlives the engine."""
    legacy: str = LEGACY
    """What batches with old scripts run through, see asking.py."""

    use_cpu: bool = False
    device_id: str = ""
    threads: int = 0
    compile_models: bool = False
    fp8_matmul: bool = False
