"""What an album is, and a link to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, NewType

from annotated_types import Ge, Le, MaxLen, MinLen

from webui.core.job import PersonId

AlbumId = NewType("AlbumId", str)
LinkId = NewType("LinkId", str)

Title = Annotated[str, MinLen(1), MaxLen(100)]
MOST_DAYS: Final = 365


@dataclass(frozen=True, kw_only=True)
class Album:
    """Some of a person's pictures, in the order in which they were put in."""

    id: AlbumId
    owner: PersonId
    title: str
    is_for_team: bool
    """Whether everyone who can sign in may look at it."""
    shows_recipes: bool
    """Whether others may see how its pictures were made; else they get the bare pixels."""
    created_at: float


@dataclass(frozen=True, kw_only=True)
class AlbumWish:
    """An album that somebody wants to have."""

    title: Title
    is_for_team: bool = False
    shows_recipes: bool = False


@dataclass(frozen=True, kw_only=True)
class LinkWish:
    """A link that somebody wants to hand out; it shows the album to whoever has it."""

    days: Annotated[int, Ge(1), Le(MOST_DAYS)] = 7


@dataclass(frozen=True, kw_only=True)
class Link:
    """A link to an album. Its token is told once, when it is made; only its hash is kept."""

    id: LinkId
    album: AlbumId
    created_at: float
    expires_at: float


@dataclass(frozen=True, kw_only=True)
class NewLink(Link):
    """A link that was made just now."""

    token: str


@dataclass(frozen=True, kw_only=True)
class Contents:
    """An album with the ids of its pictures, in order, and how many there are in all."""

    album: Album
    pictures: Sequence[str]
    total: int
