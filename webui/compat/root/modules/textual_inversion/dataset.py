"""Pictures for training, which is not built in; a pattern that scripts ask for."""

from __future__ import annotations

import re

from webui.compat.missing import unprovided

re_numbers_at_start = re.compile(r"^[-\d]+\s*")

__getattr__ = unprovided(__name__)
