"""How much of a part should stay on the device. Pure.

Streaming costs nothing as long as a forward takes longer than its copies. So a card with a fast
link may keep room free for other parts at no price, and one with a slow link should not.
"""

from __future__ import annotations

from typing import Final

USABLE_LINK: Final = 0.8
"""Of a link's speed, what copies beside computing reach (77 to 89 % measured)."""


def resident_bytes(
    *,
    part_bytes: int,
    free_bytes: int,
    working_bytes: int,
    beside_bytes: int = 0,
    link_bytes_per_s: float,
    forward_s: float,
) -> int:
    """What a part may take of the device, slots included.

    `working_bytes` is what activations need, `beside_bytes` what other parts would need to stay
    there too. They yield where streaming more of this part for them would make its forward slower.
    """
    room = max(0, free_bytes - working_bytes)
    kept = max(0, room - beside_bytes)
    if part_bytes <= kept:
        return part_bytes
    hidden = USABLE_LINK * link_bytes_per_s * forward_s
    if part_bytes - kept <= hidden:
        return kept
    return min(part_bytes, room)


def streamed_forward_s(*, streamed_bytes: int, link_bytes_per_s: float, forward_s: float) -> float:
    """Seconds of a forward that takes `forward_s` with all weights there."""
    return max(forward_s, streamed_bytes / (USABLE_LINK * link_bytes_per_s))
