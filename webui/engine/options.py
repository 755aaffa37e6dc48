"""What an engine of this machine can be told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Options:
    """The settings of the same names."""

    use_cpu: bool = False
    device_id: str = ""
    threads: int = 0
