"""InvokeAI: JSON under `invokeai_metadata`; before version 3 under `sd-metadata`."""

from __future__ import annotations

from typing import Final

from webui.imaging.foreign.names import sampler_named
from webui.imaging.foreign.reader import (
    Json,
    Reader,
    Settings,
    Texts,
    dict_of,
    json_of,
    list_of,
    stem,
    with_networks,
)
from webui.imaging.infotext import Infotext


def read(texts: Texts) -> Infotext | None:
    """Either generation of its metadata."""
    new, old = json_of(texts.get("invokeai_metadata")), json_of(texts.get("sd-metadata"))
    if new:
        return _new(new)
    return _old(old) if dict_of(old.get("image")) else None


def _new(given: Json) -> Infotext:
    settings = Settings()
    _put_common(settings, given, given.get("scheduler"))
    model = dict_of(given.get("model"))
    settings.put("Model", stem(model.get("name") or model.get("model_name")))
    settings.put("VAE", stem(dict_of(given.get("vae")).get("name")))
    settings.put("Denoising strength", given.get("strength"))
    settings.put("CFG Rescale", given.get("cfg_rescale_multiplier"))
    if isinstance(skip := given.get("clip_skip"), int) and skip > 0:
        settings.put("Clip skip", skip + 1)  # it counts the layers that are left out
    across, down = bool(given.get("seamless_x")), bool(given.get("seamless_y"))
    if across or down:
        settings.put(
            "Tiling", "True" if across and down else "Horizontal" if across else "Vertical"
        )
    settings.put("RNG", "GPU" if given.get("rand_device") == "cuda" else "CPU")
    networks = [
        (stem(_name_of(entry)), entry.get("weight"))
        for entry in map(dict_of, list_of(given.get("loras")))
    ]
    return settings.infotext(
        with_networks(given.get("positive_prompt"), networks), given.get("negative_prompt")
    )


def _old(given: Json) -> Infotext:
    image, settings = dict_of(given.get("image")), Settings()
    _put_common(settings, image, image.get("sampler"))
    settings.put("Model", stem(given.get("model_weights")))
    settings.put("RNG", "CPU")
    prompts = list_of(image.get("prompt"))
    text = dict_of(prompts[0]).get("prompt") if prompts else image.get("prompt")
    # it wrote what should not be there in square brackets
    prompt, _, rest = str(text or "").partition("[")
    return settings.infotext(prompt.strip(), rest.rstrip("] "))


def _put_common(settings: Settings, given: Json, scheduler: object) -> None:
    sampler, schedule = sampler_named(scheduler)
    settings.put("Steps", given.get("steps"))
    settings.put("Sampler", sampler)
    settings.put("Schedule type", schedule)
    settings.put("CFG scale", given.get("cfg_scale"))
    settings.put("Seed", given.get("seed"))
    settings.put_size(given.get("width"), given.get("height"))


def _tiling(across: bool, down: bool) -> str:
    if across and down:
        return "True"
    return "Horizontal" if across else "Vertical" if down else ""


def _name_of(entry: Json) -> object:
    model = dict_of(entry.get("model") or entry.get("lora"))
    return model.get("name") or model.get("model_name")


READER: Final = Reader(id="invokeai", label="InvokeAI", read=read)
