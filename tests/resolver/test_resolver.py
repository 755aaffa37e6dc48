"""From a request with blanks to a recipe: words, files, sizes, and refusals that name the field."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.catalog.test_catalog import SD15_KEYS, write
from tests.conftest import make_studio
from webui.catalog.sidecar import Sidecar, write_sidecar
from webui.core.errors import InvalidRequest
from webui.core.model import ModelKind
from webui.core.request import (
    OWN_VAE,
    Extras,
    GenerationRequest,
    Hires,
    InputId,
    Mask,
    Noise,
    Outpaint,
    Refiner,
    Source,
)
from webui.prompting.styles import Style
from webui.studio import Studio

LORA_KEYS = {
    "lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight": [4, 320],
    "lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight": [320, 4],
    "lora_unet_down_blocks_0_attentions_0_proj_in.alpha": [],
}
VAE_KEYS = {
    "decoder.conv_in.weight": [512, 4, 3, 3],
    "decoder.conv_out.weight": [3, 128, 3, 3],
    "encoder.conv_in.weight": [128, 3, 3, 3],
    "quant_conv.weight": [8, 8, 1, 1],
    "post_quant_conv.weight": [4, 4, 1, 1],
}


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """A studio that is not running, with a second checkpoint, a LoRA, a VAE and an embedding."""
    models = tmp_path / "models"
    write(models / "other.safetensors", SD15_KEYS)
    write(models / "Lora" / "inky.safetensors", LORA_KEYS)
    write(models / "VAE" / "bright.safetensors", VAE_KEYS)
    write(models / "embeddings" / "bad hands.safetensors", {"emb_params": [2, 768]})
    made = make_studio(tmp_path)
    made.catalog.refresh()
    yield made
    made.close()


def picture(studio: Studio, width: int = 100, height: int = 60) -> InputId:
    return studio.inputs.add_image(Image.new("RGB", (width, height), "red"))


def refused(studio: Studio, request: GenerationRequest) -> tuple[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        studio.resolve(request)
    return caught.value.field, caught.value.message


def test_styles_are_put_around_the_prompts(studio: Studio) -> None:
    studio.styles.save(Style(name="ink", prompt="ink, {prompt}", negative_prompt="photo"))
    recipe = studio.resolve(GenerationRequest(prompt="a cat", styles=("ink",)))
    assert (recipe.prompt, recipe.negative_prompt) == ("ink, a cat", "photo")
    assert recipe.template == ""


def test_each_picture_draws_its_own_words_and_can_be_made_alone(studio: Studio) -> None:
    request = GenerationRequest(prompt="a {red|blue|green|black} cat", seed=3, batch_count=6)
    recipe = studio.resolve(request)
    prompts = [recipe.at(index).prompt for index in range(6)]
    assert len(set(prompts)) > 1
    assert all("{" not in prompt for prompt in prompts)
    assert recipe.at(4).template == "a {red|blue|green|black} cat"
    again = studio.resolve(recipe.at(4).request())
    assert (again.prompt, again.seed) == (prompts[4], 7)
    alone = studio.resolve(GenerationRequest(prompt="a {red|blue|green|black} cat", seed=7))
    assert alone.prompt == prompts[4]


def test_unknown_wildcard_names_the_prompt(studio: Studio) -> None:
    field, message = refused(studio, GenerationRequest(prompt="a __colour__ cat"))
    assert field == "prompt"
    assert "colour" in message


def test_files_that_a_prompt_names_are_recorded_with_their_hashes(studio: Studio) -> None:
    recipe = studio.resolve(
        GenerationRequest(prompt="a cat <lora:inky:0.5>", negative_prompt="Bad hands, blurry")
    )
    assert [(file.kind, file.ref, file.name) for file in recipe.files] == [
        (ModelKind.LORA, "inky", "inky"),
        (ModelKind.EMBEDDING, "bad hands", "bad hands"),
    ]
    assert [len(file.short_hash) for file in recipe.files] == [12, 10]
    text = studio.infotext(recipe)
    assert f'Lora hashes: "inky: {recipe.files[0].short_hash}"' in text
    assert f'TI hashes: "bad hands: {recipe.files[1].short_hash}"' in text


def test_a_network_that_is_not_here_is_named_with_its_place(studio: Studio) -> None:
    field, message = refused(studio, GenerationRequest(prompt="a cat <lora:gone:1>"))
    assert field == "prompt"
    assert "At character 7" in message
    assert "“gone”" in message


def test_a_vae_a_refiner_and_a_second_checkpoint_go_by_name(studio: Studio) -> None:
    recipe = studio.resolve(
        GenerationRequest(
            checkpoint="starter",
            vae="bright",
            refiner=Refiner(checkpoint="other"),
            hires=Hires(checkpoint="other.safetensors", upscaler="Latent (nearest)"),
        )
    )
    assert recipe.vae == "VAE/bright.safetensors"
    assert recipe.refiner == Refiner(checkpoint="other.safetensors")
    assert recipe.hires is not None
    assert (recipe.hires.checkpoint, recipe.hires.upscaler) == (
        "other.safetensors",
        "latent_nearest",
    )
    assert {(file.kind, file.ref) for file in recipe.files} == {
        (ModelKind.VAE, "VAE/bright.safetensors"),
        (ModelKind.CHECKPOINT, "other.safetensors"),
    }
    assert ", VAE: bright, " in studio.infotext(recipe)


LACKING = {key: shape for key, shape in SD15_KEYS.items() if key.startswith("model.")}
CLIP_KEYS = {
    "text_model.embeddings.token_embedding.weight": [1, 768],
    "text_model.encoder.layers.0.self_attn.q_proj.weight": [768, 1],
}


def test_what_a_checkpoint_lacks_comes_from_other_files(studio: Studio, tmp_path: Path) -> None:
    models = tmp_path / "models"
    write(models / "alone.safetensors", LACKING)
    studio.catalog.refresh()
    request = GenerationRequest(prompt="a cat", checkpoint="alone")
    field, message = refused(studio, request)
    assert field == "checkpoint"
    assert "no CLIP-L text encoder" in message
    assert "models/text_encoders" in message
    write(models / "text_encoders" / "small.safetensors", CLIP_KEYS)
    write(models / "clip" / "large.safetensors", CLIP_KEYS | {"another": [100]})
    studio.catalog.refresh()
    recipe = studio.resolve(request)
    files = {(file.kind, file.ref): file.name for file in recipe.files}
    assert files == {
        (ModelKind.TEXT_ENCODER, "clip_l"): "large",
        (ModelKind.VAE, "VAE/bright.safetensors"): "bright",
    }
    assert recipe.vae == "VAE/bright.safetensors"
    assert studio.resolve(replace(request, vae=OWN_VAE)).vae == recipe.vae


T5_KEYS = {
    "shared.weight": [1, 4096],
    "encoder.block.0.layer.0.layer_norm.weight": [4096],
}


@pytest.fixture
def lacking(studio: Studio, tmp_path: Path) -> Studio:
    """With a checkpoint that lacks its text encoder, two that fit and one that does not."""
    models = tmp_path / "models"
    write(models / "alone.safetensors", LACKING)
    write(models / "text_encoders" / "small.safetensors", CLIP_KEYS)
    write(models / "text_encoders" / "large.safetensors", CLIP_KEYS | {"another": [100]})
    write(models / "text_encoders" / "t5.safetensors", T5_KEYS)
    studio.catalog.refresh()
    return studio


def test_a_text_encoder_can_be_chosen(lacking: Studio, tmp_path: Path) -> None:
    """And is, when the picture is made again, even from where the file is by then."""
    request = GenerationRequest(prompt="a cat", checkpoint="alone", text_encoders=("small",))
    recipe = lacking.resolve(request)
    assert recipe.text_encoders == ("text_encoders/small.safetensors",)
    assert {file.ref: file.name for file in recipe.files}["clip_l"] == "small"
    assert "Text encoders: text_encoders/small.safetensors" in lacking.infotext(recipe)
    folder = tmp_path / "models"
    (folder / "text_encoders" / "small.safetensors").rename(folder / "small.safetensors")
    lacking.catalog.refresh()
    again, missing = lacking.request_of(recipe)
    assert (again.text_encoders, missing) == (("small.safetensors",), ())


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("gone",), "There is no text encoder “gone”"),
        (("t5",), "“t5” is a T5-XXL text encoder, which “alone” has no use for"),
        (("small", "large"), "“small” and “large” are both a CLIP-L text encoder"),
    ],
)
def test_a_text_encoder_that_wont_do_is_refused(
    names: tuple[str, ...], says: str, lacking: Studio
) -> None:
    field, message = refused(lacking, GenerationRequest(checkpoint="alone", text_encoders=names))
    assert field == "text_encoders"
    assert says in message


EDIT_KEYS = {
    "txt_norm.weight": [3584],
    "transformer_blocks.0.img_mod.1.weight": [1, 1],
    "transformer_blocks.0.attn.add_q_proj.weight": [1, 1],
    "proj_out.weight": [64, 1],
    "__index_timestep_zero__": [0],
}
BLIND_KEYS = {
    "model.embed_tokens.weight": [1, 3584],
    "model.layers.0.self_attn.q_proj.bias": [3584],
    "another": [9000],
}
SEEING_KEYS = {**BLIND_KEYS, "another": [1], "visual.patch_embed.proj.weight": [1, 3, 2, 14, 14]}
FILM_VAE_KEYS = {
    "decoder.conv1.weight": [384, 16, 3, 3, 3],
    "decoder.head.2.weight": [3, 96, 3, 3, 3],
}


def test_a_model_that_edits_gets_a_text_encoder_that_sees(studio: Studio, tmp_path: Path) -> None:
    """Though one that does not is larger."""
    models = tmp_path / "models"
    write(models / "edit.safetensors", EDIT_KEYS)
    write(models / "vae" / "qwen.safetensors", FILM_VAE_KEYS)
    write(models / "text_encoders" / "blind.safetensors", BLIND_KEYS)
    studio.catalog.refresh()
    request = GenerationRequest(prompt="make it red", checkpoint="edit")
    field, message = refused(studio, request)
    assert (field, "“blind” reads words alone" in message) == ("checkpoint", True)
    write(models / "text_encoders" / "seeing.safetensors", SEEING_KEYS)
    studio.catalog.refresh()
    recipe = studio.resolve(request)
    assert {file.ref: file.name for file in recipe.files}["qwen25vl"] == "seeing"
    asked = replace(request, text_encoders=("blind",))
    field, message = refused(studio, asked)
    assert (field, "must see pictures too" in message) == ("text_encoders", True)


def test_a_checkpoint_without_any_vae_names_one(studio: Studio, tmp_path: Path) -> None:
    models = tmp_path / "models"
    (models / "VAE" / "bright.safetensors").unlink()
    write(models / "alone.safetensors", LACKING)
    write(models / "text_encoders" / "small.safetensors", CLIP_KEYS)
    studio.catalog.refresh()
    field, message = refused(studio, GenerationRequest(checkpoint="alone"))
    assert field == "vae"
    assert "vae-ft-mse" in message


def test_the_vae_noted_for_a_checkpoint_is_taken(studio: Studio, tmp_path: Path) -> None:
    other = GenerationRequest(checkpoint="other")
    before = studio.resolve(other)
    write_sidecar(tmp_path / "models" / "other.safetensors", Sidecar(vae="bright"))
    assert before.vae is None
    assert studio.resolve(other).vae == "VAE/bright.safetensors"
    assert studio.resolve(replace(other, vae=OWN_VAE)).vae is None
    request, missing = studio.request_of(before)
    assert (studio.resolve(request).vae, missing) == (None, ())


@pytest.mark.parametrize(
    ("hires", "expected"),
    [
        (Hires(width=384), (384, 576)),
        (Hires(height=384), (256, 384)),
        (Hires(width=384, height=384), (384, 384)),
        (Hires(), (None, None)),
    ],
)
def test_one_side_of_a_second_pass_brings_the_other(
    studio: Studio, hires: Hires, expected: tuple[int | None, int | None]
) -> None:
    recipe = studio.resolve(GenerationRequest(width=256, height=384, hires=hires))
    assert recipe.hires is not None
    assert (recipe.hires.width, recipe.hires.height) == expected


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (GenerationRequest(width=64, height=512, hires=Hires(width=2048)), "hires.width"),
        (GenerationRequest(vae="gone"), "vae"),
        (GenerationRequest(refiner=Refiner(checkpoint="gone")), "refiner.checkpoint"),
        (GenerationRequest(hires=Hires(checkpoint="gone")), "hires.checkpoint"),
        (GenerationRequest(hires=Hires(upscaler="gone")), "hires.upscaler"),
        (GenerationRequest(hires=Hires(sampler="gone")), "hires.sampler"),
        (GenerationRequest(hires=Hires(schedule="gone")), "hires.schedule"),
        (GenerationRequest(width=2048, hires=Hires(scale=8)), "hires.scale"),
        (GenerationRequest(styles=("gone",)), "styles"),
        (GenerationRequest(noise=Noise(resize_from_width=64)), "noise.resize_from_height"),
        (GenerationRequest(outpaint=Outpaint(left=64)), "source.image"),
        (GenerationRequest(mask=Mask(image=InputId("a" * 64))), "source.image"),
        (GenerationRequest(extras=Extras(image=InputId("a" * 64))), "extras.image"),
    ],
)
def test_what_is_not_here_is_refused_by_field(
    studio: Studio, request_: GenerationRequest, field: str
) -> None:
    assert refused(studio, request_)[0] == field


def test_outpainting_takes_the_size_of_source_and_new_sides(studio: Studio) -> None:
    request = GenerationRequest(
        source=Source(image=picture(studio)), outpaint=Outpaint(left=20), width=64, height=64
    )
    recipe = studio.resolve(request)
    assert (recipe.width, recipe.height) == (120, 64)
    empty = GenerationRequest(source=Source(image=picture(studio)), outpaint=Outpaint())
    assert refused(studio, empty)[0] == "outpaint"


def test_extras_keep_the_words_that_made_the_picture(studio: Studio) -> None:
    text, file = PngInfo(), io.BytesIO()
    text.add_text("parameters", "a fox\nNegative prompt: blurry\nSteps: 20, Seed: 1, Size: 64x64")
    Image.new("RGB", (64, 64)).save(file, "PNG", pnginfo=text)
    image = studio.inputs.add(file.getvalue())
    recipe = studio.resolve(GenerationRequest(extras=Extras(image=image)))
    assert (recipe.prompt, recipe.negative_prompt) == ("a fox", "blurry")
    assert studio.resolve(recipe.request()) == recipe


def test_an_exact_size_of_extras_needs_both_sides(studio: Studio) -> None:
    image = picture(studio)
    for extras, field in (
        (Extras(image=image, width=100), "extras.height"),
        (Extras(image=image, height=100), "extras.width"),
    ):
        assert refused(studio, GenerationRequest(extras=extras))[0] == field


def test_extras_need_a_picture_and_no_model(studio: Studio) -> None:
    extras = Extras(image=picture(studio), scale=3)
    recipe = studio.resolve(GenerationRequest(extras=extras))
    assert (recipe.width, recipe.height, recipe.model.id) == (300, 180, "")
    assert recipe.request().extras == extras
    latent = Extras(image=extras.image, upscaler="Latent")
    assert refused(studio, GenerationRequest(extras=latent))[0] == "extras.upscaler"


def test_a_variation_seed_is_drawn_once_and_counts_up(studio: Studio) -> None:
    request = GenerationRequest(seed=5, batch_count=3, noise=Noise(variation_strength=0.2))
    job = studio.submit(request)
    first = job.recipe.noise.variation_seed
    assert first is not None
    assert job.request.noise.variation_seed == first
    third = job.recipe.at(2)
    assert (third.seed, third.noise.variation_seed) == (5, (first + 2) % 2**32)
