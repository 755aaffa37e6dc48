"""Controls bound to fields of a request, both ways.

A Gradio handler that is given a set of inputs receives values by component; a Form turns those
into a GenerationRequest and a request back into values. No handler lists its controls.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gradio.components import Component

from webui.core.codec import decode
from webui.core.request import GenerationRequest

Values = Mapping[Component, Any]
KEEP: Final = object()
"""Shown for a blank field: the control stays as it is."""


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, kw_only=True)
class Binding:
    """One field and the controls that hold it.

    `read` makes the field's value from the controls' values, None for a blank. `show` makes the
    value of the first control from the field's value; KEEP when it can't be shown.
    """

    path: str
    components: tuple[Component, ...]
    read: Callable[..., object]
    show: Callable[[Any], object]
    blank: object
    """What the control shows for a field that is None."""


class Form:
    """The controls of one tab. Built once with the page, then only read."""

    def __init__(self, mode: str) -> None:
        self.mode: Final = mode
        self._bindings: dict[str, Binding] = {}

    def bind(
        self,
        path: str,
        *components: Component,
        read: Callable[..., object] = _same,
        show: Callable[[Any], object] = _same,
        blank: object = KEEP,
    ) -> None:
        """Let `components` hold the field at `path`; the first of them shows it."""
        self._bindings[path] = Binding(
            path=path, components=components, read=read, show=show, blank=blank
        )

    @property
    def inputs(self) -> set[Component]:
        """All controls, for a handler's inputs."""
        return {part for binding in self._bindings.values() for part in binding.components}

    @property
    def shown(self) -> list[Component]:
        """The controls that `values` may set, each once."""
        return list(dict.fromkeys(b.components[0] for b in self._bindings.values()))

    def component(self, path: str) -> Component | None:
        """The control that holds a field, to point at when the field is at fault."""
        binding = self._bindings.get(path)
        return binding.components[0] if binding else None

    def request(self, values: Values) -> GenerationRequest:
        """What the controls ask for. Raises InvalidRequest that names the field at fault."""
        fields: dict[str, Any] = {}
        for binding in self._bindings.values():
            value = binding.read(*(values[part] for part in binding.components))
            if value is not None:
                _put(fields, binding.path, value)
        return decode(GenerationRequest, fields)

    def values(
        self, request: GenerationRequest, paths: Collection[str] | None = None
    ) -> dict[Component, Any]:
        """The values that make the controls ask for `request`, or for its fields `paths` only."""
        shown: dict[Component, Any] = {}
        for binding in self._bindings.values():
            if paths is not None and binding.path not in paths:
                continue
            value = _get(request, binding.path)
            value = binding.blank if value is None else binding.show(value)
            if value is not KEEP:
                shown[binding.components[0]] = value
        return shown


def _put(fields: dict[str, Any], path: str, value: object) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        fields = fields.setdefault(parent, {})
    fields[name] = value


def _get(request: object, path: str) -> Any:
    for name in path.split("."):
        request = getattr(request, name) if request is not None else None
    return request
