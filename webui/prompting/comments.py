"""Comments: from # to the end of the line. They are gone before anything else is read.

A1111 cuts at every #. We leave it where a person hardly means a comment: right behind a letter or a
digit ("C#"), in a colour ("#ff8800", "#f80"), and behind a backslash.
"""

from __future__ import annotations

import re
from typing import Final

COMMENT: Final = re.compile(
    r"""
    (?<! [\w\\] ) \#
    (?! (?: (?=[a-f]*\d) [0-9a-f]{3} (?:[0-9a-f]{3})? | f{3} | f{6} ) (?!\w) )   # no colour
    [^\n]*
    """,
    re.VERBOSE | re.IGNORECASE,
)
