"""What is wrong with a pickled file, before it is known which model it is."""

from __future__ import annotations

import struct
from typing import Final


class Damage(ValueError):
    """A file is not as PyTorch writes them; says how, in a sentence that begins with "it"."""


class Hostile(Damage):
    """A file names something that no model needs and that could do harm."""


WHATEVER: Final = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(EOFError, struct.error, RecursionError, MemoryError),
)
"""What reading damaged and hostile bytes may lead to beside Damage, itself a ValueError."""
