"""Who is to blame when the page can't be built, as far as that can be told."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path

from webui.extend.extension import Extension
from webui.extend.manifest import Kind


def culprits_of(error: BaseException, extensions: Sequence[Extension]) -> list[str]:
    """Ids of the extensions that are on and whose code raised; where nobody's did, all scripts of
    A1111: they may change what others use, and share their modules."""
    on = [extension for extension in extensions if extension.is_on]
    named = [each.id for each in on if _is_in(error, each)]
    return named or [each.id for each in on if each.kind is Kind.A1111]


def _is_in(error: BaseException, extension: Extension) -> bool:
    place = (extension.file or extension.folder).resolve()
    files = [Path(frame.filename).resolve() for frame in traceback.extract_tb(error.__traceback__)]
    return any(file == place or place in file.parents for file in files)
