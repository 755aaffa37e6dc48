"""Webhooks: addresses that are told when a job is over. For the owner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import APIRouter, Request

from webui.api.context import RawBody, the_studio
from webui.api.known_fields import refuse_unknown_fields
from webui.gate.access import Access, needs
from webui.webhooks.hook import Hook, HookId, HookWish, Occasion

ROUTER = APIRouter(prefix="/api/v1/webhooks", tags=["webhooks"])


@dataclass(frozen=True, kw_only=True)
class HookView:
    """A webhook, without its secret. `fault` says why its last call did not arrive."""

    id: str
    address: str
    is_signed: bool
    occasions: Sequence[Occasion]
    created_at: float
    called_at: float | None
    fault: str
    waiting: int


@ROUTER.get("")
@needs(Access.OWNER)
def list_hooks(request: Request) -> list[HookView]:
    """All webhooks, in the order in which they were made."""
    return [_view(hook) for hook in the_studio(request).webhooks.all()]


@ROUTER.post("", status_code=HTTPStatus.CREATED)
@needs(Access.OWNER)
def add_hook(request: Request, wish: HookWish, body: RawBody) -> HookView:
    """A new webhook. Addresses in private networks are refused, but those that whoever starts the
    server listed."""
    refuse_unknown_fields(HookWish, body)
    return _view(the_studio(request).webhooks.add(wish))


@ROUTER.delete("/{id}", status_code=HTTPStatus.NO_CONTENT)
@needs(Access.OWNER)
def remove_hook(request: Request, id: str) -> None:
    """Forget a webhook and what it was still to be told."""
    the_studio(request).webhooks.remove(HookId(id))


@ROUTER.post("/{id}/test")
@needs(Access.OWNER)
def test_hook(request: Request, id: str) -> HookView:
    """Call it once, now; `fault` then says what is wrong."""
    return _view(the_studio(request).webhooks.test(HookId(id)))


def _view(hook: Hook) -> HookView:
    return HookView(
        id=hook.id,
        address=hook.address,
        is_signed=bool(hook.secret),
        occasions=hook.occasions,
        created_at=hook.created_at,
        called_at=hook.called_at,
        fault=hook.fault,
        waiting=hook.waiting,
    )
