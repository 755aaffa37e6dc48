"""Texts that would run a script if a page took them for more than text, where people and files can
bring texts to the studio. Each sets `__x` to the number of the place that it was planted at."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Final

from tests.catalog.test_cards import network
from tests.catalog.test_catalog import SD15_KEYS, write
from tests.catalog.test_parts import decoder
from tests.conftest import png
from tests.imaging.test_foreign import COMFY, FOOOCUS, INVOKE, SWARM, png_with
from tests.model_files import safetensors

IN_NAMES: Final = (
    "<img src=x onerror=__x=#>",
    "<svg onload=__x=#>",
    '"><img src=x onerror=__x=#>',
    "'><svg onload=__x=#>",
    '" autofocus onfocus=__x=# x="',
    "' autofocus onfocus=__x=# x='",
    "<details open ontoggle=__x=#>",
    "<input autofocus onfocus=__x=#>",
    "<video><source onerror=__x=#>",
    "<body onload=__x=#>",
    '<iframe srcdoc="<img src=x onerror=parent.__x=#>">',
    "javascript:__x=#",
    "java&Tab;script&colon;__x=#",
    "{{constructor.constructor('__x=#')()}}",
    "${__x=#}",
    "[x](javascript:__x=#)",
    '![x](x"onerror="__x=#)',
    "<a href=javascript:__x=#>x",
    "\\u003cimg src=x onerror=__x=#\\u003e",
    "%3Cimg src=x onerror=__x=#%3E",
    "&lt;img src=x onerror=__x=#&gt;",
    "<math><mtext><img src=x onerror=__x=#>",
    "\uff1cimg src=x onerror=__x=#\uff1e",
    "\u202e<img src=x onerror=__x=#>",
    "');__x=#;('",
    "`-(__x=#)-`",
)
"""Those that the name of a file can hold."""
PAYLOADS: Final = (
    *IN_NAMES,
    "<script>__x=#</script>",
    "</textarea><img src=x onerror=__x=#>",
    "</title></script><svg/onload=__x=#>",
    '<object data="data:text/html,<script>parent.__x=#</script>"></object>',
)
PLAIN: Final = tuple(text for text in PAYLOADS if not set(text) & set("{}[]$`"))
"""Those that mean nothing in a prompt."""


class Plants:
    """Numbers the places, and knows what was planted where."""

    def __init__(self) -> None:
        self.places: list[str] = []
        self.planted: set[tuple[str, str]] = set()

    def each(self, place: str, payloads: Sequence[str] = PAYLOADS) -> list[str]:
        """Each payload for a place where many things can be."""
        if place not in self.places:
            self.places.append(place)
        number = str(self.places.index(place) + 1)
        self.planted |= {(place, payload) for payload in payloads}
        return [payload.replace("#", number) for payload in payloads]

    def all(self, place: str, payloads: Sequence[str] = PAYLOADS, most: int = 10_000) -> str:
        """All payloads for a place where one long text can be."""
        text = " ".join(self.each(place, payloads))
        assert len(text) <= most
        return text


def plant_files(folder: Path, plants: Plants) -> None:
    """Models with their notes and pictures, styles, wildcards and settings: all that lies in a
    data folder before the server starts."""
    models, data = folder / "models", folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    _plant_networks(models / "Lora", plants)
    for name in plants.each("checkpoint, name", IN_NAMES):
        write(models / "Stable-diffusion" / f"{name}.safetensors", SD15_KEYS)
    for name in plants.each("VAE, name", IN_NAMES):
        write(models / "VAE" / f"{name}.safetensors", decoder(4))
    for name in plants.each("embedding, name", IN_NAMES):
        safetensors(models / "embeddings" / f"{name}.safetensors", {"emb_params": [2, 768]})
    for name in plants.each("unusable model, name", IN_NAMES):
        (models / f"{name}.safetensors").write_text("no model at all")
    for name in plants.each("unusable model, folder", IN_NAMES):
        (models / name).mkdir(exist_ok=True)
        (models / name / "broken.safetensors").write_text("nor this")
    for name in plants.each("wildcard, name", IN_NAMES):
        path = data / "wildcards" / f"{name}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(plants.each("wildcard, line")), "utf-8")
    settings = {
        "filename_pattern": "[number]" + plants.all("file name pattern", IN_NAMES[:22], 2000),
        "folder_pattern": plants.all("folder pattern", IN_NAMES[:22], 2000),
        "extra_model_folders": plants.all("more folders of models", IN_NAMES),
    }
    (data / "settings.json").write_text(json.dumps(settings), "utf-8")


def _plant_networks(folder: Path, plants: Plants) -> None:
    """Networks: what their headers say, and what people and Civitai note beside them."""
    metadata = {
        key: plants.all(f"network, {key}")
        for key in ("ss_output_name", "modelspec.title", "ss_sd_model_name", "ss_tag_frequency")
    }
    notes = {
        key: plants.all(f"network, {key}")
        for key in ("description", "activation text", "negative text", "notes", "sd version")
    }
    folders = cycle(plants.each("network, folder", IN_NAMES))
    for number, name in enumerate(plants.each("network, name", IN_NAMES)):
        path = network(folder / next(folders) / f"{name}.safetensors", note=str(number), **metadata)
        if number % 3 == 1:
            path.with_suffix(".json").write_text(json.dumps(notes), "utf-8")
        elif number % 3 == 0:
            path.with_suffix(".txt").write_text(plants.all("network, text file"), "utf-8")
        else:
            path.with_suffix(".civitai.info").write_text(json.dumps(_civitai(plants)), "utf-8")
        path.with_suffix(".preview.png").write_bytes(png(32, 32, "navy"))


def _civitai(plants: Plants) -> dict[str, object]:
    return {
        "name": plants.all("Civitai, name"),
        "description": plants.all("Civitai, description"),
        "baseModel": plants.all("Civitai, base model"),
        "trainedWords": plants.each("Civitai, trained words"),
        "model": {"name": plants.all("Civitai, model")},
    }


def infotext(plants: Plants) -> str:
    """What a picture may say in A1111's words."""
    keys = [f"{key.replace(':', ';')}: 1" for key in plants.each("infotext, unknown key", PLAIN)]
    settings = {
        "Steps": "4",
        "Sampler": plants.all("infotext, sampler"),
        "Size": "64x64",
        "Seed": "1",
        "Model": plants.all("infotext, model"),
        "Lora hashes": plants.all("infotext, hashes"),
        "Version": plants.all("infotext, version"),
    }
    line = ", ".join([*(f"{key}: {json.dumps(text)}" for key, text in settings.items()), *keys])
    negative = plants.all("infotext, negative prompt", PLAIN)
    return f"{plants.all('infotext, prompt', PLAIN)}\nNegative prompt: {negative}\n{line}"


def pictures(folder: Path, plants: Plants) -> Iterator[Path]:
    """Pictures as people get them from elsewhere, with names to match."""
    names = cycle(plants.each("uploaded picture, name", IN_NAMES))
    texts = [{"parameters": infotext(plants)}, *_foreign(plants)]
    keys = [key for key in IN_NAMES if key.isascii()]
    texts.append(dict.fromkeys(plants.each("text chunk, key", keys), "x"))
    for number in range(max(len(texts), len(IN_NAMES))):
        path = folder / f"{next(names)}.png"
        path.write_bytes(png_with(texts[number % len(texts)]))
        yield path


def _foreign(plants: Plants) -> list[dict[str, str]]:
    """The texts of other programs, hostile in each of their words."""
    told = {"ComfyUI": ("prompt", COMFY), "InvokeAI": ("invokeai_metadata", INVOKE)}
    told |= {"SwarmUI": ("parameters", SWARM), "Fooocus": ("parameters", FOOOCUS)}
    return [
        {key: json.dumps(_worse(value, plants.all(name)))} for name, (key, value) in told.items()
    ]


def _worse(value: object, text: str) -> object:
    """The same JSON with the text in place of each word that is not a number."""
    match value:
        case dict():
            kept = ("class_type", "type", "scheduler", "sampler_name", "generation_mode")
            return {k: v if k in kept else _worse(v, text) for k, v in value.items()}
        case list() if value and not (len(value) == 2 and isinstance(value[1], int)):
            return [_worse(each, text) for each in value]
        case str() if not value.isdigit():
            return text
    return value
