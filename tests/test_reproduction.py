"""Pictures of all kinds: each comes out again to the last bit, and its text says all of it."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from sd_parsers import ParserManager

from tests.conftest import until
from webui.catalog.catalog import SHIPPED
from webui.core.job import Job
from webui.core.request import (
    Emphasis,
    Extras,
    FreeU,
    GenerationRequest,
    Guidance,
    Hires,
    InputId,
    Mask,
    MaskArea,
    MaskContent,
    Noise,
    NoiseSource,
    Outpaint,
    Refiner,
    ResizeMode,
    SamplerParameters,
    Sampling,
    SoftInpainting,
    Source,
    StepCache,
    Tiling,
)
from webui.core.result import Picture
from webui.engine.process import EngineProcess
from webui.gallery.verify import IDENTICAL
from webui.prompting.styles import Style
from webui.settings import SettingsStore
from webui.studio import Studio

pytestmark = pytest.mark.torch

LAYER = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
WIDTH = 160
TEXT_WIDTH = 192
DEADLINE_S = 900


def write_models(models: Path) -> None:
    """A checkpoint a little unlike the starter, a LoRA and an embedding."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(SHIPPED, models / "second")
    shard = next((models / "second" / "unet").glob("*.safetensors"))
    save_file({key: part * 0.99 for key, part in load_file(shard).items()}, shard)

    random = torch.Generator().manual_seed(0)
    lora = {
        f"{LAYER}.lora_down.weight": torch.randn(4, WIDTH, generator=random),
        f"{LAYER}.lora_up.weight": torch.randn(WIDTH, 4, generator=random),
        f"{LAYER}.alpha": torch.tensor(4.0),
    }
    (models / "Lora").mkdir(parents=True)
    save_file(lora, models / "Lora" / "ink.safetensors")
    (models / "embeddings").mkdir()
    vectors = {"emb_params": torch.randn(2, TEXT_WIDTH, generator=random)}
    save_file(vectors, models / "embeddings" / "glow.safetensors")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A running studio with the real engine, a second checkpoint, a LoRA and an embedding."""
    root = tmp_path_factory.mktemp("studio")
    write_models(root / "models")
    settings = SettingsStore({"data_dir": str(root), "keep_free_mb": 0, "show_previews": False})
    engine = EngineProcess("cpu", "webui.engine.local:create", {"use_cpu": True, "threads": 1})
    made = Studio(settings, [engine])
    (root / "data" / "wildcards").mkdir()
    (root / "data" / "wildcards" / "fruit.txt").write_text("apple\npear\nlemon\nplum\n")
    made.styles.save(Style(name="retro", prompt="{prompt}, retro style", negative_prompt="blurry"))
    made.start()
    yield made
    made.close()


def sampled(sampler: str, schedule: str = "automatic", **parameters: float) -> GenerationRequest:
    return GenerationRequest(
        sampling=Sampling(
            sampler=sampler, schedule=schedule, parameters=SamplerParameters(**parameters)
        )
    )


def guided(**guidance: object) -> GenerationRequest:
    return GenerationRequest(guidance=Guidance(**guidance))


def from_noise(**noise: object) -> GenerationRequest:
    return GenerationRequest(noise=Noise(**noise))


def worded(prompt: str, negative_prompt: str = "") -> GenerationRequest:
    return GenerationRequest(prompt=prompt, negative_prompt=negative_prompt)


def plain_recipes() -> list[GenerationRequest]:
    """Samplers, noise, guidance, words: what needs no source."""
    return [
        GenerationRequest(),
        sampled("DPM++ 2M", "Karras", rho=5.0),
        sampled("DPM++ SDE", "Exponential"),
        sampled("DPM++ 2M SDE Heun", "Simple", eta=0.5),
        sampled("DPM++ 3M SDE", "Beta", beta_alpha=0.8),
        sampled("Euler a", "SGM Uniform", noise_factor=1.02),
        sampled("Heun", "Normal", churn=4.0),
        sampled("DPM2 a", "KL Optimal"),
        sampled("DPM fast"),
        sampled("DDIM", eta=0.7),
        sampled("PLMS"),
        sampled("UniPC", order=2),
        sampled("LCM"),
        sampled("Restart", "Polyexponential"),
        sampled("DPM adaptive"),
        from_noise(source=NoiseSource.NV),
        from_noise(variation_seed=9, variation_strength=0.3),
        from_noise(resize_from_width=128, resize_from_height=64),
        replace(sampled("Euler a"), noise=Noise(seed_delta=31337)),
        guided(rescale=0.7),
        guided(skip_first=0.3),
        guided(skip_below=3.0),
        guided(mimic_scale=4.0),
        guided(freeu=FreeU(b1=1.1)),
        GenerationRequest(sampling=Sampling(clip_skip=2, guidance_scale=6.5, steps=4)),
        replace(worded("(a red apple:1.4)"), emphasis=Emphasis.NO_NORM),
        worded("a [red|blue] [apple:pear:0.5], retro style", "[blurry]"),
        worded("a red apple AND a green pear :0.6"),
        worded("a red apple BREAK on a table # not this"),
        worded("a {red|green|blue} __fruit__", "__fruit__"),
        worded("glow, a red apple"),
        worded("a red apple <lora:ink:0.8>"),
        worded("a red apple <lora:ink:[1@0, 0.2@0.5]>"),
        GenerationRequest(styles=("retro",)),
        GenerationRequest(tiling=Tiling.BOTH),
        GenerationRequest(tiling=Tiling.HORIZONTAL),
        GenerationRequest(step_cache=StepCache(every=2, start=0.0, threshold=0.2)),
        GenerationRequest(hires=Hires(scale=1.5, steps=2)),
        GenerationRequest(hires=Hires(width=128, height=96, upscaler="latent_bicubic", steps=2)),
        GenerationRequest(
            hires=Hires(upscaler="Lanczos", steps=2, prompt="a pear", sampler="Euler a")
        ),
        GenerationRequest(checkpoint="starter", refiner=Refiner(checkpoint="second")),
        GenerationRequest(
            checkpoint="starter",
            hires=Hires(checkpoint="second", steps=2, denoising_strength=0.5, guidance_scale=2.0),
        ),
        GenerationRequest(prompt="a, b: c\nd", negative_prompt='"e", f'),
        GenerationRequest(width=128, height=64, batch_count=2),
    ]


def source_recipes(picture: InputId, drawn: InputId) -> list[GenerationRequest]:
    """Everything that begins with a picture."""

    def changed(**source: object) -> GenerationRequest:
        return GenerationRequest(source=Source(image=picture, **source))

    def masked(strength: float = 0.75, **mask: object) -> GenerationRequest:
        return GenerationRequest(
            source=Source(image=picture, denoising_strength=strength),
            mask=Mask(image=drawn, **mask),
        )

    return [
        changed(),
        changed(denoising_strength=0.3, exact_steps=True),
        changed(resize_mode=ResizeMode.CROP, noise_multiplier=0.9),
        changed(resize_mode=ResizeMode.FILL, extra_noise=0.1),
        changed(resize_mode=ResizeMode.LATENT, color_correction=True),
        masked(),
        masked(blur=0, inverted=True, content=MaskContent.FILL),
        masked(1.0, content=MaskContent.NOISE),
        masked(1.0, content=MaskContent.NOTHING, conditioning_strength=0.5),
        masked(area=MaskArea.MASKED, padding=8),
        masked(soft=SoftInpainting(mask_influence=0.2)),
        GenerationRequest(source=Source(image=picture), outpaint=Outpaint(right=24, overlap=8)),
        GenerationRequest(extras=Extras(image=picture, scale=1.5)),
        GenerationRequest(
            extras=Extras(
                image=picture,
                width=80,
                height=80,
                second_upscaler="nearest",
                second_visibility=0.4,
            )
        ),
    ]


def filled(number: int, request: GenerationRequest) -> GenerationRequest:
    """Small, short and of a seed of its own."""
    sampling = replace(request.sampling, steps=request.sampling.steps or 3)
    is_painted = request.extras is None and request.outpaint is None
    return replace(
        request,
        prompt=request.prompt or "a red apple, 3d style",
        width=(request.width or 64) if is_painted else None,
        height=(request.height or 64) if is_painted else None,
        seed=1000 + number,
        sampling=sampling,
    )


def over(studio: Studio, jobs: list[Job]) -> list[Job]:
    """The jobs when all have ended well."""

    def ended() -> list[Job] | None:
        now = [studio.jobs.get(job.id) for job in jobs]
        return now if all(job.state.is_over for job in now) else None

    ended_jobs = until(ended, DEADLINE_S)
    assert [job.reason for job in ended_jobs if job.state != "done"] == []
    return ended_jobs


def make(studio: Studio, requests: list[GenerationRequest]) -> list[Picture]:
    jobs = [studio.submit(filled(n, request)) for n, request in enumerate(requests)]
    return [picture for job in over(studio, jobs) for picture in studio.gallery.of_job(job.id)]


def verify(studio: Studio, pictures: list[Picture]) -> dict[str, str]:
    """What comparing each picture finds, for those that are not identical."""
    jobs = over(studio, [studio.verify(picture.id) for picture in pictures])
    names = [studio.infotext(picture.recipe) for picture in pictures]
    told = dict(zip(names, (job.reason for job in jobs), strict=True))
    return {name: reason for name, reason in told.items() if reason != IDENTICAL}


def inputs_of(studio: Studio) -> tuple[InputId, InputId]:
    """A source picture and a mask over its middle."""
    noise = Image.effect_noise((96, 80), 60).convert("RGB")
    mask = Image.new("L", noise.size)
    mask.paste(255, (30, 20, 70, 60))
    return studio.inputs.add_image(noise), studio.inputs.add_image(mask)


def lost_in_text(studio: Studio, picture: Picture) -> dict[str, object]:
    """What the A1111 text of a picture's file doesn't bring back; its pictures can't be in it."""
    data = picture.path.read_bytes()
    if picture.recipe.extras is None:  # sd-parsers knows no upscales
        told = ParserManager().parse(io.BytesIO(data))
        assert told is not None
        assert told.samplers[0].parameters["steps"] == str(picture.recipe.steps)
    with Image.open(io.BytesIO(data)) as image:
        reading = studio.read_text(str(image.info["parameters"]))
    wanted = replace(picture.recipe.request(), source=None, mask=None, extras=None)
    lost: dict[str, object] = {**reading.ignored}
    if reading.missing:
        lost["missing"] = reading.missing
    if picture.recipe.extras is None and reading.request != wanted:
        lost["request"] = (reading.request, wanted)
    return lost


def test_pictures_come_out_again_and_their_texts_say_all(studio: Studio) -> None:
    """A few of each kind; the slow set has all."""
    requests = plain_recipes()[::9] + source_recipes(*inputs_of(studio))[::4]
    pictures = make(studio, requests)
    assert len(pictures) >= len(requests)
    assert verify(studio, pictures) == {}
    assert [lost for picture in pictures if (lost := lost_in_text(studio, picture))] == []


@pytest.mark.slow
def test_all_of_a_gallery_comes_out_again_and_its_texts_say_all(studio: Studio) -> None:
    requests = plain_recipes() + source_recipes(*inputs_of(studio))
    pictures = make(studio, requests)
    assert len(pictures) >= 58
    assert verify(studio, pictures) == {}
    assert [lost for picture in pictures if (lost := lost_in_text(studio, picture))] == []
