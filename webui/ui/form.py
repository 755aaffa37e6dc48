"""Controls bound to fields of a request, both ways.

A Gradio handler that is given a set of inputs receives values by component; a Form turns those
into a GenerationRequest and a request back into values. No handler lists its controls.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from webui.core.codec import decode
from webui.core.errors import InvalidRequest, UnreadablePicture
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
    also: Mapping[Component, Any] = field(default_factory=dict)
    """What other controls take whenever the field is shown."""
    is_switch: bool = False
    """The control says whether the whole part at `path` is there."""


@dataclass(frozen=True, kw_only=True)
class Titled:
    """An accordion whose title says what is active in it.

    `title` makes it from the values of the controls inside, by the paths of their fields.
    """

    accordion: gr.Accordion
    paths: tuple[str, ...]
    title: Callable[[Mapping[str, Any]], str]


class Form:
    """The controls of one tab. Built once with the page, then only read."""

    def __init__(self, mode: str) -> None:
        self.mode: Final = mode
        self._bindings: dict[str, Binding] = {}
        self._keys: dict[str, str] = {}
        self._titled: list[Titled] = []

    def bind(
        self,
        path: str,
        *components: Component,
        read: Callable[..., object] = _same,
        show: Callable[[Any], object] = _same,
        blank: object = KEEP,
        also: Mapping[Component, Any] | None = None,
    ) -> None:
        """Let `components` hold the field at `path`; the first of them shows it, and the controls
        `also` are brought to these values then."""
        self._bindings[path] = Binding(
            path=path,
            components=components,
            read=read,
            show=show,
            blank=blank,
            also=also or {},
        )

    def switch(self, path: str, control: Component) -> None:
        """Let a checkbox say whether the optional part at `path` is there. While it is off,
        controls bound inside the part count for nothing."""
        self._bindings[path] = Binding(
            path=path,
            components=(control,),
            read=bool,
            show=lambda _: True,
            blank=False,
            is_switch=True,
        )

    def needs(self, part: str, key: str) -> None:
        """Leave the optional part out while its field `key` is blank."""
        self._keys[part] = key

    def entitle(self, titled: Titled) -> None:
        """Let `values` set the title of an accordion, too."""
        self._titled.append(titled)

    def forget_all_but(self, paths: Collection[str]) -> None:
        """Let go of other fields, whose controls were taken away again."""
        self._bindings = {path: each for path, each in self._bindings.items() if path in paths}
        self._titled = [each for each in self._titled if set(each.paths) <= set(paths)]

    @property
    def paths(self) -> tuple[str, ...]:
        """The fields and parts that have a control."""
        return tuple(self._bindings)

    @property
    def inputs(self) -> set[Component]:
        """All controls, for a handler's inputs."""
        return {part for binding in self._bindings.values() for part in binding.components}

    @property
    def shown(self) -> list[Block]:
        """The controls and accordions that `values` may set, each once."""
        bindings = self._bindings.values()
        controls = dict.fromkeys(part for b in bindings for part in (b.components[0], *b.also))
        return [*controls, *(titled.accordion for titled in self._titled)]

    def component(self, path: str) -> Component | None:
        """The control that holds a field, to point at when the field is at fault."""
        binding = self._bindings.get(path)
        return binding.components[0] if binding else None

    def request(self, values: Values) -> GenerationRequest:
        """What the controls ask for. Raises InvalidRequest that names the field at fault."""
        fields = self._fields(values)
        for part, key in self._keys.items():
            if _at(fields, key) is None:
                _drop(fields, part)
        return decode(GenerationRequest, fields)

    def draft(self, values: Values) -> dict[str, Any]:
        """What stands in the controls, as the fields of a request that may lack what it needs;
        what can't be read, or has no value among these, is left out. `values` shows it again."""
        return self._fields(values, is_draft=True)

    def _fields(self, values: Values, *, is_draft: bool = False) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        off = tuple(
            f"{b.path}."
            for b in self._bindings.values()
            if b.is_switch and not values[b.components[0]]
        )
        for binding in self._bindings.values():
            if binding.path.startswith(off):
                continue
            if is_draft and any(part not in values for part in binding.components):
                continue
            try:
                value = binding.read(*(values[part] for part in binding.components))
            except (InvalidRequest, UnreadablePicture):
                if not is_draft:
                    raise
                continue
            if binding.is_switch:
                value = {} if value else None
            if value is not None:
                _put(fields, binding.path, value)
        return fields

    def values(
        self, request: GenerationRequest | Mapping[str, Any], paths: Collection[str] | None = None
    ) -> dict[Block, Any]:
        """The values that make the controls ask for `request`, or for its fields `paths` only; of
        a draft, those that make them look as they did."""
        shown: dict[Block, Any] = {}
        for binding in self._bindings.values():
            if paths is not None and binding.path not in paths:
                continue
            value = _get(request, binding.path)
            value = binding.blank if value is None else binding.show(value)
            if value is not KEEP:
                shown |= {binding.components[0]: value, **binding.also}
        return shown | self._titles(shown)

    def titled_by(self, titled: Titled, values: Mapping[Any, Any]) -> str | None:
        """The title of an accordion for the values of its controls; None if some are missing."""
        parts = {path: self._bindings[path].components[0] for path in titled.paths}
        if any(part not in values for part in parts.values()):
            return None
        return titled.title({path: values[part] for path, part in parts.items()})

    def _titles(self, shown: Mapping[Block, Any]) -> dict[Block, Any]:
        found = {titled.accordion: self.titled_by(titled, shown) for titled in self._titled}
        return {part: gr.update(label=title) for part, title in found.items() if title is not None}


def _put(fields: dict[str, Any], path: str, value: object) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        fields = fields.setdefault(parent, {})
    if isinstance(value, dict):  # a part that is switched on; some of it may be there
        fields.setdefault(name, value)
    else:
        fields[name] = value


def _at(fields: Mapping[str, Any], path: str) -> Any:
    found: Any = fields
    for name in path.split("."):
        found = found.get(name) if found else None
    return found


def _drop(fields: dict[str, Any], path: str) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        fields = fields.get(parent, {})
    fields.pop(name, None)


def _get(request: object, path: str) -> Any:
    found: Any = request
    for name in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(name)
        else:
            found = getattr(found, name) if found is not None else None
    return found
