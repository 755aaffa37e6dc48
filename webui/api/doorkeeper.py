"""Tells the gate who asks, by what a request shows: a session's cookie, an API key, a password.

It stands above the gate and the accounts, which don't know each other.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Final

from starlette.types import Scope

from webui.api.cookies import session_token
from webui.api.remembered import Remembered
from webui.core.person import Caller, Role, Via
from webui.gate.doorkeeper import Doorkeeper
from webui.gate.refusal import Refusal
from webui.people.account import ApiKey, Person, password_credential
from webui.people.faults import TooManyTries, WrongPassword
from webui.people.names import fold
from webui.people.people import People
from webui.people.tokens import KEY_PREFIX


class PeopleDoorkeeper(Doorkeeper):
    """Recognises the people of a studio. Used on the event loop; only passwords make it wait, and
    those are hashed elsewhere."""

    def __init__(self, people: People, *, is_tls: bool = False) -> None:
        """With `is_tls` all pages come over TLS, whatever the connection looks like from here."""
        self._people: Final = people
        self._is_tls: Final = is_tls
        self._remembered: Final = Remembered(people)

    async def recognise(self, scope: Scope) -> Caller | Refusal | None:
        """Who asks. A key counts before a cookie, and a cookie before a password: browsers add
        the password of a proxy to every request."""
        scheme, shown = _authorization(scope)
        secret = shown if scheme == "bearer" else _first(scope, b"x-api-key")
        if secret.startswith(KEY_PREFIX):
            return self._by_key(secret)
        if (caller := self._by_cookie(scope)) is not None:
            return caller
        return await self._by_password(scope, shown) if scheme == "basic" else None

    def turn_away(self, scope: Scope) -> Awaitable[Refusal] | None:
        """Most of a flood ends here: this costs a fifth of what it takes to ask for the name."""
        try:
            self._people.limiter.check_address(client_address(scope))
        except TooManyTries as error:
            return self._late(error)
        return None

    def close(self) -> None:
        """As the gate's Doorkeeper."""
        self._people.tarrying.end()

    async def _late(self, error: TooManyTries) -> Refusal:
        await self._people.tarrying.wait()
        return Refusal(
            status=HTTPStatus.TOO_MANY_REQUESTS,
            message=str(error),
            headers=((b"retry-after", str(error.wait_s).encode()),),
        )

    def _by_cookie(self, scope: Scope) -> Caller | None:
        token = session_token(scope, is_tls=self._is_tls)
        found = self._people.sessions.find(token) if token else None
        if found is None:
            return None
        session, person = found
        return _caller(person, Via.SESSION, session.id)

    def _by_key(self, secret: str, name: str | None = None) -> Caller | None:
        found = self._people.keys.find(secret)
        if found is None or (name is not None and fold(name) != fold(found[1].name)):
            return None
        key, person = found
        return _caller(person, Via.KEY, key.id, _lower(person, key))

    async def _by_password(self, scope: Scope, shown: str) -> Caller | Refusal | None:
        name, _, secret = _decoded(shown).partition(":")
        if secret.startswith(KEY_PREFIX):
            return self._by_key(secret, name)
        if not name or not secret:
            return None
        try:
            person = await self._remembered.check(name, secret, client_address(scope))
        except WrongPassword:
            return None
        except TooManyTries as error:
            return await self._late(error)
        return _caller(person, Via.PASSWORD, password_credential(person.id))


def client_address(scope: Scope) -> str:
    """The address that a request came from; "" when that is unknown."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _caller(person: Person, via: Via, credential: str, role: Role | None = None) -> Caller:
    return Caller(
        id=person.id, name=person.name, role=role or person.role, via=via, credential=credential
    )


def _lower(person: Person, key: ApiKey) -> Role:
    return key.role if person.role.covers(key.role) else person.role


def _authorization(scope: Scope) -> tuple[str, str]:
    scheme, _, shown = _first(scope, b"authorization").partition(" ")
    return scheme.lower(), shown.strip()


def _decoded(shown: str) -> str:
    try:
        return base64.b64decode(shown, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


def _first(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
