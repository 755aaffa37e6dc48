"""Tags in prompts, `<name:argument:argument>`: cut out, and handed to who registered the name."""

from __future__ import annotations

import json
import logging
import os
import re
from collections import defaultdict
from typing import Any

from modules import errors
from webui.compat.missing import unprovided

log = logging.getLogger("a1111")

extra_network_registry: dict[str, ExtraNetwork] = {}
extra_network_aliases: dict[str, str] = {}
re_extra_net = re.compile(r"<(\w+):([^>]+)>")
OWN = ("lora", "lyco")
"""Those that the engine itself understands; not a name of A1111's."""


class ExtraNetworkParams:
    """What a tag says: all of it, that without names, and that by name."""

    def __init__(self, items: Any = None) -> None:
        self.items = items or []
        self.positional: list[str] = []
        self.named: dict[str, str] = {}
        for item in self.items:
            name, separator, value = (
                item.partition("=") if isinstance(item, str) else (item, "", "")
            )
            if separator:
                self.named[name] = value
            else:
                self.positional.append(item)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExtraNetworkParams) and self.items == other.items

    def __hash__(self) -> int:
        return hash(tuple(self.items))


class ExtraNetwork:
    """What acts on tags of one name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def activate(self, p: Any, params_list: list[ExtraNetworkParams]) -> None:
        """A job begins; with no tags too."""
        raise NotImplementedError

    def deactivate(self, p: Any) -> None:
        """The job is over."""
        raise NotImplementedError


def initialize() -> None:
    """Forget all."""
    extra_network_registry.clear()
    extra_network_aliases.clear()


def register_extra_network(extra_network: ExtraNetwork) -> None:
    """Act on tags of its name."""
    extra_network_registry[extra_network.name] = extra_network


def register_extra_network_alias(extra_network: ExtraNetwork, alias: str) -> None:
    """Act on tags of another name too."""
    extra_network_aliases[alias] = extra_network.name


def register_default_extra_networks() -> None:
    """LoRAs are the engine's own."""


def parse_prompt(prompt: str) -> tuple[str, dict[str, list[ExtraNetworkParams]]]:
    """A prompt without its tags, and these by name."""
    found: dict[str, list[ExtraNetworkParams]] = defaultdict(list)

    def take(match: re.Match[str]) -> str:
        found[match[1]].append(ExtraNetworkParams(items=match[2].split(":")))
        return ""

    return re_extra_net.sub(take, prompt), found


def parse_prompts(prompts: Any) -> tuple[list[str], dict[str, list[ExtraNetworkParams]]]:
    """Several prompts without their tags, and the first one's."""
    plain: list[str] = []
    found: dict[str, list[ExtraNetworkParams]] = {}
    for number, prompt in enumerate(prompts):
        text, own = parse_prompt(prompt)
        plain.append(text)
        if number == 0:
            found = own
    return plain, found


def for_engine(prompts: Any) -> tuple[list[str], dict[str, list[ExtraNetworkParams]]]:
    """Prompts without the tags that somebody registered, and all tags of the first one. Not a name
    of A1111's."""

    def kept(match: re.Match[str]) -> str:
        name = extra_network_aliases.get(match[1], match[1])
        return "" if name in extra_network_registry else match[0]

    plain = [re_extra_net.sub(kept, str(prompt)) for prompt in prompts]
    return plain, parse_prompt(str(prompts[0]))[1] if prompts else {}


def lookup_extra_networks(extra_network_data: dict[str, Any]) -> dict[ExtraNetwork, Any]:
    """Who acts on which tags. Nobody does on names that nobody registered."""
    wanted: dict[ExtraNetwork, Any] = {}
    for name, params in extra_network_data.items():
        network = extra_network_registry.get(extra_network_aliases.get(name, name))
        if network is None:
            if name not in OWN:
                log.info("Nobody knows tags <%s:...>.", name)
            continue
        wanted.setdefault(network, []).extend(params)
    return wanted


def activate(p: Any, extra_network_data: dict[str, Any]) -> None:
    """A job begins: tell all, those too that have no tag in it. Then tell its scripts."""
    wanted = lookup_extra_networks(extra_network_data)
    for network in extra_network_registry.values():
        wanted.setdefault(network, [])
    for network, params in wanted.items():
        try:
            network.activate(p, params)
        except Exception as error:  # noqa: BLE001 - a script's code may raise anything
            errors.display(error, f"activating extra network {network.name}")
    runner = getattr(p, "scripts", None)
    if runner is not None:
        runner.after_extra_networks_activate(
            p,
            batch_number=getattr(p, "iteration", 0),
            prompts=getattr(p, "prompts", None),
            seeds=getattr(p, "seeds", None),
            subseeds=getattr(p, "subseeds", None),
            extra_network_data=extra_network_data,
        )


def deactivate(p: Any, extra_network_data: dict[str, Any]) -> None:
    """The job is over."""
    for network in extra_network_registry.values():
        try:
            network.deactivate(p)
        except Exception as error:  # noqa: BLE001 - a script's code may raise anything
            errors.display(error, f"deactivating extra network {network.name}")


def get_user_metadata(filename: str, lister: Any = None) -> dict[str, Any]:
    """What a person wrote down beside a model's file."""
    beside = os.path.splitext(filename)[0] + ".json"
    try:
        with open(beside, encoding="utf8") as file:
            data = json.load(file)
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


__getattr__ = unprovided(__name__)
