"""Templates filled in: which choices there are, and that the seed alone decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webui.prompting.faults import WrongPrompt
from webui.prompting.wildcards import expand, wildcard_names

FILES: Mapping[str, str] = {
    "animal.txt": "cat\ndog\n\n# not a horse\nowl # at night\n",
    "art/style.txt": "oil\nink\n",
    "art/old/style.txt": "fresco\n",
    "art/medium.txt": "paper\n",
    "scene.txt": "a __animal__ in {red|blue}\n",
    "often.txt": "9::common\n1::rare\n",
    "loop.txt": "x __loop__\n",
    "empty.txt": "# nothing\n",
    "bom.txt": "\ufeffonly\r\n",
    "hair_color.txt": "#ff8800\n",
}
ANIMALS = ("cat", "dog", "owl")
SEEDS = range(200)
NOWHERE = Path("no such folder")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("wildcards")
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    (root.parent / "secret.txt").write_text("secret")
    return root


def outcomes(template: str, folder: Path = NOWHERE) -> set[str]:
    return {expand(template, seed, folder) for seed in SEEDS}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("a {red|blue} car", {"a red car", "a blue car"}),
        ("{red|}x", {"redx", "x"}),
        ("{a|{b|c}}", {"a", "b", "c"}),
        ("{2$$a|b}", {"a, b", "b, a"}),
        ("{2$$ and $$a|b}", {"a and b", "b and a"}),
        ("{5$$a|b}", {"a, b", "b, a"}),
        ("{0-1$$a|b}", {"", "a", "b"}),
        ("{-1$$a|b}", {"", "a", "b"}),
        ("{2-$$a|b}", {"a, b", "b, a"}),
        ("{0::a|b}", {"b"}),
        ("{[a|b]|c}", {"[a|b]", "c"}),
        ("[{a|b}|c]", {"[a|c]", "[b|c]"}),
        ("__animal__", {"cat", "dog", "owl"}),
        ("__ANIMAL__", {"cat", "dog", "owl"}),
        ("{2$$__animal__}", {f"{a}, {b}" for a in ANIMALS for b in ANIMALS if a != b}),
        ("__art/style__", {"oil", "ink"}),
        ("__art/*__", {"oil", "ink", "fresco", "paper"}),
        ("__*/style__", {"oil", "ink", "fresco"}),
        ("__medium__", {"paper"}),
        ("__bom__", {"only"}),
        ("__hair_color__", {"#ff8800"}),
        ("{__bom__|x}", {"only", "x"}),
        ("__scene__", {f"a {a} in {c}" for a in ANIMALS for c in ("red", "blue")}),
    ],
)  # fmt: skip
def test_a_template_has_these_outcomes(template: str, expected: set[str], folder: Path) -> None:
    assert outcomes(template, folder) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a plain prompt",
        "{prompt}, oil",
        "a {b|d{:.5] c",
        "} a {",
        r"\{a\|b\} \__animal__",
        "snake__case",
        "______",
        "__a __",
        "__../secret__",
        "[a|b] (c:1.2)",
    ],
)
def test_what_is_no_template_stays(text: str) -> None:
    assert outcomes(text) == {text}


@pytest.mark.parametrize("template", ["{a|a}# or __nothing__", "a# {b|c}", "{a # b|c}\n|a}"])
def test_comments_hold_no_choices(template: str) -> None:
    """And are gone: what was a comment behind a brace would be text behind a letter."""
    assert {text.strip() for text in outcomes(template)} <= {"a", "a# b", "a# c", "{a \n|a}"}


def test_odds_decide_how_often(folder: Path) -> None:
    often = Counter(expand("__often__", seed, folder) for seed in range(1000))
    assert 850 < often["common"] < 950
    said = Counter(expand("{0.25::a|0.75::b}", seed, folder) for seed in range(1000))
    assert 180 < said["a"] < 320


def test_a_seed_always_gives_the_same() -> None:
    """These choices were made once and must stay, or pictures could not be made again."""
    template = "{cat|dog|owl}, {a|b|c|d}, {2$$x|y|z}"
    drawn = [expand(template, seed, NOWHERE) for seed in (0, 1, 2**32 - 1)]
    assert drawn == ["dog, a, x, y", "dog, d, x, z", "cat, a, z, x"]


def test_neighbouring_seeds_and_the_two_prompts_draw_apart() -> None:
    template = "{" + "|".join(map(str, range(1000))) + "}"
    drawn = [expand(template, seed, NOWHERE) for seed in range(50)]
    other = [expand(template, seed, NOWHERE, "negative_prompt") for seed in range(50)]
    assert len(set(drawn)) > 40
    assert sum(a == b for a, b in zip(drawn, other, strict=True)) < 3


@pytest.mark.parametrize(
    ("template", "position", "words"),
    [
        ("a __animl__", 2, "no wildcard “animl” at character 3 (“__animl__”). Did you mean"),
        ("a __zzzz__", 2, "Add the file"),
        ("a {b|__zzzz__}", 2, "no wildcard “zzzz”"),
        ("a __loop__", 2, "hold themselves"),
        ("a __empty__", 2, "has no lines"),
        ("__art/../../secret__", 0, "no wildcard"),
        ("x" * 19_990 + "__scene__", 19_990, "longer than 20000"),
    ],
)
def test_what_cant_be_filled_in_is_refused_at_its_character(
    template: str, position: int, words: str, folder: Path
) -> None:
    def always(seed: int) -> str:
        return expand(template, seed, folder, "negative_prompt")

    with pytest.raises(WrongPrompt) as refused:
        [always(seed) for seed in range(30)]
    assert refused.value.position == position
    assert words in refused.value.message
    assert refused.value.field == "negative_prompt"


def test_names_are_listed_with_their_folders(folder: Path) -> None:
    names = wildcard_names(folder)
    assert set(names) == {name.removesuffix(".txt") for name in FILES}
    assert list(names) == sorted(names)
    assert wildcard_names(NOWHERE) == ()


@given(st.text(alphabet=r"ab{}|$:_[]\#2-. "), st.integers(0, 2**32 - 1))
def test_any_template_is_filled_in_or_refused(template: str, seed: int) -> None:
    try:
        filled = expand(template, seed, NOWHERE)
        places = []
    except WrongPrompt as refused:
        filled, places = "", [refused.position]
    assert all(0 <= place < len(template) for place in places)
    assert len(filled) <= len(template) * 2


@given(st.text(alphabet=r"ab{}|:[]\#2-. "), st.integers(0, 9), st.integers(0, 9))
@settings(max_examples=300)
def test_what_is_filled_in_has_no_choices_left(template: str, first: int, second: int) -> None:
    """So a recipe, which holds the finished prompt, means the same at any seed."""
    filled = expand(template, first, NOWHERE)
    assert expand(filled, second, NOWHERE) == filled
