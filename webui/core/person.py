"""Who asks: people, their roles, and the credential that they show."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from webui.core.job import LOCAL, PersonId


class Role(StrEnum):
    """What somebody may do; each role may do all that the ones before it may."""

    VIEWER = "viewer"
    """Looks at what was shared with them."""
    ARTIST = "artist"
    """Makes pictures; sees and changes what is theirs."""
    OWNER = "owner"
    """Runs the server: people, models, settings, the whole queue."""

    def covers(self, other: Role) -> bool:
        """Whether this role may do all that `other` may."""
        return _ORDER.index(self) >= _ORDER.index(other)


_ORDER: Final = (Role.VIEWER, Role.ARTIST, Role.OWNER)


class Via(StrEnum):
    """How somebody showed who they are."""

    LOCAL = "local"
    """Not at all: the server listens to this machine only and asks nobody."""
    SESSION = "session"
    """With the cookie of a browser that signed in."""
    KEY = "key"
    """With an API key."""
    PASSWORD = "password"
    """With name and password at each request (HTTP Basic)."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who sent a request. The gate puts it into the ASGI scope under CALLER."""

    id: PersonId
    name: str
    role: Role
    """The lower one of the person's and of the credential's: a key may be for looking only."""
    via: Via
    credential: str = ""
    """The id of the session or key, by which it can be revoked; "" when there is none."""


CALLER: Final = "gesso.caller"
"""The scope's key for the Caller; None, or absent, when nobody is signed in."""

LOCAL_OWNER: Final = Caller(id=LOCAL, name="", role=Role.OWNER, via=Via.LOCAL)
"""Everyone, on a server that only this machine reaches."""
