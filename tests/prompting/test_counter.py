"""How many tokens a prompt has, counted without the model."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from webui.core.errors import InvalidRequest
from webui.core.request import Emphasis
from webui.prompting.counter import TokenCount, count_tokens, read_vocabulary

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "webui" / "families" / "configs" / "sd15" / "tokenizer"
STARTER = ROOT / "models" / "starter" / "tokenizer"


def count(prompt: str, **options: object) -> tuple[int, int]:
    made = count_tokens(prompt, CLIP, **options)  # type: ignore[arg-type]
    return made.tokens, made.limit


def test_the_known_ids_come_out() -> None:
    assert read_vocabulary(CLIP).tokenize("a photo of a cat") == [320, 1125, 539, 320, 2368]
    assert read_vocabulary(CLIP).comma == 267


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("", (0, 75)),
        ("a photo of a cat", (5, 75)),
        ("(a photo:1.3) of ((a [cat]))", (5, 75)),
        ("a photo <lora:of a cat:1> # really", (2, 75)),
        ("cat " * 75, (75, 75)),
        ("cat " * 76, (76, 150)),
        ("cat " * 70 + ", " + "dog " * 5, (80, 150)),
        ("a cat BREAK a dog", (77, 150)),
        ("[a cat:a big black dog:0.5]", (4, 75)),
        ("[a|b c|d e f]", (3, 75)),
        ("a AND b c AND d", (2, 75)),
        ("[cat:dog BREAK dog:0.9] x", (77, 150)),
    ],
)
def test_the_count_is_the_largest_of_the_run(prompt: str, expected: tuple[int, int]) -> None:
    assert count(prompt) == expected


def test_stages_beyond_the_run_dont_count() -> None:
    prompt = "[a:" + "b " * 80 + ":15]"
    assert count(prompt, steps=20) == (80, 150)
    assert count(prompt, steps=10) == (1, 75)


def test_and_means_nothing_in_a_negative_prompt() -> None:
    assert count("a AND b", is_negative=True) == (3, 75)


def test_brackets_count_where_they_are_text() -> None:
    assert count("(a:1.2)", emphasis=Emphasis.NONE)[0] > 1


def test_an_embedding_counts_its_vectors() -> None:
    vectors = {"EasyNeg": 8, "easyneg v2": 16}
    assert count("a easyneg, b", vectors=vectors) == (1 + 8 + 2, 75)
    assert count("easyneg v2", vectors=vectors) == (16, 75)
    assert count("easynegative", vectors=vectors)[0] < 8
    assert count("cat " * 70 + "EasyNeg", vectors=vectors) == (75 + 8, 150)


def test_a_wrong_prompt_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        count("(a:500)")
    with pytest.raises(InvalidRequest, match="from all its brackets"):
        count("((((((a:10):10):10):10):10):10)")


def test_older_folders_hold_the_vocabulary_in_two_files(tmp_path: Path) -> None:
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(STARTER / name, tmp_path / name)
    for text in ("a red apple, it's 3d!", "ÉCOLE 猫 🍎 foo_bar", "x" * 300, " \n a  b "):
        parts = read_vocabulary(tmp_path).tokenize(text)
        assert parts == read_vocabulary(STARTER).tokenize(text)


def test_a_folder_without_tokenizer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="vocab"):
        count_tokens("a", tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match="no tokenizer"):
        count_tokens("a", tmp_path)


def test_counting_needs_no_model_library() -> None:
    code = (
        "import sys, pathlib; from webui.prompting.counter import count_tokens; "
        f"count_tokens('a', pathlib.Path({str(CLIP)!r})); "
        "print([m for m in ('torch', 'transformers', 'diffusers') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.torch
@pytest.mark.parametrize("folder", [CLIP, STARTER], ids=["clip", "starter"])
def test_the_engine_reads_the_same_tokens(folder: Path) -> None:
    from transformers import CLIPTokenizer

    engine = CLIPTokenizer.from_pretrained(folder)
    for text in ("a red apple, it's 3d!", "ÉCOLE 猫 🍎 foo_bar", "x" * 300, " \n a  b ", "<|x|>"):
        ids = engine(text, add_special_tokens=False, verbose=False).input_ids
        assert read_vocabulary(folder).tokenize(text) == ids


def test_a_count_is_data() -> None:
    assert count_tokens("a cat", CLIP) == TokenCount(tokens=2, limit=75)


@pytest.mark.parametrize(
    ("family", "variant", "prompt", "expected"),
    [
        ("flux", "dev", "a photo of a (cat:1.2)", (7, 510)),
        ("flux", "schnell", "a photo of a cat", (7, 254)),
        ("chroma", "", "a cat BREAK a cat", (513, 1020)),
        ("sd3", "medium", "", (0, 254)),
    ],
)
def test_models_that_read_with_t5_are_counted_by_its_tokens(
    family: str, variant: str, prompt: str, expected: tuple[int, int]
) -> None:
    from webui.families import load_families
    from webui.families.dit_family import TransformerFamily

    found = load_families()[family]
    assert isinstance(found, TransformerFamily)
    folder, size = found.reading(variant)
    made = count_tokens(prompt, folder, size=size)
    assert (made.tokens, made.limit) == expected
