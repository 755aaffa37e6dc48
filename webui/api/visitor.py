"""Who stands at the door: from where they come, and that some doors open to people only."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

from fastapi import HTTPException, Request

from webui.api.context import the_caller
from webui.api.doorkeeper import client_address
from webui.core.errors import NotPermitted
from webui.core.person import Caller, Via
from webui.people.account import Where
from webui.people.browsers import name_browser
from webui.people.faults import TooManyTries, WrongPassword
from webui.people.people import People

T = TypeVar("T")


def where_from(request: Request) -> Where:
    """From where a request came, for the list of sessions."""
    return Where(
        address=client_address(request.scope),
        browser=name_browser(request.headers.get("user-agent", "")),
    )


def is_on_this_machine(request: Request) -> bool:
    """Whether a request came from the machine that the server runs on."""
    try:
        address = ipaddress.ip_address(client_address(request.scope).partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def the_human(request: Request) -> Caller:
    """Who asks, if not by an API key: a key that leaked must not make more keys, invitations or
    passwords. Raises NotPermitted."""
    caller = the_caller(request)
    if caller.via is Via.KEY:
        raise NotPermitted("An API key can't be used for this. Sign in with your password.")
    return caller


async def at_desk(people: People, work: Callable[[], T]) -> T:
    """What `work` gives back that hashes a password. Raises the answer to somebody who has to
    wait because too many others are there."""
    try:
        return await people.desk.run(work)
    except TooManyTries as error:
        raise not_let_in(error) from error


async def turned_away(people: People, error: WrongPassword | TooManyTries) -> HTTPException:
    """The answer to somebody whose password was wrong, or was not looked at: that one comes a
    little late, so that a flood waits for itself instead of for the studio."""
    if isinstance(error, TooManyTries):
        await people.tarrying.wait()
    return not_let_in(error)


def not_let_in(error: WrongPassword | TooManyTries) -> HTTPException:
    """As `turned_away`, at once."""
    if isinstance(error, TooManyTries):
        return HTTPException(
            HTTPStatus.TOO_MANY_REQUESTS, str(error), {"Retry-After": str(error.wait_s)}
        )
    return HTTPException(HTTPStatus.UNAUTHORIZED, str(error))
