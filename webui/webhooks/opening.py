"""The webhooks of a studio, put together from its settings."""

from __future__ import annotations

from collections.abc import Callable

from webui.core.job import Job, JobId
from webui.net.guard import Guard
from webui.settings import Settings
from webui.webhooks.store import HookStore
from webui.webhooks.webhooks import Webhooks


def open_webhooks(
    settings: Settings,
    job: Callable[[JobId], Job],
    pictures: Callable[[JobId], list[str]],
    ended_since: Callable[[float], list[Job]],
) -> Webhooks:
    """Hosts in the own network are called only if whoever started the server listed them."""
    allowed = list(filter(None, map(str.strip, settings.webhook_hosts.split(","))))
    return Webhooks(
        HookStore(settings.data / "webhooks.sqlite"),
        Guard(allowed, setting="webhook_hosts"),
        job=job,
        pictures=pictures,
        ended_since=ended_since,
    )
