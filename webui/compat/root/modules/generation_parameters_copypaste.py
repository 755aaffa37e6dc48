"""The older name of infotext_utils: the same objects."""

from __future__ import annotations

from modules import infotext_utils
from modules.infotext_utils import *  # noqa: F403

__getattr__ = infotext_utils.__getattr__
