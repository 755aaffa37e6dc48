"""The hooks and inputs of a loaded module, checked: a misspelt one is refused, not passed over."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

import pluggy

from webui.core.errors import ExtensionFailed
from webui.extend.hookspecs import ENGINE_HOOKS, PROJECT, WEB_HOOKS, EngineHooks, WebHooks
from webui.extend.inputs import Choice, Input, Slider, Text, Toggle

ALL_HOOKS: Final = (*WEB_HOOKS, *ENGINE_HOOKS)
SAFE_INPUT: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MARK: Final = f"{PROJECT}_impl"


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """One function of an extension, and the arguments that it takes of those it may have."""

    run: Callable[..., Any]
    arguments: tuple[str, ...]

    def __call__(self, given: Mapping[str, Any]) -> Any:
        """What the function gives back."""
        return self.run(**{name: given[name] for name in self.arguments})


Hooks = Mapping[str, Implementation]


def hooks_of(module: ModuleType, id: str, name: str) -> Hooks:
    """All hooks of a module by name. Raises ExtensionFailed that names what is misspelt."""
    for attribute in [*vars(module)]:
        function = getattr(module, attribute)
        if inspect.isroutine(function) and isinstance(getattr(function, _MARK, None), dict):
            taken = tuple(inspect.signature(function).parameters)
            options = getattr(function, _MARK)
            spec = options.get("specname") or attribute
            check_hook(spec, taken, id, name)
            _check_options(spec, options, id, name)
    plugins = pluggy.PluginManager(PROJECT)
    plugins.add_hookspecs(WebHooks)
    plugins.add_hookspecs(EngineHooks)
    try:
        plugins.register(module, name=id)
        plugins.check_pending()
    except pluggy.PluginValidationError as error:
        raise ExtensionFailed(id, f"{name}: {error}") from error
    named = ((hook, getattr(plugins.hook, hook).get_hookimpls()) for hook in ALL_HOOKS)
    return {hook: _implementation(found[0]) for hook, found in named if found}


def check_hook(hook: str, taken: Sequence[str], id: str, name: str) -> None:
    """Raises ExtensionFailed for a hook that isn't one, or an argument that it isn't given."""
    if hook not in ALL_HOOKS:
        raise ExtensionFailed(
            id,
            f"“{name}” marks “{hook}” as a hook, and there is none of that name."
            f"{_meant(hook, ALL_HOOKS)}",
        )
    given = arguments_of(hook)
    for argument in taken:
        if argument not in given:
            raise ExtensionFailed(
                id,
                f"The hook “{hook}” of “{name}” takes “{argument}”, which it is not given."
                f"{_meant(argument, given)} It may take: {', '.join(given)}.",
            )


def arguments_of(hook: str) -> tuple[str, ...]:
    """What a hook may take."""
    specs = WebHooks if hook in WEB_HOOKS else EngineHooks
    return tuple(inspect.signature(getattr(specs, hook)).parameters)[1:]


def inputs_of(module: ModuleType, attribute: str, id: str, name: str) -> tuple[Input, ...]:
    """The list of inputs that a module declares. Raises ExtensionFailed."""
    declared = getattr(module, attribute, ())
    if not isinstance(declared, list | tuple) or not all(
        isinstance(each, Input) for each in declared
    ):
        raise ExtensionFailed(
            id, f"{attribute} of “{name}” is no list of inputs. Write [Slider(...), Toggle(...)]."
        )
    return checked_inputs(declared, attribute, id, name)


def checked_inputs(
    declared: Sequence[Input], attribute: str, id: str, name: str
) -> tuple[Input, ...]:
    """The inputs, if their ids are proper and their defaults fit. Raises ExtensionFailed."""
    seen: set[str] = set()
    for each in declared:
        if not SAFE_INPUT.fullmatch(each.id) or each.id in seen:
            raise ExtensionFailed(
                id,
                f"{attribute} of “{name}”: the id “{each.id}” is there twice, or holds something "
                "else than lower case letters, digits and underscores. Choose another.",
            )
        seen.add(each.id)
        try:
            each.check(each.default, each.id)
        except Exception as error:
            raise ExtensionFailed(
                id, f"{attribute} of “{name}”: the default of “{each.id}” does not fit: {error}"
            ) from error
    return tuple(declared)


def declared_inputs(rows: Iterable[Mapping[str, Any]], id: str, name: str) -> tuple[Input, ...]:
    """The inputs of an extension.toml, where the code runs elsewhere. Raises ExtensionFailed."""
    kinds = {kind.kind: kind for kind in (Toggle, Slider, Text, Choice)}
    made: list[Input] = []
    for row in rows:
        values = dict(row)
        kind = kinds.get(str(values.pop("kind", "")))
        try:
            if kind is None:
                raise TypeError(f"its kind must be one of {', '.join(kinds)}")
            made.append(kind(**values))
        except TypeError as error:
            raise ExtensionFailed(
                id, f"An input of “{name}” in extension.toml can't be used: {error}."
            ) from error
    return checked_inputs(made, "inputs", id, name)


def _implementation(found: pluggy.HookImpl) -> Implementation:
    return Implementation(run=found.function, arguments=(*found.argnames, *found.kwargnames))


def _check_options(hook: str, options: Mapping[str, Any], id: str, name: str) -> None:
    if options.get("wrapper") or options.get("hookwrapper"):
        raise ExtensionFailed(
            id,
            f"The hook “{hook}” of “{name}” is a wrapper. Hooks are called one by one here: give "
            "back what should go on instead.",
        )


def _meant(word: str, words: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, words, n=1)
    return f" Did you mean “{close[0]}”?" if close else ""
