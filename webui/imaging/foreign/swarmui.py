"""SwarmUI: JSON with `sui_image_params` where A1111 has its text."""

from __future__ import annotations

from typing import Final

from webui.imaging.foreign.names import sampler_named, schedule_named
from webui.imaging.foreign.reader import (
    PARAMETERS,
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
    """Its parameters; `sui_models` beside them has the hashes."""
    whole = json_of(texts.get(PARAMETERS))
    given = dict_of(whole.get("sui_image_params"))
    if not given:
        return None
    settings = Settings()
    settings.put("Steps", given.get("steps"))
    sampler, implied = sampler_named(given.get("sampler"))
    settings.put("Sampler", sampler)
    settings.put("Schedule type", implied or schedule_named(given.get("scheduler")))
    settings.put("CFG scale", given.get("cfgscale"))
    settings.put("Seed", given.get("seed"))
    settings.put_size(given.get("width"), given.get("height"))
    settings.put("Model", stem(given.get("model")))
    settings.put("VAE", stem(given.get("vae")))
    settings.put("Variation seed", given.get("variationseed"))
    settings.put("Variation seed strength", given.get("variationseedstrength"))
    settings.put("Denoising strength", given.get("initimagecreativity"))
    if isinstance(layer := given.get("clipstopatlayer"), int) and layer < 0:
        settings.put("Clip skip", -layer)
    settings.put("RNG", "CPU")
    names, weights = list_of(given.get("loras")), list_of(given.get("loraweights"))
    networks = [(stem(name), _number(weight)) for name, weight in zip(names, weights, strict=False)]
    return settings.infotext(
        with_networks(given.get("prompt"), networks), given.get("negativeprompt")
    )


def _number(value: object) -> object:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return None


READER: Final = Reader(id="swarmui", label="SwarmUI", read=read)
