"""What cells each kind of plan is made of, without making any."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from webui.core.codec import decode
from webui.core.errors import InvalidRequest
from webui.core.request import (
    GenerationRequest,
    Hires,
    InputId,
    Mask,
    Noise,
    Sampling,
    Source,
    StepCache,
    Tiling,
)
from webui.plans.axes import load_axes
from webui.plans.kind import Layout
from webui.plans.kinds import load_kinds

BASE = GenerationRequest(prompt="a cat on a roof", seed=7, width=64, height=64)
PICTURE, MASK = InputId("a" * 64), InputId("b" * 64)


class NoSources:
    """Knows the source of every cell by its number; no picture says anything."""

    def made_by(self, number: int) -> InputId:
        return InputId(f"{number:064x}")

    def told_by(self, image: InputId) -> GenerationRequest | None:
        return None


class Talking(NoSources):
    """Every picture says this of itself."""

    def told_by(self, image: InputId) -> GenerationRequest | None:
        return GenerationRequest(prompt="told", seed=99, sampling=Sampling(steps=3))


def lay_out(kind: str, base: GenerationRequest = BASE, **options: Any) -> Layout:
    """The cells, all random seeds being 1234."""
    part = load_kinds()[kind]
    asked, settled = part.settle(base, decode(part.options, options), lambda: 1234)
    return part.lay_out(asked, settled)


def requests(layout: Layout) -> list[GenerationRequest]:
    return [layout.request(number, NoSources()) for number in range(layout.count)]


def axis(id: str, values: str) -> dict[str, str]:
    return {"axis": id, "values": values}


def test_a_plot_makes_every_combination_once() -> None:
    layout = lay_out("xyz", x=axis("steps", "5, 10"), y=axis("seed", "1-3"))
    made = {(cell.sampling.steps, cell.seed) for cell in requests(layout)}
    assert made == {(steps, seed) for steps in (5, 10) for seed in (1, 2, 3)}
    assert layout.count == 6


def test_each_cell_of_a_plot_stands_where_its_labels_say() -> None:
    layout = lay_out(
        "xyz",
        x=axis("steps", "5, 10"),
        y=axis("checkpoint", "one, two"),
        z=axis("guidance_scale", "4-6"),
    )
    grid = layout.grid
    assert grid is not None
    for number, cell in enumerate(requests(layout)):
        place = layout.place(number)
        assert grid.columns[place.column] == f"Steps: {cell.sampling.steps}"
        assert grid.rows[place.row] == f"Checkpoint name: {cell.checkpoint}"
        assert grid.sheets[place.sheet] == f"CFG Scale: {cell.sampling.guidance_scale:g}"


@pytest.mark.parametrize("side", ["x", "y", "z"])
def test_checkpoints_change_least_whichever_axis_they_are_on(side: str) -> None:
    others = {"x", "y", "z"} - {side}
    sides = {side: axis("checkpoint", "one, two, three")}
    sides |= {
        letter: axis(*what)
        for letter, what in zip(sorted(others), [("vae", "p, q"), ("steps", "1-4")], strict=True)
    }
    cells = requests(lay_out("xyz", **sides))
    changes = [a.checkpoint != b.checkpoint for a, b in pairwise(cells)]
    assert sum(changes) == 2
    assert sum(a.vae != b.vae for a, b in pairwise(cells)) <= 5


def test_all_cells_of_a_plot_share_a_seed_that_was_left_to_chance() -> None:
    layout = lay_out("xyz", replace(BASE, seed=None), x=axis("steps", "1-3"))
    assert {cell.seed for cell in requests(layout)} == {1234}


def test_cells_get_seeds_of_their_own_when_asked() -> None:
    layout = lay_out("xyz", x=axis("steps", "1-3"), vary_seeds=True)
    assert [cell.seed for cell in requests(layout)] == [7, 8, 9]


def test_minus_one_on_the_seed_axis_is_drawn_once_and_shown() -> None:
    layout = lay_out("xyz", x=axis("seed", "-1, 5"))
    assert [cell.seed for cell in requests(layout)] == [1234, 5]
    assert layout.grid is not None
    assert layout.grid.columns == ("Seed: 1234", "Seed: 5")


def test_a_variation_seed_left_to_chance_is_the_same_in_all_cells() -> None:
    layout = lay_out("xyz", x=axis("variation_strength", "0, 0.5"))
    assert {cell.noise.variation_seed for cell in requests(layout)} == {1234}


def test_search_and_replace_changes_all_prompts() -> None:
    base = replace(BASE, negative_prompt="no cat", hires=Hires(prompt="a large cat"))
    last = requests(lay_out("xyz", base, x=axis("prompt_sr", "cat, dog")))[-1]
    assert (last.prompt, last.negative_prompt) == ("a dog on a roof", "no dog")
    assert last.hires is not None
    assert last.hires.prompt == "a large dog"


def test_prompt_order_changes_the_places_of_words() -> None:
    base = replace(BASE, prompt="red, blue and green")
    made = {
        cell.prompt for cell in requests(lay_out("xyz", base, x=axis("prompt_order", "red, blue")))
    }
    assert made == {"red, blue and green", "blue, red and green"}


EVERYTHING = replace(
    BASE,
    noise=Noise(variation_seed=1),
    hires=Hires(),
    step_cache=StepCache(),
    source=Source(image=PICTURE),
    mask=Mask(image=MASK),
)
VALUES = {
    "prompt_sr": "cat, dog",
    "prompt_order": "cat, roof",
    "refiner_switch": "0.5",
    "smallest_sigma": "0.03",
}


@pytest.mark.parametrize("axis_id", [a.id for a in load_axes() if a.id != "nothing"])
def test_every_axis_changes_the_request_by_its_own_example(axis_id: str) -> None:
    part = load_axes()[axis_id]
    base = EVERYTHING
    if axis_id == "refiner_switch":
        base = load_axes()["refiner_checkpoint"].put(base, "other", ["other"])
    values = VALUES.get(axis_id, "one, two" if part.choices else part.example)
    cells = requests(lay_out("xyz", base, x=axis(axis_id, values)))
    assert any(cell != base for cell in cells)


@pytest.mark.parametrize(
    ("sides", "field", "said"),
    [
        ({"x": axis("nothing", "")}, "x.axis", "All axes are"),
        ({"y": axis("stepz", "1")}, "y.axis", "There is no axis “stepz”"),
        ({"x": axis("steps", "a lot")}, "x.values", "X axis, Steps: “a lot” is no whole number"),
        ({"z": axis("steps", "")}, "z.values", "Z axis, Steps: there are no values"),
        ({"x": axis("steps", "1"), "y": axis("steps", "2")}, "x.axis", "Two axes are “Steps”"),
        ({"x": axis("seed", "1-101"), "y": axis("steps", "1-100")}, "x.values", "too many"),
    ],
)
def test_a_plot_that_cannot_be_says_where(
    sides: dict[str, dict[str, str]], field: str, said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said) as refused:
        lay_out("xyz", **sides)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("id", "values", "said"),
    [
        ("prompt_sr", "dog, owl", "X axis, Prompt S/R “dog”: “dog” is in none of the prompts"),
        ("size", "big", "X axis, Size “big”: “big” is no size"),
        ("hires_steps", "5", "X axis, Hires steps “5”: .* Turn on the second pass"),
        ("tiling", "sideways", "X axis, Tiling: “sideways” is not one of none"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_axis(
    id: str, values: str, said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said) as refused:
        list(lay_out("xyz", x=axis(id, values)).probes())
    assert refused.value.field == "x.values"


def test_a_matrix_makes_every_choice_of_parts() -> None:
    layout = lay_out("matrix", replace(BASE, prompt="a cat|in winter|at [dusk|dawn:0.5]"))
    assert [cell.prompt for cell in requests(layout)] == [
        "a cat",
        "a cat, in winter",
        "a cat, at [dusk|dawn:0.5]",
        "a cat, in winter, at [dusk|dawn:0.5]",
    ]
    assert layout.grid is not None
    assert layout.grid.columns == ("", "in winter")
    assert [layout.place(3).column, layout.place(3).row] == [1, 1]


def test_a_matrix_may_vary_the_negative_prompt_and_begin_with_the_parts() -> None:
    base = replace(BASE, negative_prompt="blur|dark")
    layout = lay_out("matrix", base, which="negative_prompt", is_at_start=True, delimiter=" ")
    assert [cell.negative_prompt for cell in requests(layout)] == ["blur", "dark blur"]


def test_a_matrix_without_parts_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"There is no \| in the prompt"):
        lay_out("matrix")


LINES = """a red apple

--prompt a green apple --steps 30 --cfg_scale 5.5 --seed 3 --tiling true
--prompt "two words" --negative_prompt 'no blur' --width 128 --height 96 --sampler_name "Euler a"
--prompt x --sd_model other --n_iter 2 --batch_size 2 --subseed 4 --subseed_strength 0.5
"""


def test_lines_set_what_their_tags_name() -> None:
    plain, tagged, quoted, model = requests(lay_out("lines", text=LINES))
    assert plain == replace(BASE, prompt="a red apple")
    assert (tagged.prompt, tagged.seed, tagged.tiling) == ("a green apple", 3, Tiling.BOTH)
    assert (tagged.sampling.steps, tagged.sampling.guidance_scale) == (30, 5.5)
    assert (quoted.prompt, quoted.negative_prompt) == ("two words", "no blur")
    assert (quoted.width, quoted.height, quoted.sampling.sampler) == (128, 96, "Euler a")
    assert (model.checkpoint, model.batch_count, model.batch_size) == ("other", 2, 2)
    assert (model.noise.variation_seed, model.noise.variation_strength) == (4, 0.5)


def test_lines_go_on_with_the_seeds_of_those_before_when_asked() -> None:
    text = "one\n--prompt two --n_iter 3\nthree"
    assert [c.seed for c in requests(lay_out("lines", text=text, vary_seeds=True))] == [7, 8, 11]


@pytest.mark.parametrize(
    ("place", "prompt"),
    [("alone", "dog"), ("start", "dog a cat on a roof"), ("end", "a cat on a roof dog")],
)
def test_lines_stand_alone_or_beside_the_prompt(place: str, prompt: str) -> None:
    assert [cell.prompt for cell in requests(lay_out("lines", text="dog", place=place))] == [prompt]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--stepz 3", "Line 2: --stepz is not a known tag. Known are: prompt,"),
        ("--steps many", "Line 2: --steps can't be “many”"),
        ("--steps", "Line 2: --steps has no value"),
        ("--restore_faces true", "Line 2: --restore_faces has no meaning in Gesso"),
        ('--prompt "open', "Line 2: it can't be read"),
        ("--steps 3 stray", "Line 2: “stray” stands where a tag should"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(line: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said) as refused:
        lay_out("lines", text=f"fine\n{line}")
    assert refused.value.field == "text"


def test_many_pictures_have_seeds_in_a_row_in_batches() -> None:
    layout = lay_out("many", replace(BASE, batch_size=4), count=10)
    cells = requests(layout)
    assert [(cell.seed, cell.picture_count) for cell in cells] == [(7, 4), (11, 4), (15, 2)]


def test_a_hundred_thousand_pictures_are_laid_out_at_once() -> None:
    layout = lay_out("many", count=100_000)
    assert layout.request(99_999, NoSources()).seed == 7 + 99_999


def test_many_variations_count_the_variation_seed() -> None:
    base = replace(BASE, noise=Noise(variation_seed=10, variation_strength=0.2))
    cells = requests(lay_out("many", base, count=2))
    assert [(cell.seed, cell.noise.variation_seed) for cell in cells] == [(7, 10), (7, 11)]


IMAGE = replace(BASE, source=Source(image=PICTURE, denoising_strength=0.8))


@pytest.mark.parametrize(
    ("curve", "strengths"),
    [
        ("linear", [0.8, 0.6, 0.4]),
        ("aggressive", [0.8, 0.517157, 0.4]),
        ("lazy", [0.8, 0.682843, 0.4]),
    ],
)
def test_loops_move_the_denoising_strength(curve: str, strengths: list[float]) -> None:
    layout = lay_out("loopback", IMAGE, loops=3, final_denoising_strength=0.4, curve=curve)
    sources = [cell.source for cell in requests(layout)]
    assert [source.denoising_strength for source in sources if source] == strengths


def test_each_loop_starts_from_the_one_before() -> None:
    layout = lay_out("loopback", replace(IMAGE, batch_count=2), loops=2)
    cells = requests(layout)
    assert [cell.source.image for cell in cells if cell.source] == [
        PICTURE, f"{0:064x}", PICTURE, f"{2:064x}",
    ]  # fmt: skip
    assert [layout.after(number) for number in range(4)] == [None, 0, None, 2]
    assert [cell.seed for cell in cells] == [7, 8, 8, 9]


def test_loopback_needs_a_picture() -> None:
    with pytest.raises(InvalidRequest, match="begins with a picture"):
        lay_out("loopback")


def named(*names: str) -> list[dict[str, str]]:
    return [{"name": name, "image": f"{at:064x}"} for at, name in enumerate(names)]


def test_a_folder_pairs_masks_by_name() -> None:
    layout = lay_out(
        "folder", IMAGE, images=named("a.png", "b.jpg"), masks=named("b.png", "a.webp")
    )
    masks = [cell.mask.image for cell in requests(layout) if cell.mask]
    assert masks == [f"{1:064x}", f"{0:064x}"]


def test_a_folder_without_the_mask_for_a_picture_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"no mask for “c\.png”") as refused:
        lay_out("folder", IMAGE, images=named("c.png"), masks=named("a.png", "b.png"))
    assert refused.value.field == "masks"


def test_a_folder_takes_what_each_picture_says_of_itself() -> None:
    layout = lay_out(
        "folder", IMAGE, images=named("a.png"), from_picture=["prompt", "sampling.steps"]
    )
    told = layout.request(0, Talking())
    assert (told.prompt, told.seed, told.sampling.steps) == ("told", 7, 3)
    assert layout.request(0, NoSources()).prompt == BASE.prompt
