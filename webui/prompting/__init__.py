"""The prompt language as data: from what a person typed to weighted pieces of text. Pure."""

from webui.prompting.networks import NetworkTag, network_tags
from webui.prompting.prompt import Prompt, parse, write
from webui.prompting.schedule import schedule

__all__ = ["NetworkTag", "Prompt", "network_tags", "parse", "schedule", "write"]
