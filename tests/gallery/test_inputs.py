"""Uploads: kept as they came, once, and reached by id only."""

from __future__ import annotations

import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.conftest import png
from tests.gallery.album import draw
from webui.core.errors import DiskFull, NotFound, UnreadablePicture
from webui.core.job import LOCAL, PersonId
from webui.core.request import InputId
from webui.gallery.inputs import InputStore


@pytest.fixture
def store(tmp_path: Path) -> InputStore:
    """An empty store."""
    return InputStore(tmp_path / "inputs", tmp_path / "inputs.sqlite")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_upload_is_named_by_its_bytes_and_kept_as_it_came(store: InputStore) -> None:
    data = png()
    id = store.add(data)
    assert id == hashlib.sha256(data).hexdigest()
    assert store.path(id).read_bytes() == data
    assert store.open(id).size == (64, 64)


def test_same_upload_is_stored_once(store: InputStore, tmp_path: Path) -> None:
    assert store.add(png()) == store.add(png())
    assert len(files(tmp_path / "inputs")) == 1


def test_same_pixels_get_the_same_id(store: InputStore) -> None:
    image, again = draw(), draw()
    again.info["comment"] = "other metadata"
    assert store.add_image(image) == store.add_image(again)
    assert store.open(store.add_image(image)).tobytes() == image.tobytes()


def test_transparency_is_kept(store: InputStore) -> None:
    id = store.add_image(Image.new("RGBA", (8, 8), (1, 2, 3, 4)))
    assert store.open(id).getpixel((0, 0)) == (1, 2, 3, 4)


def test_picture_comes_out_upright(store: InputStore) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (40, 20)).save(buffer, "JPEG", exif=exif)
    assert store.open(store.add(buffer.getvalue())).size == (20, 40)


@pytest.mark.parametrize("data", [b"", b"<svg/>", png()[:-40], b"MZ" * 100])
def test_what_is_no_picture_is_not_stored(store: InputStore, tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UnreadablePicture):
        store.add(data)
    assert files(tmp_path / "inputs") == []


@pytest.mark.parametrize(
    "id", ["", "0" * 64, "../" * 20, "0" * 63, "G" * 64, "0" * 64 + "\n", "/etc/passwd", "\0"]
)
def test_unknown_id_is_not_found(store: InputStore, id: str) -> None:
    with pytest.raises(NotFound):
        store.path(InputId(id))


@pytest.fixture(scope="module")
def store_beside_devices(tmp_path_factory: pytest.TempPathFactory) -> InputStore:
    """Its folder has files that can be opened and are no uploads."""
    owners = tmp_path_factory.mktemp("owners") / "inputs.sqlite"
    return InputStore(Path(os.devnull).parent, owners)


@given(id=st.text())
def test_no_text_reaches_a_file_outside(store_beside_devices: InputStore, id: str) -> None:
    store = store_beside_devices
    with pytest.raises(NotFound):
        store.open(InputId(id))


def test_full_disk_leaves_nothing_and_says_so(small_disk: Path, tmp_path: Path) -> None:
    store = InputStore(small_disk / "inputs", tmp_path / "inputs.sqlite")
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(5 * 2**20))
    data = png(800, 800)
    noise = io.BytesIO()
    draw(side=800).save(noise, "PNG")
    with pytest.raises(DiskFull, match="is full"):
        store.add(noise.getvalue())
    assert files(small_disk) == [ballast]
    ballast.unlink()
    assert store.path(store.add(noise.getvalue())).is_file()
    assert store.path(store.add(data)).is_file()


ANN, BEN = PersonId("ann"), PersonId("ben")


def test_an_upload_belongs_to_whoever_put_it_in(store: InputStore) -> None:
    id = store.add(png(), ANN)
    assert (store.is_of(id, ANN), store.is_of(id, BEN), store.is_of(id, LOCAL)) == (
        True,
        False,
        False,
    )


def test_two_people_may_put_in_the_same(store: InputStore, tmp_path: Path) -> None:
    id = store.add(png(), ANN)
    assert store.add(png(), BEN) == id
    assert store.is_of(id, ANN)
    assert store.is_of(id, BEN)
    assert len(files(tmp_path / "inputs")) == 1


def test_uploads_older_than_the_list_are_the_owners(tmp_path: Path) -> None:
    InputStore(tmp_path / "inputs", tmp_path / "lost.sqlite").add(png(), ANN)
    store = InputStore(tmp_path / "inputs", tmp_path / "inputs.sqlite")
    id = InputId(hashlib.sha256(png()).hexdigest())
    assert store.is_of(id, LOCAL)
    assert not store.is_of(id, ANN)


def test_a_file_goes_with_the_last_who_put_it_in(store: InputStore, tmp_path: Path) -> None:
    ann, bob = PersonId("ann"), PersonId("bob")
    id = store.add(png(), ann)
    assert store.add(png(), bob) == id
    store.delete(id, ann)
    assert (store.is_of(id, ann), store.is_of(id, bob)) == (False, True)
    assert (store.of(ann), store.bytes_of(ann)) == ([], 0)
    assert store.open(id).size == (64, 64)
    store.delete(id, bob)
    assert not files(tmp_path / "inputs")
    with pytest.raises(NotFound):
        store.path(id)


def test_what_was_deleted_can_be_put_in_again(store: InputStore) -> None:
    id = store.add(png())
    store.delete(id, LOCAL)
    assert store.add(png()) == id
    assert store.bytes_of(LOCAL) == len(png())


def test_nobody_loses_what_somebody_else_deletes_in_that_moment(store: InputStore) -> None:
    ann, bob = PersonId("ann"), PersonId("bob")

    def come_and_go(_: int) -> None:
        store.delete(store.add(png(), ann), ann)

    with ThreadPoolExecutor(4) as pool:
        going = pool.map(come_and_go, range(100))
        for _ in range(50):
            id = store.add(png(), bob)
            assert store.path(id).read_bytes() == png()
            store.delete(id, bob)
        list(going)


def test_an_upload_is_as_fresh_as_when_it_was_put_in_last(store: InputStore) -> None:
    id = store.add(png())
    os.utime(store.path(id), (1000, 1000))
    assert store.put_in_at(id) == 1000
    store.add(png())
    assert store.put_in_at(id) > 1_000_000
    assert store.put_in_at(InputId("0" * 64)) == 0
