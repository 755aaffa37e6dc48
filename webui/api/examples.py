"""Examples of requests, for the description of the API."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

PROMPT: Final = "a red apple, 3d style"

EXAMPLES: Final[Mapping[tuple[str, str], Mapping[str, Any]]] = MappingProxyType(
    {
        ("post", "/api/v1/jobs"): {
            "prompt": PROMPT,
            "negative_prompt": "blurry",
            "width": 512,
            "height": 512,
            "batch_count": 2,
            "seed": 7,
            "sampling": {"sampler": "DPM++ 2M", "schedule": "Karras", "steps": 20},
        },
        ("post", "/api/v1/plans"): {
            "kind": "xyz",
            "request": {"prompt": PROMPT},
            "options": {"x": {"axis": "steps", "values": "10-30 (+10)"}},
        },
        ("post", "/api/v1/read-text"): {"text": f"{PROMPT}\nSteps: 20, Seed: 7"},
        ("post", "/api/v1/prompt"): {"prompt": PROMPT, "steps": 20},
        ("post", "/api/v1/styles"): {
            "name": "3D",
            "prompt": "{prompt}, 3d style",
            "negative_prompt": "flat",
        },
        ("post", "/api/v1/downloads"): {"address": "owner/name/model.safetensors"},
        ("post", "/api/v1/downloads/look-up"): {"address": "owner/name"},
        ("post", "/v1/images/generations"): {
            "prompt": PROMPT,
            "size": "512x512",
            "response_format": "b64_json",
        },
    }
)
