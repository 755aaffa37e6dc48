"""What libraries read from the environment, set before they are imported."""

from __future__ import annotations

from collections.abc import MutableMapping
from types import MappingProxyType
from typing import Final

VARIABLES: Final = MappingProxyType(
    {
        # no library asks the hub for anything
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "DIFFUSERS_VERBOSITY": "error",
        "TOKENIZERS_PARALLELISM": "false",
        # threads that wait for others sleep instead of spinning. Starter model, two threads on
        # two cores: beside two busy processes 6 steps a second instead of less than 1, alone 18
        # instead of 25. Steps of real models are so much longer that this should hardly show
        "OMP_WAIT_POLICY": "PASSIVE",
        # the same sums on every run of a GPU
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        # a GPU's memory in pieces that grow: pictures of changing sizes leave no gaps behind, in
        # which nothing fits any more. Where it is unknown it is passed over
        "PYTORCH_ALLOC_CONF": "expandable_segments:True",
    }
)


def prepare_environment(environment: MutableMapping[str, str]) -> None:
    """Set what is not set; what the person set stays."""
    for name, value in VARIABLES.items():
        environment.setdefault(name, value)
