"""A request on its way to being a job: what extensions make of its fields and its words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from webui.core.codec import check
from webui.core.errors import InvalidRequest
from webui.core.request import LONGEST_PROMPT, GenerationRequest
from webui.extend.calls import Calls
from webui.extend.data import StopJob, Words
from webui.extend.job_hooks import JobHooks
from webui.extend.loaded import Loaded
from webui.extend.registered import TextToken
from webui.extend.values import FIELD, RequestValues

TAG: Final = re.compile(r"<([\w-]+)(?::([^<>]*))?>")

Hooked = Callable[[Mapping[str, Mapping[str, Any]]], JobHooks]
"""The hooks of those with these values."""


class Draft:
    """Used by one thread, for one request. A settled one is left as it is."""

    def __init__(
        self,
        request: GenerationRequest,
        values: RequestValues,
        hooked: Hooked,
        tokens: Sequence[tuple[Loaded, TextToken]],
        calls: Calls,
    ) -> None:
        """Runs text tokens and `job_start`. Raises InvalidRequest: for a value that doesn't fit,
        or with the reason of a StopJob."""
        self._is_settled: Final = request.is_settled
        self._hooks = hooked({})
        if not self._is_settled:
            with _stopping():
                request = _with_tokens(request, tokens, calls)
            self._hooks = hooked(values.of(request))
            request = self._started(request)
        self.request: Final = request

    @property
    def failed(self) -> frozenset[str]:
        """Ids of those that failed so far: they keep out of the job."""
        return self._hooks.failed

    @property
    def facts(self) -> Mapping[str, str]:
        """What its pictures say of that."""
        return self._hooks.facts

    def words(self, words: Words) -> Words:
        """The prompts of one picture after all `prompt` hooks. Raises InvalidRequest with the
        reason of a StopJob."""
        if self._is_settled:
            return words
        with _stopping():
            return self._hooks.fold("prompt", "words", words, _words)

    def _started(self, request: GenerationRequest) -> GenerationRequest:
        with _stopping():
            return self._hooks.fold(
                "job_start", "request", request, _request, passing=(InvalidRequest,)
            )


@contextmanager
def _stopping() -> Iterator[None]:
    """Turns a StopJob into the refusal of the request."""
    try:
        yield
    except StopJob as error:
        raise InvalidRequest(FIELD, str(error) or "An extension stopped this job.") from error


def _request(value: Any) -> GenerationRequest:
    if not isinstance(value, GenerationRequest):
        raise TypeError(f"it gave back a {type(value).__name__}, not a GenerationRequest")
    try:
        return check(value)
    except InvalidRequest as error:  # the extension's fault, not the person's
        raise ValueError(f"it gave back a request that can't be: {error.field}: {error}") from error


def _words(value: Any) -> Words:
    if not isinstance(value, Words):
        raise TypeError(f"it gave back a {type(value).__name__}, not Words")
    for text in (value.prompt, value.negative_prompt):
        if not isinstance(text, str) or len(text) > LONGEST_PROMPT:
            raise ValueError(f"it gave back a prompt of more than {LONGEST_PROMPT} characters")
    return value


def _with_tokens(
    request: GenerationRequest, tokens: Sequence[tuple[Loaded, TextToken]], calls: Calls
) -> GenerationRequest:
    """The request with the tags of all tokens taken out of its prompt and applied. Raises
    InvalidRequest for a tag that a token refuses."""
    for loaded, token in tokens:
        arguments, prompt = _taken_out(request.prompt, token.name)
        if not arguments:
            continue
        edited = replace(request, prompt=prompt.strip())

        def apply(
            token: TextToken = token,
            edited: GenerationRequest = edited,
            arguments: Sequence[Sequence[str]] = arguments,
        ) -> GenerationRequest:
            return check(_request_or_same(token.apply(edited, arguments), edited))

        hook = f"<{token.name}:...>"
        outcome = calls.guarded(loaded, hook, apply, passing=(InvalidRequest,))
        request = edited if outcome.failure is not None else outcome.value
    return request


def _request_or_same(value: Any, same: GenerationRequest) -> GenerationRequest:
    if value is not None and not isinstance(value, GenerationRequest):
        raise TypeError(f"it gave back a {type(value).__name__}, not a GenerationRequest")
    return same if value is None else value


def _taken_out(prompt: str, name: str) -> tuple[list[list[str]], str]:
    """The arguments of each tag of this name, and the prompt without the tags."""
    arguments: list[list[str]] = []

    def cut(match: re.Match[str]) -> str:
        if match[1] != name:
            return match[0]
        arguments.append((match[2] or "").split(":"))
        return ""

    return arguments, TAG.sub(cut, prompt)
