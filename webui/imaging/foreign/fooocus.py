"""Fooocus: JSON where A1111 has its text, or under `Comment`."""

from __future__ import annotations

import re
from typing import Final

from webui.imaging.foreign.names import sampler_named, schedule_named
from webui.imaging.foreign.reader import (
    PARAMETERS,
    Json,
    Reader,
    Settings,
    Texts,
    json_of,
    list_of,
    stem,
    with_networks,
)
from webui.imaging.infotext import Infotext

_RESOLUTION: Final = re.compile(r"(\d{2,5})\s*+[,x×]\s*+(\d{2,5})")


def read(texts: Texts) -> Infotext | None:
    """The words after styles and expansion, where they are given: they made the picture."""
    given = json_of(texts.get(PARAMETERS)) or json_of(texts.get("Comment"))
    if "base_model" not in given or "sampler" not in given:
        return None
    settings = Settings()
    settings.put("Steps", given.get("steps"))
    settings.put("Sampler", sampler_named(given.get("sampler"))[0])
    settings.put("Schedule type", schedule_named(given.get("scheduler")))
    settings.put("CFG scale", given.get("guidance_scale"))
    settings.put("Seed", given.get("seed"))
    if match := _RESOLUTION.search(str(given.get("resolution", ""))):
        settings.put_size(int(match[1]), int(match[2]))
    settings.put("Model hash", given.get("base_model_hash"))
    settings.put("Model", stem(given.get("base_model")))
    settings.put("VAE", _vae(given))
    if isinstance(skip := given.get("clip_skip"), int):
        settings.put("Clip skip", skip)
    settings.put("RNG", "CPU")
    networks = [
        (stem(entry[0]), entry[1])
        for entry in list_of(given.get("loras"))
        if isinstance(entry, list) and len(entry) > 1
    ]
    return settings.infotext(
        with_networks(_words(given, "prompt"), networks), _words(given, "negative_prompt")
    )


def _words(given: Json, name: str) -> object:
    full = [part for part in list_of(given.get(f"full_{name}")) if isinstance(part, str)]
    return ", ".join(full) or given.get(name)


def _vae(given: Json) -> str:
    name = stem(given.get("vae"))
    return "" if name.startswith("Default") else name


READER: Final = Reader(id="fooocus", label="Fooocus", read=read)
