"""Who presses a button of the page: Gradio's events know it from the request that brought them."""

from __future__ import annotations

from gradio.context import LocalContext

from webui.core.errors import NotPermitted
from webui.core.person import CALLER, LOCAL_OWNER, Caller, Role


def who_asks() -> Caller:
    """Who caused the event that is being handled, as the gate recognised them; the owner while
    the page is being built. Raises NotPermitted when the request is no longer known."""
    asked = LocalContext.request.get(None)
    if asked is None:
        return LOCAL_OWNER
    if asked.request is None:
        raise NotPermitted("It is not known any more who asked for this. Load the page anew.")
    caller: Caller = asked.request.scope.get(CALLER, LOCAL_OWNER)
    return caller


def must_be(role: Role) -> Caller:
    """Whoever asks, if they have at least this role. Raises NotPermitted."""
    caller = who_asks()
    if not caller.role.covers(role):
        raise NotPermitted(
            f"This is not for a {caller.role.value}. Ask the owner of this studio to do it."
        )
    return caller
