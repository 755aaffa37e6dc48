"""Settings inside the prompt, and prompts without empty or repeated parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace

from webui.extend import GenerationRequest, InvalidRequest, Text, TextToken, Toggle, Words, hook

INPUTS = [
    Toggle("enabled", "Prompt tools"),
    Toggle("tidy", "Tidy", help="Leave out empty and repeated parts between commas."),
    Text("before", "Put before", help="Words in front of every prompt."),
    Text("after", "Put after", help="Words behind every prompt."),
]


@hook
def register_text_tokens(register: Callable[[TextToken], None]) -> None:
    """Three tags; of several of a kind the last one counts."""
    register(TextToken(name="size", apply=_size, help="<size:768x512>: width and height"))
    register(TextToken(name="steps", apply=_steps, help="<steps:30>: sampling steps"))
    register(TextToken(name="cfg", apply=_cfg, help="<cfg:5>: guidance scale"))


@hook
def prompt(words: Words, inputs: SimpleNamespace) -> Words:
    """The words around the prompt, then the tidying, so that it sees them as well."""
    text = ", ".join(filter(None, (inputs.before.strip(), words.prompt, inputs.after.strip())))
    return replace(words, prompt=tidy(text) if inputs.tidy else text)


def tidy(prompt: str) -> str:
    """Parts between commas that stand outside of brackets: each once, none empty."""
    seen: set[str] = set()
    kept = []
    for part in map(str.strip, _parts(prompt)):
        if part and part.lower() not in seen:
            seen.add(part.lower())
            kept.append(part)
    return ", ".join(kept)


def _parts(prompt: str) -> Iterator[str]:
    """Split at commas, but not within any brackets: (a, b:1.2) is one part."""
    depth, start = 0, 0
    for at, letter in enumerate(prompt):
        depth = max(0, depth + (letter in "([{<") - (letter in ")]}>"))
        if letter == "," and depth == 0:
            yield prompt[start:at]
            start = at + 1
    yield prompt[start:]


def _size(request: GenerationRequest, tags: Sequence[Sequence[str]]) -> GenerationRequest:
    width, _, height = tags[-1][0].lower().partition("x")
    return replace(request, width=_whole("size", width), height=_whole("size", height))


def _steps(request: GenerationRequest, tags: Sequence[Sequence[str]]) -> GenerationRequest:
    sampling = replace(request.sampling, steps=_whole("steps", tags[-1][0]))
    return replace(request, sampling=sampling)


def _cfg(request: GenerationRequest, tags: Sequence[Sequence[str]]) -> GenerationRequest:
    try:
        scale = float(tags[-1][0])
    except ValueError:
        raise _unreadable("cfg", tags[-1][0], "<cfg:5>") from None
    return replace(request, sampling=replace(request.sampling, guidance_scale=scale))


def _whole(tag: str, text: str) -> int:
    if not text.strip().isdecimal():
        raise _unreadable(tag, text, "<size:768x512>" if tag == "size" else "<steps:30>")
    return int(text)


def _unreadable(tag: str, text: str, example: str) -> InvalidRequest:
    return InvalidRequest("prompt", f"<{tag}:{text}> can't be read. Write it as {example}.")
