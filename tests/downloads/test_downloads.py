"""Downloads from accepted to done: resumed, checked, placed, paused; nothing half done is left."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import until
from tests.downloads.conftest import Place
from tests.downloads.source import Source, lora, sha256
from webui.core.errors import InvalidRequest, NotFound
from webui.core.model import ModelKind
from webui.downloads.download import Download, DownloadState, Wish
from webui.downloads.store import DownloadStore

DONE, FAILED, PAUSED = DownloadState.DONE, DownloadState.FAILED, DownloadState.PAUSED


@pytest.fixture
def ink(place: Place) -> bytes:
    """The bytes of a LoRA, about 17 kB."""
    return lora(place.root)


def held(source: Source, data: bytes) -> threading.Event:
    """Serve data that stops in its middle until the event is set."""
    gate = threading.Event()
    source.put("/ink.safetensors", data, gate=gate, held_at=len(data) // 2)
    return gate


def half_done(place: Place, source: Source, data: bytes) -> Download:
    """A download of which some bytes are on disk, and that waits for more."""
    id = place.downloads.add(Wish(address=source.url("/ink.safetensors"))).id
    part = Path(place.downloads.get(id)[0].part)
    until(lambda: part.exists() and part.stat().st_size > 0)
    return place.downloads.get(id)[0]


def test_a_file_goes_into_the_folder_of_its_kind(place: Place, source: Source, ink: bytes) -> None:
    done = place.fetch(source.put("/some/ink.safetensors", ink))
    assert (done.state, done.note, done.label) == (DONE, "", "LoRA, SD 1.5")
    assert place.files() == ["Lora/ink.safetensors"]
    assert (place.models / "Lora/ink.safetensors").read_bytes() == ink
    assert place.told[-1].state == "done"
    until(lambda: place.catalog.models(ModelKind.LORA))
    assert place.catalog.find(sha256(ink), ModelKind.LORA).name == "ink"


def test_what_is_looked_up_is_known_before_it_is_fetched(
    place: Place, source: Source, ink: bytes
) -> None:
    url = source.put("/ink.safetensors", ink)
    file = place.downloads.look_up(url).files[0]
    assert (file.name, file.size_bytes) == ("ink.safetensors", len(ink))
    assert (file.kind, file.label, file.problem) == (ModelKind.LORA, "LoRA, SD 1.5", "")
    assert place.files() == []


def test_a_second_file_of_a_name_does_not_replace_the_first(
    place: Place, source: Source, ink: bytes
) -> None:
    place.fetch(source.put("/a/ink.safetensors", ink))
    place.fetch(source.put("/b/ink.safetensors", lora(place.root, "other")))
    assert place.files() == ["Lora/ink (2).safetensors", "Lora/ink.safetensors"]


def test_a_cut_connection_goes_on_where_it_was(place: Place, source: Source, ink: bytes) -> None:
    url = source.put("/ink.safetensors", ink, cuts=[5000, 4000])
    assert place.fetch(url).state is DONE
    asked = [headers.get("Range") for headers in source.headers_for("/ink.safetensors")]
    assert asked[-2:] == ["bytes=5000-", "bytes=9000-"]
    assert (place.models / "Lora/ink.safetensors").read_bytes() == ink


def test_a_source_that_stays_silent_pauses_the_download(
    place: Place, source: Source, ink: bytes
) -> None:
    url = source.put("/ink.safetensors", ink, cuts=[5000, 0, 0, 0, 0])
    paused = place.fetch(url)
    assert (paused.state, paused.received_bytes) == (PAUSED, 5000)
    assert "too early" in paused.note
    source.files["/ink.safetensors"].cuts.clear()
    place.downloads.resume(paused.id)
    assert place.state(paused.id, DONE).received_bytes == len(ink)


def test_a_file_that_changed_meanwhile_begins_again(
    place: Place, source: Source, ink: bytes
) -> None:
    newer = lora(place.root, "new")
    url = source.put("/ink.safetensors", ink, cuts=[5000, 0, 0, 0, 0])
    paused = place.fetch(url)
    source.put("/ink.safetensors", newer, etag='"two"')
    place.downloads.resume(paused.id)
    assert place.state(paused.id, DONE, FAILED).state is DONE
    assert (place.models / "Lora/ink.safetensors").read_bytes() == newer


def test_a_server_without_ranges_begins_again(place: Place, source: Source, ink: bytes) -> None:
    url = source.put("/ink.safetensors", ink, has_ranges=False, cuts=[5000])
    assert place.fetch(url).state is DONE
    assert (place.models / "Lora/ink.safetensors").read_bytes() == ink


def test_a_wrong_hash_sets_the_file_aside(place: Place, source: Source, ink: bytes) -> None:
    failed = place.fetch(source.put("/ink.safetensors", ink), sha256="ab" * 32)
    assert failed.state is FAILED
    assert "not the file that was promised" in failed.note
    assert place.files() == [f"Lora/ink.safetensors.{failed.id}.set-aside"]


def test_the_right_hash_is_accepted_in_capitals(place: Place, source: Source, ink: bytes) -> None:
    done = place.fetch(source.put("/ink.safetensors", ink), sha256=sha256(ink).upper())
    assert done.state is DONE


def test_a_web_page_is_refused_at_once(place: Place, source: Source) -> None:
    page = b"<!doctype html><title>Log in</title>" + b" " * 5000
    with pytest.raises(InvalidRequest, match=r"it is a web page.*a login or a token"):
        place.fetch(source.put("/model.safetensors", page))
    assert place.files() == []


def test_a_web_page_in_place_of_the_rest_is_no_model(
    place: Place, source: Source, ink: bytes
) -> None:
    url = source.put("/ink.safetensors", ink, cuts=[0, 0, 0, 0])
    paused = place.fetch(url)
    source.put("/ink.safetensors", b"<html>" + b" " * 5000)
    place.downloads.resume(paused.id)
    assert "it is a web page" in place.state(paused.id, FAILED).note


def test_too_little_room_pauses(place: Place, source: Source, ink: bytes) -> None:
    place.set(keep_free_bytes=10**18)
    paused = place.fetch(source.put("/ink.safetensors", ink))
    assert paused.state is PAUSED
    assert "too little room" in paused.note
    place.set(keep_free_bytes=0)
    place.downloads.resume(paused.id)
    assert place.state(paused.id, DONE)


def test_a_disk_that_gets_full_on_the_way_pauses(place: Place, source: Source, ink: bytes) -> None:
    gate = held(source, ink)
    download = half_done(place, source, ink)
    place.downloads.pause(download.id)
    place.state(download.id, PAUSED)
    gate.set()
    place.set(keep_free_bytes=10**18)
    place.downloads.resume(download.id)
    until(lambda: "too little room" in place.state(download.id, PAUSED).note)
    assert Path(download.part).stat().st_size > 0


def test_a_folder_that_can_not_be_written_pauses(place: Place, source: Source, ink: bytes) -> None:
    place.models.mkdir()
    (place.models / "Lora").write_bytes(b"in the way")
    paused = place.fetch(source.put("/ink.safetensors", ink))
    assert (paused.state, "Check the disk" in paused.note) == (PAUSED, True)
    (place.models / "Lora").unlink()
    place.downloads.resume(paused.id)
    assert place.state(paused.id, DONE)


def test_a_source_that_says_nothing_is_given_up(
    new_place: Callable[..., Place], source: Source, tmp_path: Path
) -> None:
    place = new_place(silence_s=0.2, waits_s=())
    data = lora(tmp_path)
    held(source, data)
    paused = place.fetch(source.url("/ink.safetensors"))
    assert (paused.state, paused.received_bytes) == (PAUSED, len(data) // 2)
    assert "did not answer in time" in paused.note


def test_a_failed_download_is_begun_anew_with_what_is_known_now(
    place: Place, source: Source, ink: bytes
) -> None:
    url = source.put("/ink.safetensors", ink)
    assert place.fetch(url, sha256="ab" * 32).state is FAILED
    assert place.fetch(url, sha256=sha256(ink)).state is DONE
    assert len(place.downloads.all()) == 1


def test_more_than_is_wanted_is_refused(place: Place, source: Source, ink: bytes) -> None:
    place.set(most_bytes=1000)
    failed = place.fetch(source.put("/ink.safetensors", ink))
    assert failed.state is FAILED
    assert "the most that a download may have" in failed.note


def test_more_than_is_wanted_is_refused_when_its_length_is_not_told(
    place: Place, source: Source, ink: bytes
) -> None:
    place.set(most_bytes=1000)
    url = source.put("/ink.safetensors", ink, has_length=False, has_ranges=False)
    assert place.fetch(url).state is FAILED


def test_a_paused_download_keeps_what_it_has(place: Place, source: Source, ink: bytes) -> None:
    gate = held(source, ink)
    download = half_done(place, source, ink)
    place.downloads.pause(download.id)
    paused = place.state(download.id, PAUSED)
    assert paused.note == ""
    gate.set()
    place.downloads.resume(download.id)
    assert place.state(download.id, DONE)
    assert (place.models / "Lora/ink.safetensors").read_bytes() == ink


def test_a_cancelled_download_leaves_nothing(place: Place, source: Source, ink: bytes) -> None:
    held(source, ink)
    download = half_done(place, source, ink)
    place.downloads.remove(download.id)
    until(lambda: not place.downloads.all())
    assert place.files() == []
    assert until(lambda: place.told[-1].state == "removed")
    with pytest.raises(NotFound):
        place.downloads.get(download.id)


def test_a_download_goes_on_after_the_server_ended(
    place: Place, source: Source, ink: bytes
) -> None:
    gate = held(source, ink)
    download = half_done(place, source, ink)
    place.downloads.close()
    gate.set()
    place.start()
    assert place.state(download.id, DONE).received_bytes == len(ink)
    asked = [headers.get("Range") for headers in source.headers_for("/ink.safetensors")]
    assert re.fullmatch(r"bytes=[1-9]\d*-", asked[-1] or "")


def test_one_download_at_a_time_if_so_set(place: Place, source: Source, ink: bytes) -> None:
    gate = held(source, ink)
    first = half_done(place, source, ink)
    second = place.downloads.add(Wish(address=source.put("/b.safetensors", ink)))
    assert place.downloads.get(second.id)[0].state is DownloadState.WAITING
    gate.set()
    assert place.state(first.id, DONE)
    assert place.state(second.id, DONE)


def test_a_download_is_not_begun_twice(place: Place, source: Source, ink: bytes) -> None:
    held(source, ink)
    first = half_done(place, source, ink)
    assert place.downloads.add(Wish(address=first.address)).id == first.id


def test_a_file_that_is_here_is_named(place: Place, source: Source, ink: bytes) -> None:
    place.fetch(source.put("/ink.safetensors", ink))
    source.put("/again.safetensors", ink, headers={"X-Linked-Etag": f'"{sha256(ink)}"'})
    offered = place.downloads.look_up(source.url("/again.safetensors")).files[0]
    assert offered.here == "Lora/ink.safetensors"


def test_a_restart_in_the_moment_of_moving_leaves_one_file(
    place: Place, source: Source, ink: bytes
) -> None:
    """As if the server had been killed after the file was moved and before that was noted."""
    done = place.fetch(source.put("/ink.safetensors", ink))
    place.downloads.close()
    store = DownloadStore(place.root / "data" / "downloads.sqlite")
    store.save(replace(done, state=DownloadState.CHECKING))
    store.close()
    place.start()
    assert place.state(done.id, DONE)
    assert place.files() == ["Lora/ink.safetensors"]


def test_a_hash_that_is_none_is_refused(place: Place, source: Source, ink: bytes) -> None:
    with pytest.raises(InvalidRequest, match="is no sha256"):
        place.fetch(source.put("/ink.safetensors", ink), sha256="abc")


def test_no_request_goes_out_unasked(new_place: Callable[..., Place], source: Source) -> None:
    new_place()
    assert source.asked == []
