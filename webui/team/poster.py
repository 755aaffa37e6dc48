"""What the terminal shows when others can come: the addresses, best first, and a code to scan.

The link lets somebody in, so it goes to the terminal only and never into the log.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TextIO

import segno

HALF_BLOCKS: Final = "▀▄█"


@dataclass(frozen=True, kw_only=True)
class Poster:
    """What is shown."""

    addresses: Sequence[str]
    """Where others find the page, the most likely one first."""
    join: str = ""
    """What stands behind the address in a link that lets somebody in; "" when there is none."""
    is_behind_proxy: bool = False
    """Whether only a proxy on this machine brings others, under a name of its own."""
    fingerprint: str = ""
    """Of a certificate that browsers will warn of; "" when they won't."""

    def show(self, screen: TextIO) -> None:
        """Write it, with the code to scan if the screen can show one."""
        screen.write(self.text(has_code=screen.isatty() and _can_show(screen)))
        screen.flush()

    def text(self, *, has_code: bool) -> str:
        """All of it, as lines."""
        if self.is_behind_proxy:
            return (
                "\nThe server listens to this machine alone, as the setting listen says: others "
                "come only through a proxy on it.\nBehind the name that people type, this lets one "
                f"person in, for a day:\n\n    {self.join}\n\n"
                "Invite more people in the tab Team.\n\n"
            )
        if not self.addresses:
            return (
                "\nThis machine is in no network now, so nobody else can come. Connect it; the "
                "address is shown at the next start.\n\n"
            )
        first, *others = self.addresses
        parts = ["\nOthers in your network can come now. This link lets one person in, for a day:"]
        parts.append(f"\n    {first}{self.join}\n")
        if has_code:
            parts.append(code(f"{first}{self.join}"))
        if others:
            parts += ["The studio is also at", *(f"    {address}" for address in others), ""]
        if self.fingerprint:
            parts += [
                "Browsers will warn once that nobody vouches for the certificate. Its fingerprint "
                "(SHA-256) is",
                f"    {self.fingerprint}",
                "",
            ]
        parts.append("Invite more people in the tab Team.\n\n")
        return "\n".join(parts)


def code(link: str) -> str:
    """A link as a code to scan with a phone, in half blocks."""
    drawn = io.StringIO()
    segno.make_qr(link, error="l").terminal(drawn, compact=True, border=2)
    return drawn.getvalue()


def _can_show(screen: TextIO) -> bool:
    try:
        HALF_BLOCKS.encode(screen.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
