"""Signing in and out, who one is, one's own sessions and password, and the first owner."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from webui.api.context import RawBody, the_caller, the_person, the_studio
from webui.api.cookies import session_token, set_session
from webui.api.known_fields import refuse_unknown_fields
from webui.api.people_views import MeView, SessionView, me_view, session_view
from webui.api.visitor import at_desk, is_on_this_machine, the_human, turned_away, where_from
from webui.core.errors import InvalidRequest, NotFound, NotPermitted
from webui.core.person import Caller, Via
from webui.gate.access import Access, needs
from webui.people.account import Person
from webui.people.faults import TooManyTries, WrongPassword
from webui.people.sessions import SignedIn

ROUTER = APIRouter(prefix="/api/v1", tags=["session"])
LOOPBACK_HOSTS: Final = ("localhost", "127.0.0.1", "::1")
SMALL_BYTES: Final = 1024
"""Room for the longest name and password."""


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """Who wants to come in."""

    name: str
    password: str


@dataclass(frozen=True, kw_only=True)
class NewPassword:
    """A change of one's own password."""

    current: str
    new: str


@ROUTER.post("/session")
@needs(Access.OPEN, max_body_bytes=SMALL_BYTES, tries_password=True)
async def sign_in(request: Request, response: Response, asked: SignIn, body: RawBody) -> MeView:
    """Sign in. Sets the cookie of a new session; the one that the browser had before ends. 401:
    name and password don't fit. 429: too many were tried; `Retry-After` tells when to go on."""
    refuse_unknown_fields(SignIn, body)
    people = the_studio(request).people
    where = where_from(request)
    try:
        person = await people.check(asked.name, asked.password, where.address)
    except (WrongPassword, TooManyTries) as error:
        raise await turned_away(people, error) from error
    signed_in = await run_in_threadpool(people.sessions.begin, person, where)
    return await let_in(signed_in, request, response)


@ROUTER.get("/session")
@needs(Access.PERSON)
def read_session(request: Request, response: Response) -> MeView:
    """Who asks, and how they showed it. Gives the cookie of a session another week."""
    caller = the_caller(request)
    if caller.via is Via.SESSION and (token := session_token(request.scope)):
        set_session(response, request.scope, token)
    return me_view(caller, _account(request))


@ROUTER.delete("/session", status_code=HTTPStatus.NO_CONTENT)
@needs(Access.PERSON)
def sign_out(request: Request) -> Response:
    """Sign out: the session ends, and its cookie goes."""
    caller = the_caller(request)
    if caller.via is Via.SESSION:
        the_studio(request).people.sessions.end(
            caller.credential, caller.id, by=caller.id, is_sign_out=True
        )
    # Pictures are kept by the browser; only over TLS and on localhost does it listen to this.
    forget = {"Clear-Site-Data": '"cache"'}
    response = Response(status_code=HTTPStatus.NO_CONTENT, headers=forget)
    set_session(response, request.scope, "")
    return response


@ROUTER.post("/session/password", status_code=HTTPStatus.NO_CONTENT)
@needs(Access.PERSON, max_body_bytes=SMALL_BYTES)
async def change_password(request: Request, asked: NewPassword, body: RawBody) -> Response:
    """Change one's own password. All other sessions of the person end; API keys stay. Not by an
    API key."""
    refuse_unknown_fields(NewPassword, body)
    caller, people = the_human(request), the_studio(request).people
    person = _account(request)
    if person is None or not person.hash:
        raise NotPermitted("You have no password here. Ask the owner of this studio for a link.")
    try:
        await people.check(person.name, asked.current, where_from(request).address)
        keep = caller.credential
        work = partial(people.set_password, person.id, asked.new, by=person.id, keep=keep)
        await people.desk.run(work)
    except WrongPassword as error:
        raise InvalidRequest("current", "This is not your password now. Type it again.") from error
    except TooManyTries as error:
        raise await turned_away(people, error) from error
    return Response(status_code=HTTPStatus.NO_CONTENT)


@ROUTER.get("/sessions")
@needs(Access.PERSON)
def list_sessions(request: Request) -> list[SessionView]:
    """Where one is signed in, the session used last first."""
    caller = the_caller(request)
    return [session_view(s, caller) for s in the_studio(request).people.sessions.of(caller.id)]


@ROUTER.delete("/sessions")
@needs(Access.PERSON)
def end_other_sessions(request: Request) -> list[SessionView]:
    """Sign out everywhere else; what is left."""
    caller = the_caller(request)
    the_studio(request).people.sessions.end_all(caller.id, by=caller.id, keep=caller.credential)
    return list_sessions(request)


@ROUTER.delete("/sessions/{id}")
@needs(Access.PERSON)
def end_session(request: Request, id: str) -> list[SessionView]:
    """Sign out one browser of one's own, at once; what is left."""
    person = the_person(request)
    the_studio(request).people.sessions.end(id, person, by=person)
    return list_sessions(request)


@ROUTER.post("/first-run")
@needs(Access.OPEN, max_body_bytes=SMALL_BYTES)
async def make_owner(request: Request, response: Response, asked: SignIn, body: RawBody) -> MeView:
    """Make the first owner's account, and sign in. Only while there is none, and only on the
    machine that the server runs on."""
    refuse_unknown_fields(SignIn, body)
    people = the_studio(request).people
    if not may_begin(request):
        raise NotPermitted(
            "The owner's account is made once, on the machine that Gesso runs on. "
            "Sign in, or ask the owner for an invitation."
        )
    owner = await at_desk(people, partial(people.create_owner, asked.name, asked.password))
    signed_in = await run_in_threadpool(people.sessions.begin, owner, where_from(request))
    return await let_in(signed_in, request, response)


def may_begin(request: Request) -> bool:
    """Whether the first owner's account may be made from where this request comes."""
    # The name too: a proxy that is not known as one looks like this machine itself.
    is_here = is_on_this_machine(request) and request.url.hostname in LOOPBACK_HOSTS
    return is_here and not the_studio(request).people.has_owner()


async def let_in(signed_in: SignedIn, request: Request, response: Response) -> MeView:
    """Hand the browser its new session, in place of one that it had."""
    if old := session_token(request.scope):
        await run_in_threadpool(the_studio(request).people.sessions.end_by_token, old)
    set_session(response, request.scope, signed_in.token)
    person = signed_in.person
    caller = Caller(
        id=person.id,
        name=person.name,
        role=person.role,
        via=Via.SESSION,
        credential=signed_in.session.id,
    )
    return me_view(caller, person)


def _account(request: Request) -> Person | None:
    """The account of whoever asks; None for everybody's owner of a server without accounts."""
    try:
        return the_studio(request).people.roster.get(the_person(request))
    except NotFound:
        return None
