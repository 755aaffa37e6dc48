"""Lists of extensions: ours, and A1111's read into the same form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.downloads.source import serving_files
from tests.installs.making import make_house
from webui.core.errors import InvalidRequest
from webui.installs.doctor import Outcome
from webui.installs.index import Index, Listed, Tried, merged, read_a1111, search, shipped_index
from webui.installs.source import same_place

ROWS = [
    {
        "name": "Words",
        "url": "https://github.com/Ada/Words.git",
        "description": "finds words",
        "added": "2023-06-23",
        "tags": ["prompting", "tab"],
    },
    {"name": "Old way", "url": "git://example.org/old"},
    {"url": "https://gitlab.com/ada/bare"},
    "nonsense",
]


def listing(rows: object) -> bytes:
    return json.dumps({"tags": {}, "extensions": rows}).encode()


def test_a1111s_list_is_read() -> None:
    words, bare = read_a1111(listing(ROWS)).entries
    assert (words.name, words.tags, words.added) == ("Words", ("prompting", "tab"), "2023-06-23")
    assert (bare.name, bare.description) == ("https://gitlab.com/ada/bare", "")


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"extensions": 3}', b'{"extensions": [{}]}', b"[" * 100_000]
)
def test_what_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_a1111(data)


def test_what_we_know_is_added_to_what_a_list_says() -> None:
    tried = Tried(outcome=Outcome.PARTLY, commit="a" * 40, note="no grid")
    ours = Index(
        entries=(
            Listed(name="words", address="https://www.github.com/ada/words", tried=(tried,)),
            Listed(name="Own", address="https://github.com/own/own", built_in="Use X."),
        )
    )
    own, words, _ = merged(ours, read_a1111(listing(ROWS))).entries
    assert (words.name, words.tried) == ("Words", (tried,))
    assert own.built_in == "Use X."


def test_words_and_tags_are_searched_for() -> None:
    entries = read_a1111(listing(ROWS)).entries
    assert [entry.name for entry in search(entries, "FINDS ada")] == ["Words"]
    assert search(entries, "finds", tag="script") == []


def test_our_own_list_is_in_order() -> None:
    entries = shipped_index().entries
    places = [same_place(entry.address) for entry in entries]
    assert len(set(places)) == len(places)
    assert all(entry.built_in or entry.tried for entry in entries)


def test_the_list_is_fetched_only_when_asked_and_kept(tmp_path: Path, as_before: None) -> None:
    with serving_files() as source:
        source.put("/index.json", listing(ROWS))
        address = source.url("/index.json")
        house = make_house(tmp_path, hosts=[source.host], index_address=address)
        assert "Words" not in [entry.name for entry in house.installs.indexes.now().entries]
        assert source.asked == []
        house.installs.indexes.fetch()
    again = make_house(tmp_path, index_address=address)
    assert "Words" in [entry.name for entry in again.installs.indexes.now().entries]
