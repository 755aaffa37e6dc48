"""The gallery from outside: what was saved is there, whole, once, and can be found."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.gallery.album import draw, make_job, open_gallery, read
from webui.core.errors import InvalidRequest, NotFound
from webui.core.job import PersonId
from webui.core.request import Mode
from webui.gallery.gallery import Gallery
from webui.imaging.infotext import Labels
from webui.imaging.picture_text import read_picture_text
from webui.settings import Settings

LOCAL = PersonId("local")


def ids(gallery: Gallery, **query: object) -> list[str]:
    """Job ids of a page: what the tests name pictures by."""
    return [picture.job_id for picture in gallery.page(LOCAL, **query)]  # type: ignore[arg-type]


def test_saved_picture_is_on_disk_with_its_pixels_and_recipe(
    gallery: Gallery, tmp_path: Path
) -> None:
    job, image = make_job(), draw()
    picture = gallery.save(job, 0, image, {"device": "CPU"})
    assert picture.path.is_relative_to(tmp_path / "outputs" / "txt2img-images")
    assert read(picture.path).tobytes() == image.tobytes()
    record = read_picture_text(picture.path).record
    assert record is not None
    assert (record.recipe, record.facts) == (job.recipe, {"device": "CPU"})
    assert (record.job_id, record.index, record.owner) == (job.id, 0, LOCAL)


def test_infotext_names_sampler_and_schedule_as_a1111_does(gallery: Gallery) -> None:
    infotext = read_picture_text(gallery.save(make_job(), 0, draw()).path).infotext
    assert "Sampler: DPM++ 2M, Schedule type: Karras, " in infotext


def test_labels_can_be_given(tmp_path: Path) -> None:
    labels = Labels(samplers={"dpmpp_2m": "Mine"})
    gallery = Gallery(tmp_path / "o", tmp_path / "d", Settings, labels=labels)
    path = gallery.save(make_job(), 0, draw()).path
    gallery.close()
    assert "Sampler: Mine, " in read_picture_text(path).infotext


def test_second_save_gives_the_first_picture(gallery: Gallery, tmp_path: Path) -> None:
    first = gallery.save(make_job(), 0, draw(1))
    assert gallery.save(make_job(), 0, draw(2)) == first
    assert len(list((tmp_path / "outputs").rglob("*.png"))) == 1


def test_picture_and_page_survive_a_restart(tmp_path: Path) -> None:
    first = open_gallery(tmp_path)
    picture = first.save(make_job(), 0, draw(), {"device": "CPU"})
    first.close()
    second = open_gallery(tmp_path)
    assert second.page(LOCAL) == [picture]
    assert second.get(picture.id) == picture
    second.close()


def test_pictures_of_a_job_are_told_by_index(gallery: Gallery) -> None:
    job = make_job(batch_count=3)
    for index in (2, 0):
        gallery.save(job, index, draw(index))
    assert gallery.indices(job.id) == {0, 2}
    assert [picture.index for picture in gallery.of_job(job.id)] == [0, 2]
    assert [picture.recipe.seed for picture in gallery.of_job(job.id)] == [5, 7]


def test_numbers_count_on_within_the_folder(gallery: Gallery) -> None:
    names = [gallery.save(make_job(f"j{i}"), 0, draw()).path.name for i in range(3)]
    assert names == ["00000-5.png", "00001-5.png", "00002-5.png"]


def test_numbers_count_on_after_a_restart_and_behind_strangers(tmp_path: Path) -> None:
    first = open_gallery(tmp_path)
    folder = first.save(make_job("a"), 0, draw()).path.parent
    first.close()
    (folder / "00041-other.png").write_bytes(b"not ours")
    (folder / "20240101-holiday.jpg").write_bytes(b"a date is no number")
    second = open_gallery(tmp_path)
    assert second.save(make_job("b"), 0, draw()).path.name == "00042-5.png"
    second.close()


def test_number_of_a_trashed_picture_is_not_given_again(tmp_path: Path) -> None:
    first = open_gallery(tmp_path)
    first.trash(first.save(make_job("a"), 0, draw()).id)
    first.close()
    second = open_gallery(tmp_path)
    assert second.save(make_job("b"), 0, draw()).path.name == "00001-5.png"
    second.close()


def test_file_that_is_in_the_way_is_never_replaced(tmp_path: Path) -> None:
    settings = Settings(filename_pattern="[seed]", folder_pattern="")
    gallery = open_gallery(tmp_path, lambda: settings)
    folder = tmp_path / "outputs" / "txt2img-images"
    folder.mkdir(parents=True)
    (folder / "5.png").write_bytes(b"mine")
    (folder / "5-1.png").symlink_to("nowhere")
    (folder / "5-2.png").mkdir()
    assert gallery.save(make_job("a"), 0, draw()).path.name == "5-3.png"
    assert gallery.save(make_job("b"), 0, draw()).path.name == "5-4.png"
    gallery.close()
    assert (folder / "5.png").read_bytes() == b"mine"


def test_file_that_appears_between_two_saves_is_never_replaced(gallery: Gallery) -> None:
    folder = gallery.save(make_job("a"), 0, draw()).path.parent
    (folder / "00001-5.png").write_bytes(b"another program's")
    assert gallery.save(make_job("b"), 0, draw()).path.name == "00002-5.png"
    assert (folder / "00001-5.png").read_bytes() == b"another program's"


@pytest.mark.parametrize(("format", "suffix"), [("jpeg", ".jpg"), ("webp", ".webp")])
def test_format_is_a_setting(tmp_path: Path, format: str, suffix: str) -> None:
    gallery = open_gallery(tmp_path, lambda: Settings(picture_format=format))
    picture = gallery.save(make_job(), 0, draw())
    gallery.close()
    assert picture.path.suffix == suffix
    assert read(picture.path).format == format.upper()


def test_patterns_are_settings_and_can_change_while_running(tmp_path: Path) -> None:
    patterns = {"filename_pattern": "[prompt]-[number]", "folder_pattern": "x/[sampler]"}
    current = [Settings()]
    gallery = open_gallery(tmp_path, lambda: current[0])
    current[0] = Settings(**patterns)
    path = gallery.save(make_job(), 0, draw()).path
    gallery.close()
    assert path == tmp_path / "outputs/txt2img-images/x/DPM++ 2M/a_red_apple-00000.png"


def test_image_hash_pattern_hashes_the_pixels(tmp_path: Path) -> None:
    gallery = open_gallery(tmp_path, lambda: Settings(filename_pattern="[image_hash<8>]"))
    names = [gallery.save(make_job(str(i)), 0, draw(i)).path.stem for i in (1, 2)]
    gallery.close()
    assert len(set(names)) == 2
    assert all(len(name) == 8 for name in names)


def test_pages_are_newest_first_and_lead_on(gallery: Gallery) -> None:
    for number in range(7):
        gallery.save(make_job(f"j{number}"), 0, draw())
    first = gallery.page(LOCAL, limit=3)
    second = gallery.page(LOCAL, before=first[-1].id, limit=3)
    third = gallery.page(LOCAL, before=second[-1].id, limit=3)
    jobs = [picture.job_id for picture in (*first, *second, *third)]
    assert jobs == ["j6", "j5", "j4", "j3", "j2", "j1", "j0"]


def test_order_does_not_follow_the_clock(tmp_path: Path) -> None:
    times = iter([1_700_000_000.0, 1_600_000_000.0, 1_650_000_000.0])
    gallery = Gallery(tmp_path / "o", tmp_path / "d", Settings, clock=lambda: next(times))
    for id in ("a", "b", "c"):
        gallery.save(make_job(id), 0, draw())
    assert ids(gallery) == ["c", "b", "a"]
    gallery.close()


def test_page_can_be_of_one_tab(gallery: Gallery) -> None:
    for mode in Mode:
        gallery.save(make_job(mode, mode=mode), 0, draw())
    assert ids(gallery, mode=Mode.INPAINT) == ["inpaint"]
    assert ids(gallery, mode=Mode.IMG2IMG) == ["img2img"]


def test_page_shows_only_ones_own(gallery: Gallery) -> None:
    gallery.save(make_job("a", owner=PersonId("ann")), 0, draw())
    gallery.save(make_job("b"), 0, draw())
    assert ids(gallery) == ["b"]
    assert [picture.job_id for picture in gallery.page(PersonId("ann"))] == ["a"]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("apple", ["c", "a"]),
        ("APPL", ["c", "a"]),
        ("apple green", ["c"]),
        ("blurry", ["b"]),
        ("starter", ["d", "c", "b", "a"]),
        ("林檎", ["d"]),
        ("ÄPFEL", ["d"]),
        ("100%", ["b"]),
        ("0%", ["b"]),
        ("a_b", ["b"]),
        ("\\", ["b"]),
        ("%", ["b"]),
        ("plum", []),
        ("' OR 1=1 --", []),
    ],
)
def test_search_finds_all_words(tmp_path: Path, search: str, found: list[str]) -> None:
    gallery = open_gallery(tmp_path)
    gallery.save(make_job("a", "a red apple"), 0, draw())
    gallery.save(make_job("b", "100% a_b \\ sky", negative_prompt="blurry"), 0, draw())
    gallery.save(make_job("c", "green apples on a table"), 0, draw())
    gallery.save(make_job("d", "卓上の林檎, äpfel"), 0, draw())
    assert ids(gallery, search=search) == found
    gallery.close()


def test_trashed_picture_leaves_the_pages_and_its_folder(gallery: Gallery, tmp_path: Path) -> None:
    picture = gallery.save(make_job(), 0, draw())
    trashed = gallery.trash(picture.id)
    assert gallery.page(LOCAL) == []
    assert gallery.of_job(picture.job_id) == []
    assert gallery.page(LOCAL, trashed=True) == [trashed]
    assert not picture.path.exists()
    assert trashed.path.is_relative_to(tmp_path / "outputs" / ".trash")
    assert read(trashed.path).tobytes() == draw().tobytes()


def test_trashed_picture_counts_as_made(gallery: Gallery) -> None:
    """A job that runs again after a crash must not make again what the person threw away."""
    picture = gallery.save(make_job(), 0, draw())
    gallery.trash(picture.id)
    assert gallery.indices(picture.job_id) == {0}
    assert gallery.save(make_job(), 0, draw(1)).is_trashed


def test_restored_picture_is_where_it_was(gallery: Gallery) -> None:
    picture = gallery.save(make_job(), 0, draw())
    gallery.trash(picture.id)
    assert gallery.restore(picture.id) == picture
    assert read(picture.path).tobytes() == draw().tobytes()
    assert gallery.page(LOCAL) == [picture]
    assert gallery.page(LOCAL, trashed=True) == []


def test_restored_picture_makes_room_for_a_stranger(gallery: Gallery) -> None:
    picture = gallery.save(make_job(), 0, draw())
    gallery.trash(picture.id)
    picture.path.write_bytes(b"mine")
    restored = gallery.restore(picture.id)
    assert restored.path.parent == picture.path.parent
    assert read(restored.path).tobytes() == draw().tobytes()
    assert picture.path.read_bytes() == b"mine"


def test_trashing_and_restoring_twice_is_harmless(gallery: Gallery) -> None:
    picture = gallery.save(make_job(), 0, draw())
    assert gallery.trash(picture.id) == gallery.trash(picture.id)
    assert gallery.restore(picture.id) == gallery.restore(picture.id)


def test_picture_that_somebody_deleted_can_be_trashed_but_not_restored(gallery: Gallery) -> None:
    picture = gallery.save(make_job(), 0, draw())
    picture.path.unlink()
    assert gallery.trash(picture.id).is_trashed
    with pytest.raises(NotFound):
        gallery.restore(picture.id)


def test_trash_is_emptied_after_thirty_days(tmp_path: Path) -> None:
    now = 1_700_000_000.0
    gallery = open_gallery(tmp_path, clock=lambda: now)
    old, new = (gallery.save(make_job(id), 0, draw()) for id in ("old", "new"))
    gallery.trash(old.id)
    now += 20 * 86_400
    gallery.trash(new.id)
    now += 11 * 86_400
    gallery.close()
    gallery = open_gallery(tmp_path, clock=lambda: now)
    assert ids(gallery, trashed=True) == ["new"]
    with pytest.raises(NotFound):
        gallery.get(old.id)
    gallery.close()
    assert [path.name for path in (tmp_path / "outputs").rglob("*.png")] == [
        f"00001-5.{new.id}.png"
    ]
    assert len(list((tmp_path / "data" / "thumbnails").rglob("*.webp"))) == 1


def test_only_what_is_in_the_trash_is_deleted_for_good(gallery: Gallery, tmp_path: Path) -> None:
    picture = gallery.save(make_job(), 0, draw())
    with pytest.raises(InvalidRequest, match="not in the trash"):
        gallery.delete(picture.id)
    gallery.trash(picture.id)
    gallery.delete(picture.id)
    for action in (gallery.get, gallery.restore, gallery.delete):
        with pytest.raises(NotFound):
            action(picture.id)
    assert gallery.page(LOCAL, trashed=True) == []
    for folder in ("outputs", "data/thumbnails"):
        assert not [path for path in (tmp_path / folder).rglob("*") if path.is_file()]


def test_a_deleted_picture_takes_no_more_room(gallery: Gallery) -> None:
    kept, gone = (gallery.save(make_job(id), 0, draw()) for id in "ab")
    gallery.trash(gone.id)
    assert gallery.disk_use.of(LOCAL) > kept.path.stat().st_size
    gallery.delete(gone.id)
    assert gallery.disk_use.of(LOCAL) == kept.path.stat().st_size


def test_the_trash_is_emptied_for_one_person(gallery: Gallery) -> None:
    mine = [gallery.save(make_job(id), 0, draw()) for id in "abc"]
    other = gallery.save(make_job("d", owner=PersonId("ann")), 0, draw())
    for picture in (*mine[1:], other):
        gallery.trash(picture.id)
    assert gallery.empty_trash(LOCAL) == 2
    assert gallery.page(LOCAL, trashed=True) == []
    assert gallery.page(LOCAL) == [mine[0]]
    assert gallery.restore(other.id) == other
    assert gallery.empty_trash(LOCAL) == 0


def test_a_server_that_runs_for_months_forgets_what_is_old_too(tmp_path: Path) -> None:
    now = 1_700_000_000.0
    gallery = open_gallery(tmp_path, clock=lambda: now)
    old, new = (gallery.save(make_job(id), 0, draw()) for id in ("old", "new"))
    gallery.trash(old.id)
    now += 31 * 86_400
    gallery.trash(new.id)
    assert ids(gallery, trashed=True) == ["new"]
    gallery.close()


@pytest.mark.parametrize("id", ["", "x", "../../etc/passwd", "a' OR 1=1"])
def test_unknown_picture_is_not_found(gallery: Gallery, id: str) -> None:
    for action in (gallery.get, gallery.trash, gallery.restore, gallery.thumbnail):
        with pytest.raises(NotFound):
            action(id)
    with pytest.raises(NotFound):
        gallery.page(LOCAL, before=id)


def test_thumbnail_is_a_small_webp(gallery: Gallery) -> None:
    picture = gallery.save(make_job(), 0, draw(side=512))
    thumbnail = read(gallery.thumbnail(picture.id))
    assert (thumbnail.format, thumbnail.size) == ("WEBP", (384, 384))


def test_thumbnail_of_a_small_picture_keeps_its_size(gallery: Gallery) -> None:
    picture = gallery.save(make_job(), 0, draw(side=64))
    assert read(gallery.thumbnail(picture.id)).size == (64, 64)


@pytest.mark.parametrize("damage", [b"", b"RIFF\x08\0\0\0WEBP", None])
def test_missing_or_damaged_thumbnail_is_made_again(gallery: Gallery, damage: bytes | None) -> None:
    picture = gallery.save(make_job(), 0, draw())
    path = gallery.thumbnail(picture.id)
    whole = path.read_bytes()
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    assert read(gallery.thumbnail(picture.id)).size == (64, 64)
    assert path.stat().st_size > len(whole) / 2


def test_thumbnail_of_a_deleted_file_is_not_found(gallery: Gallery) -> None:
    picture = gallery.save(make_job(), 0, draw())
    gallery.thumbnail(picture.id).unlink()
    picture.path.unlink()
    with pytest.raises(NotFound):
        gallery.thumbnail(picture.id)


def test_many_threads_save_each_picture_once(gallery: Gallery, tmp_path: Path) -> None:
    """Eight threads, every picture three times over, all at once."""
    job = make_job(batch_count=40)
    with ThreadPoolExecutor(8) as pool:
        pictures = list(pool.map(lambda i: gallery.save(job, i % 40, draw(i)), range(120)))
    assert gallery.indices(job.id) == frozenset(range(40))
    assert len({picture.path for picture in pictures}) == 40
    files = sorted(path.name for path in (tmp_path / "outputs").rglob("*.png"))
    assert [name[:5] for name in files] == [f"{number:05d}" for number in range(40)]
    assert {picture.path.name for picture in pictures} == set(files)
