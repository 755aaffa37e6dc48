"""Verdicts as a table for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from webui.doctor.verdict import Verdict

WIDEST_NAME = 44


def as_table(verdicts: Sequence[Verdict]) -> str:
    """One line each, and the sums below."""
    width = min(WIDEST_NAME, max((len(each.extension) for each in verdicts), default=0))
    lines = [
        f"{each.extension[:width]:<{width}}  {each.grade:<6}  {each.seconds:5.1f} s  "
        f"{each.sentence}"
        for each in verdicts
    ]
    return "\n".join([*lines, "", summary(verdicts)])


def summary(verdicts: Sequence[Verdict]) -> str:
    """How many of each grade."""
    counts = Counter(each.grade.value for each in verdicts)
    parts = [f"{count} {grade}" for grade, count in sorted(counts.items(), reverse=True)]
    return f"{len(verdicts)} examined: {', '.join(parts) or 'none'}."
