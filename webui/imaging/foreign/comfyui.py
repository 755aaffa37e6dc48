"""ComfyUI: a graph of nodes as JSON, {id: {"class_type": ..., "inputs": {name: value or link}}}.

A link is [id of the node it comes from, number of its output]. From the last sampler the graph is
followed back to its prompts, its model, its networks and its size.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from webui.imaging.foreign.names import sampler_named, schedule_named
from webui.imaging.foreign.reader import (
    Json,
    Reader,
    Settings,
    Texts,
    dict_of,
    json_of,
    stem,
    with_networks,
)
from webui.imaging.infotext import Infotext

MOST_NODES: Final = 5000
TEXT_INPUTS: Final = ("text", "text_g", "text_l", "prompt", "string", "value", "t5xxl")
SAMPLER_INPUTS: Final = ("positive", "negative", "latent_image")


def read(texts: Texts) -> Infotext | None:
    """The settings of the graph's last sampler."""
    graph = json_of(texts.get("prompt"))
    nodes = {str(id): node for id, node in graph.items() if "class_type" in dict_of(node)}
    if not nodes or len(nodes) > MOST_NODES:
        return None
    return _Graph(nodes).infotext()


class _Graph:
    """The nodes of a picture by id."""

    def __init__(self, nodes: dict[str, Any]) -> None:
        self._nodes: Final = nodes

    def infotext(self) -> Infotext | None:
        sampler = self._sampler()
        if sampler is None:
            return None
        inputs, settings = self._inputs(sampler), Settings()
        for key, names in (
            ("Steps", ("steps",)),
            ("CFG scale", ("cfg", "guidance")),
            ("Seed", ("seed", "noise_seed")),
        ):
            settings.put(key, self._number(sampler, names))
        name, implied = sampler_named(self._value(sampler, "sampler_name"))
        settings.put("Sampler", name)
        settings.put("Schedule type", implied or schedule_named(self._value(sampler, "scheduler")))
        latent = self._upstream(inputs.get("latent_image"))
        settings.put_size(*self._size(latent))
        denoise = self._value(sampler, "denoise")
        if isinstance(denoise, int | float) and denoise < 1:
            settings.put("Denoising strength", denoise)
        self._put_models(settings, self._upstream(inputs.get("model")))
        settings.put("RNG", "CPU")
        networks = list(self._networks(inputs.get("model")))
        positive = self._text(inputs.get("positive"), "positive")
        negative = self._text(inputs.get("negative"), "negative")
        return settings.infotext(with_networks(positive, networks), negative)

    def _sampler(self) -> str | None:
        """The sampler that no other one builds on: a second pass counts, not the first."""
        samplers = [
            id
            for id, node in self._nodes.items()
            if all(name in dict_of(node.get("inputs")) for name in SAMPLER_INPUTS)
        ]
        behind = {
            found for id in samplers for found in self._upstream(self._inputs(id)["latent_image"])
        }
        last = [id for id in samplers if id not in behind] or samplers
        return last[-1] if last else None

    def _inputs(self, id: str) -> Json:
        return dict_of(dict_of(self._nodes.get(id)).get("inputs"))

    def _source(self, link: object) -> str | None:
        """The node that a link comes from."""
        if isinstance(link, list) and len(link) == 2 and str(link[0]) in self._nodes:
            return str(link[0])
        return None

    def _upstream(self, link: object) -> list[str]:
        """The node a link comes from, and all that it hangs on, nearest first, each once."""
        first = self._source(link)
        found = [first] if first else []
        for id in found:
            sources = filter(None, map(self._source, self._inputs(id).values()))
            found.extend(source for source in sources if source not in found)
        return found

    def _value(self, id: str, name: str) -> object:
        """The value of an input, also when a node with nothing but a value gives it."""
        value = self._inputs(id).get(name)
        source = self._source(value)
        if source is None:
            return None if isinstance(value, list | dict) else value
        plain = [v for v in self._inputs(source).values() if not isinstance(v, list | dict)]
        return plain[0] if plain else None

    def _number(self, id: str, names: tuple[str, ...]) -> object:
        return next((v for v in (self._value(id, name) for name in names) if v is not None), None)

    def _size(self, nodes: list[str]) -> tuple[object, object]:
        for id in nodes:
            width, height = self._value(id, "width"), self._value(id, "height")
            if isinstance(width, int) and isinstance(height, int):
                return width, height
        return None, None

    def _text(self, link: object, side: str) -> str:
        """The nearest text on the way back; a node with both sides is left on its own side."""
        for id in self._side(link, side):
            for name in TEXT_INPUTS:
                value = self._value(id, name)
                if isinstance(value, str) and value.strip():
                    return value
        return ""

    def _side(self, link: object, side: str) -> list[str]:
        first = self._source(link)
        found = [first] if first else []
        for id in found:
            inputs = self._inputs(id)
            links = [inputs[side]] if side in inputs else list(inputs.values())
            sources = filter(None, map(self._source, links))
            found.extend(source for source in sources if source not in found)
        return found

    def _put_models(self, settings: Settings, nodes: list[str]) -> None:
        for id in nodes:
            for name in ("ckpt_name", "unet_name", "model_name"):
                if isinstance(value := self._value(id, name), str):
                    settings.put("Model", stem(value))
                    return

    def _networks(self, link: object) -> Iterator[tuple[str, object]]:
        for id in self._upstream(link):
            name = self._value(id, "lora_name")
            if isinstance(name, str):
                yield stem(name), self._value(id, "strength_model")


READER: Final = Reader(id="comfyui", label="ComfyUI", read=read)
