"""Albums on disk: whose they are, what they hold, how long a link is good."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from webui.albums.album import AlbumId, AlbumWish
from webui.albums.albums import DAY_S, MOST_ALBUMS, MOST_LINKS, Albums
from webui.core.errors import InvalidRequest, NotFound
from webui.core.job import PersonId

ANN, BEN = PersonId("ann"), PersonId("ben")


@dataclass
class Clock:
    """Goes on when it is told to."""

    now: float = field(default=1_000_000.0)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def albums(tmp_path: Path, clock: Clock) -> Iterator[Albums]:
    made = Albums(tmp_path / "albums.sqlite", clock)
    yield made
    made.close()


def test_an_album_keeps_its_pictures_in_order_each_once(albums: Albums) -> None:
    album = albums.create(AlbumWish(title="Cats"), ANN)
    for picture in ("c", "a", "b", "a"):
        albums.put(album.id, picture)
    albums.take(album.id, "c")
    contents = albums.contents(album)
    assert (contents.pictures, contents.total) == (["a", "b"], 2)
    assert albums.contents(album, offset=1, limit=1).pictures == ["b"]


def test_an_album_survives_a_restart(albums: Albums, tmp_path: Path) -> None:
    made = albums.create(AlbumWish(title="Cats", is_for_team=True), ANN)
    token = albums.link(made.id, days=1).token
    again = Albums(tmp_path / "albums.sqlite", Clock())
    assert again.get(made.id) == made
    assert again.opened_by(token) == made
    again.close()


def test_only_what_is_for_the_team_is_listed_for_others(albums: Albums) -> None:
    own = albums.create(AlbumWish(title="Mine"), ANN)
    team = albums.create(AlbumWish(title="Ours", is_for_team=True), ANN)
    assert [album.title for album in albums.of(ANN)] == ["Ours", "Mine"]
    assert albums.for_team(BEN) == [team]
    assert albums.for_team(ANN) == []
    albums.change(own.id, AlbumWish(title="Now ours", is_for_team=True))
    assert [album.title for album in albums.for_team(BEN)] == ["Ours", "Now ours"]


def test_a_link_is_good_until_its_time_is_over(albums: Albums, clock: Clock) -> None:
    album = albums.create(AlbumWish(title="Cats"), ANN)
    link = albums.link(album.id, days=2)
    clock.now += 2 * DAY_S
    assert albums.opened_by(link.token) == album
    clock.now += 1
    with pytest.raises(NotFound):
        albums.opened_by(link.token)
    assert albums.links(album.id) == []


def test_a_revoked_link_opens_nothing_and_others_go_on(albums: Albums) -> None:
    album = albums.create(AlbumWish(title="Cats"), ANN)
    first, second = albums.link(album.id, days=1), albums.link(album.id, days=1)
    albums.revoke(album.id, first.id)
    with pytest.raises(NotFound):
        albums.opened_by(first.token)
    assert albums.opened_by(second.token) == album


def test_a_token_is_kept_nowhere(albums: Albums, tmp_path: Path) -> None:
    token = albums.link(albums.create(AlbumWish(title="Cats"), ANN).id, days=1).token
    files = [path.read_bytes() for path in tmp_path.iterdir()]
    assert not any(token.encode() in data for data in files)


def test_a_removed_album_takes_its_links_along(albums: Albums) -> None:
    album = albums.create(AlbumWish(title="Cats"), ANN)
    token = albums.link(album.id, days=1).token
    albums.remove(album.id)
    with pytest.raises(NotFound):
        albums.get(album.id)
    with pytest.raises(NotFound):
        albums.opened_by(token)


def test_nobody_fills_the_disk_with_albums_or_links(albums: Albums) -> None:
    album = albums.create(AlbumWish(title="Cats"), ANN)
    for _ in range(MOST_LINKS):
        albums.link(album.id, days=1)
    with pytest.raises(InvalidRequest, match="Revoke"):
        albums.link(album.id, days=1)
    for _ in range(MOST_ALBUMS - 1):
        albums.create(AlbumWish(title="More"), ANN)
    with pytest.raises(InvalidRequest, match="albums"):
        albums.create(AlbumWish(title="More"), ANN)
    assert albums.create(AlbumWish(title="Mine"), BEN).owner == BEN


def test_unknown_albums_are_not_found(albums: Albums) -> None:
    with pytest.raises(NotFound):
        albums.get(AlbumId("../../etc/passwd"))
