"""How loosely A1111 reads values: types for the fields of its requests.

Programs compute sizes and steps and send what comes out, 12.5 steps as well; A1111 cuts that off.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator


def _cut(value: Any) -> Any:
    return int(value) if isinstance(value, float) and math.isfinite(value) else value


def _written(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


Whole = Annotated[int, BeforeValidator(_cut)]
"""A whole number; what stands behind the point of another one does not count."""
Text = Annotated[str, BeforeValidator(_written)]
"""A text, or a number as one."""
