"""Names: every pattern's value, and no pattern that leaves the folder or trips a system."""

from __future__ import annotations

import hashlib
import ntpath
import re
import sys
import unicodedata
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.gallery.album import SOURCE, make_job
from webui.core.model import ModelKind
from webui.core.recipe import FileRef
from webui.core.request import Mode
from webui.gallery.naming import PATTERNS, NameFacts, PictureName, name_facts
from webui.imaging.infotext import Labels

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone(timedelta(hours=2)))
LABELS = Labels(samplers={"dpmpp_2m": "DPM++ 2M"}, schedules={"karras": "Karras"})
PROMPT = "a red apple, 3d style"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def facts(index: int = 0, **job: Any) -> NameFacts:
    return name_facts(make_job(**job), index, NOW, LABELS, "fe" * 32)


def name(file: str, folder: str = "", of: NameFacts | None = None) -> PictureName:
    return PictureName(folder_pattern=folder, file_pattern=file, facts=of or facts())


def stem(pattern: str, index: int = 0, **job: Any) -> str:
    return name(pattern, of=facts(index, **job)).path(7).name.removesuffix("-7")


def test_default_is_a1111s() -> None:
    path = name("[number]-[seed]", "[date]").path(12)
    assert path == PurePosixPath("txt2img-images/2026-03-04/00012-5")


@pytest.mark.parametrize(
    ("mode", "folder"),
    [
        (Mode.TXT2IMG, "txt2img-images"),
        (Mode.IMG2IMG, "img2img-images"),
        (Mode.INPAINT, "img2img-images"),
    ],
)
def test_each_tab_has_its_folder(mode: Mode, folder: str) -> None:
    assert name("[number]", of=facts(mode=mode)).path(0).parts[0] == folder


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("[number]", "00007"),
        ("[seed]", "8"),
        ("[seed_first]", "5"),
        ("[seed_last]", "10"),
        ("[steps]", "20"),
        ("[cfg]", "7"),
        ("[width]x[height]", "64x64"),
        ("[styles].", "picture"),
        ("[sampler]", "DPM++ 2M"),
        ("[sampler_scheduler]", "DPM++ 2M Karras"),
        ("[scheduler]", "Karras"),
        ("[model_hash]", "0123456789"),
        ("[model_name]", "starter"),
        ("[date]", "2026-03-04"),
        ("[datetime]", "20260304050607"),
        ("[datetime<%Y-%m-%d %H.%M>]", "2026-03-04 05.06"),
        ("[datetime<%H><UTC>]", "03"),
        ("[datetime<%H><Nowhere/Atall>]", None),
        ("[datetime<%999999999Y>]", "20260304050607"),
        ("[job_timestamp]", "20231115001320"),
        ("[prompt_hash]", sha256(PROMPT)[:8]),
        ("[prompt_hash<4>]", sha256(PROMPT)[:4]),
        ("[negative_prompt_hash]", sha256("bad")[:8]),
        ("[full_prompt_hash<x>]", sha256(f"{PROMPT} bad")[:8]),
        ("[prompt]", "a_red_apple,_3d_style"),
        ("[prompt_spaces]", "a red apple, 3d style"),
        ("[prompt_no_styles]", "a red apple, 3d style"),
        ("[prompt_words]", "a red apple 3d style"),
        ("[batch_number]", "2"),
        ("[batch_size]", "2"),
        ("[generation_number]", "4"),
        ("[hasprompt<Apple><pear>]", "apple"),
        ("[hasprompt<pear|no pear><red|blue>]", "no pearred"),
        ("[clip_skip]", "1"),
        ("[user]", "local"),
        ("[image_hash<6>]", "fefefe"),
        ("[image_hash]", "fe" * 32),
        ("[none]x", "x"),
        ("[SEED]", "8"),
        ("[unknown]", "[unknown]"),
        ("[a:b]", "[a_b]"),
        ("[seed", "[seed"),
        ("seed]", "seed]"),
        ("", "picture"),
    ],
)
def test_each_pattern_has_its_value(pattern: str, value: str | None) -> None:
    made = stem(pattern, 3, prompt=PROMPT, negative_prompt="bad", batch_size=2, batch_count=3)
    assert made == (value if value is not None else NOW.astimezone().strftime("%H"))


@pytest.mark.parametrize("pattern", ["[vae_filename]", "[denoising]", "[basename]"])
@pytest.mark.parametrize("lonely", ["[batch_number]", "[generation_number]"])
def test_pattern_without_a_value_takes_the_text_before_it_along(pattern: str, lonely: str) -> None:
    assert stem(f"[seed]-{pattern}_{lonely}.end") == "5.end"


def test_source_gives_denoising_and_basename() -> None:
    made = stem("[seed]-[denoising]-[basename]", mode=Mode.IMG2IMG)
    assert made == f"5-0.6-{SOURCE.image[:10]}"


def test_styles_vae_and_the_typed_prompt_have_their_patterns() -> None:
    plain = make_job(prompt="ink, a cat, detailed")
    vae = FileRef(
        kind=ModelKind.VAE, ref="v", id="v", name="bright", hash="0" * 64, short_hash="0" * 10
    )
    job = replace(
        plain,
        request=replace(plain.request, prompt="a cat", styles=("ink", "fine")),
        recipe=replace(plain.recipe, files=(vae,)),
    )
    made = name(
        "[styles]_[vae_filename]_[prompt_no_styles]_[seed]",
        of=name_facts(job, 0, NOW, LABELS),
    )
    assert made.path(0).name == "ink, fine_bright_a cat_5"


def test_automatic_schedule_leaves_the_sampler_alone() -> None:
    assert stem("[sampler_scheduler]", schedule="automatic") == "DPM++ 2M"


def test_there_are_a1111s_34_patterns_and_ours() -> None:
    a1111 = re.findall(
        r"\w+",
        """basename seed seed_first seed_last steps cfg width height styles sampler
        sampler_scheduler scheduler model_hash model_name date datetime job_timestamp prompt_hash
        negative_prompt_hash full_prompt_hash prompt prompt_no_styles prompt_spaces prompt_words
        batch_number batch_size generation_number hasprompt clip_skip denoising user vae_filename
        none image_hash""",
    )
    assert len(a1111) == 34
    assert set(PATTERNS) == {*a1111, "number"}


def test_slashes_of_the_pattern_make_folders_and_those_of_values_do_not() -> None:
    path = name(r"[prompt]\[number]", "x/[prompt]", of=facts(prompt="a/b\\c")).path(1)
    assert path == PurePosixPath("txt2img-images/x/a_b_c/a_b_c/00001")


def test_copies_are_counted_at_the_end_when_the_pattern_does_not_count() -> None:
    fixed = name("[seed]", "[date]")
    assert not fixed.is_numbered
    assert [fixed.path(number).name for number in range(3)] == ["5", "5-1", "5-2"]
    assert fixed.series == "txt2img-images/2026-03-04/5"


def test_number_that_a_long_prompt_pushes_out_still_counts() -> None:
    long = name("[prompt]-[number]", of=facts(prompt="林" * 500))
    paths = [long.path(number) for number in range(20)]
    assert len(set(paths)) == 20
    assert all(len(path.name.encode()) <= 200 for path in paths)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("../../etc/passwd", "txt2img-images/etc/passwd"),
        ("/etc/passwd", "txt2img-images/etc/passwd"),
        (r"C:\Windows\x", "txt2img-images/C_/Windows/x"),
        (r"\\server\share\x", "txt2img-images/server/share/x"),
        ("~/x", "txt2img-images/~/x"),
        (".trash/x", "txt2img-images/trash/x"),
        ("a/../b", "txt2img-images/a/b"),
        ("a/. /b", "txt2img-images/a/b"),
        ("con/nul.txt", "txt2img-images/_con/_nul.txt"),
        ("COM1 .x", "txt2img-images/_COM1 .x"),
        ("lpt³", "txt2img-images/_lpt³"),
        ("a\0b\x1fc\x7fd", "txt2img-images/abcd"),
        ("x\u202egnp", "txt2img-images/xgnp"),
        ("end. . ", "txt2img-images/end"),
        ('a<b>c:d|e?f*g"h', "txt2img-images/a_b_c_d_e_f_g_h"),
        ("x/" * 50 + "y", "txt2img-images/" + "x/" * 8 + "y"),
        ("folder/", "txt2img-images/folder/picture"),
        ("a\nb", "txt2img-images/a b"),
        ("e\u0301", "txt2img-images/\u00e9"),
    ],
)
def test_unsafe_names_are_made_safe(pattern: str, path: str) -> None:
    assert str(name(pattern).path(0)) == path


hostile = st.lists(
    st.one_of(
        st.sampled_from([f"[{pattern}]" for pattern in PATTERNS]),
        st.sampled_from(["../", "/", "\\", "..\\", "C:", "\\\\x\\", "con", "NUL.", ". ", "~"]),
        st.sampled_from(["[datetime<", ">]", "[hasprompt<", "|", "[", "]", "<", "%"]),
        st.sampled_from(["\0", "\ud800", "\u2028", "\u202e"]),
        st.text(max_size=12),
    ),
    max_size=12,
).map("".join)


@given(hostile, hostile, st.text(max_size=300), st.integers(0, 10**6))
@settings(max_examples=400)
@example("[prompt]", "[prompt]", "..", 0)
@example("[prompt]", "[prompt]", "CON", 1)
def test_no_pattern_leaves_the_folder_or_is_refused_by_a_system(
    folder: str, file: str, prompt: str, number: int
) -> None:
    path = name(file, folder, of=facts(prompt=prompt)).path(number)
    assert path.parts[0] == "txt2img-images"
    assert len(path.parts) <= 10
    assert not path.is_absolute()
    windows = PureWindowsPath(*path.parts)
    assert not windows.is_absolute()
    assert ntpath.normpath(str(windows)) == str(windows)
    for part in path.parts:
        assert_plain(part)


def assert_plain(part: str) -> None:
    """A name that Linux, macOS and Windows store as it is."""
    assert 0 < len(part.encode()) <= 200
    assert not set(part) & set('<>:"/\\|?*')
    assert all(unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for sign in part)
    assert part[0] not in ". "
    assert part[-1] not in ". "
    assert not is_reserved(part)
    assert part.split(".")[0].rstrip().upper() not in ("CONIN$", "CONOUT$", "COM¹", "LPT²", "COM0")


def is_reserved(part: str) -> bool:
    """Whether Windows takes a name for a device."""
    if sys.version_info >= (3, 13):
        return ntpath.isreserved(part)
    return PureWindowsPath(part).is_reserved()


@given(hostile, st.integers(0, 10**6), st.integers(0, 10**6))
def test_different_numbers_give_different_paths(file: str, one: int, other: int) -> None:
    paths = {name(file).path(number) for number in (one, other)}
    assert len(paths) == len({one, other})


def test_seed_of_a_picture_follows_its_place_in_the_job() -> None:
    assert replace(facts(2, batch_count=4)).recipe.seed == 7
