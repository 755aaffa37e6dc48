"""Options: what they are, their values, and who wants to know of changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from webui.compat.missing import unprovided


class OptionInfo:
    """An option: its default, what people see of it, its Gradio component. Its words are added
    by methods that give itself back."""

    def __init__(
        self,
        default: Any = None,
        label: str = "",
        component: Any = None,
        component_args: Any = None,
        onchange: Callable[..., Any] | None = None,
        section: tuple[str | None, ...] | None = None,
        refresh: Callable[..., Any] | None = None,
        comment_before: str = "",
        comment_after: str = "",
        infotext: str | None = None,
        restrict_api: bool = False,
        category_id: str | None = None,
    ) -> None:
        self.default = default
        self.label = label
        self.component = component
        self.component_args = component_args
        self.onchange = onchange
        self.section: Any = section
        self.category_id = category_id
        self.refresh = refresh
        self.do_not_save = False
        self.comment_before = comment_before
        self.comment_after = comment_after
        self.infotext = infotext
        self.restrict_api = restrict_api

    def link(self, label: str, url: str) -> OptionInfo:
        """An address behind the label."""
        self.comment_before += f"[<a href='{url}' target='_blank'>{label}</a>]"
        return self

    def js(self, label: str, js_func: str) -> OptionInfo:
        """A word that calls a function in the browser."""
        self.comment_before += f"[<a onclick='{js_func}(); return false'>{label}</a>]"
        return self

    def info(self, info: str) -> OptionInfo:
        """A remark in brackets."""
        self.comment_after += f"<span class='info'>({info})</span>"
        return self

    def html(self, html: str) -> OptionInfo:
        """Any HTML behind it."""
        self.comment_after += html
        return self

    def needs_restart(self) -> OptionInfo:
        """Counts after a restart."""
        self.comment_after += " <span class='info'>(requires restart)</span>"
        return self

    def needs_reload_ui(self) -> OptionInfo:
        """Counts after the page is loaded again."""
        self.comment_after += " <span class='info'>(requires Reload UI)</span>"
        return self


class OptionHTML(OptionInfo):
    """Words between options; nothing to set."""

    def __init__(self, text: str) -> None:
        super().__init__(str(text).strip(), label="", component=None)
        self.do_not_save = True


class OptionDiv(OptionInfo):
    """A line between options."""

    def __init__(self) -> None:
        super().__init__("", label="", component=None)
        self.do_not_save = True


def options_section(
    section_identifier: tuple[Any, ...], options_dict: dict[str, OptionInfo]
) -> dict[str, OptionInfo]:
    """The options, put into a section: its id and title, and maybe the id of a category."""
    for option in options_dict.values():
        option.section = tuple(section_identifier[:2])
        if len(section_identifier) > 2:
            option.category_id = section_identifier[2]
    return options_dict


@dataclass
class OptionsCategory:
    """A group of sections."""

    id: str
    label: str


@dataclass
class OptionsCategories:
    """The groups by id."""

    mapping: dict[str, OptionsCategory] = field(default_factory=dict)

    def register_category(self, category_id: str, label: str) -> str:
        """Its id; a known one stays as it is."""
        self.mapping.setdefault(category_id, OptionsCategory(category_id, label))
        return category_id


categories = OptionsCategories()

_OWN = ("data_labels", "data", "restricted_opts", "on_save")


class Options:
    """Values by name, as attributes. Unknown ones raise AttributeError."""

    typemap = {int: float}

    def __init__(
        self,
        data_labels: dict[str, OptionInfo] | None = None,
        restricted_opts: Any = frozenset(),
    ) -> None:
        """Without labels, as older scripts make it, they are those of A1111's own options."""
        if data_labels is None:
            from modules.shared_options import options_templates

            data_labels = options_templates
        self.data_labels = data_labels
        self.data: dict[str, Any] = {key: info.default for key, info in data_labels.items()}
        self.restricted_opts = restricted_opts
        self.on_save: Callable[[Mapping[str, Any]], None] | None = None
        """Told of all values when a script saves them; not a name of A1111's."""

    def __setattr__(self, key: str, value: Any) -> None:
        if key in _OWN:
            super().__setattr__(key, value)
        else:
            self.data[key] = value

    def __getattr__(self, item: str) -> Any:
        data = self.__dict__.get("data", {})
        if item in data:
            return data[item]
        labels = self.__dict__.get("data_labels", {})
        if item in labels:
            return labels[item].default
        return unprovided("modules.shared.opts")(item)

    def set(self, key: str, value: Any, is_api: bool = False, run_callbacks: bool = True) -> bool:
        """Whether this changed it. What its onchange raises puts the old value back."""
        old = self.data.get(key, self.get_default(key))
        info = self.data_labels.get(key)
        if old == value or (info is not None and info.do_not_save):
            return False
        if is_api and info is not None and info.restrict_api:
            return False
        self.data[key] = value
        if run_callbacks and info is not None and info.onchange is not None:
            try:
                info.onchange()
            except Exception:
                self.data[key] = old
                raise
        return True

    def get_default(self, key: str) -> Any:
        """The default of an option; None for one that is not known."""
        info = self.data_labels.get(key)
        return None if info is None else info.default

    def save(self, filename: str | None = None) -> None:
        """Hand all values to whoever keeps them; A1111's file is not written."""
        if self.on_save is not None:
            self.on_save(dict(self.data))

    def load(self, filename: str) -> None:
        """Take the values of a config.json."""
        with open(filename, encoding="utf8") as file:
            self.data |= json.load(file)

    def same_type(self, x: Any, y: Any) -> bool:
        """Whether two values may stand for each other."""
        if x is None or y is None:
            return True
        kinds = [self.typemap.get(type(each), type(each)) for each in (x, y)]
        return kinds[0] is kinds[1]

    def onchange(self, key: str, func: Callable[[], Any], call: bool = True) -> None:
        """Call a function when an option changes, and once now."""
        info = self.data_labels.get(key)
        if info is not None:
            info.onchange = func
        if call:
            func()

    def dumpjson(self) -> str:
        """All values, and what the page's scripts want to know of them."""
        values = {key: self.data.get(key, info.default) for key, info in self.data_labels.items()}
        values["_comments_before"] = {
            key: info.comment_before
            for key, info in self.data_labels.items()
            if info.comment_before
        }
        values["_comments_after"] = {
            key: info.comment_after for key, info in self.data_labels.items() if info.comment_after
        }
        values["_categories"] = {id: each.label for id, each in categories.mapping.items()}
        return json.dumps(values, default=str)

    def add_option(self, key: str, info: OptionInfo) -> None:
        """A further option; a value that was read for it before stays."""
        self.data_labels[key] = info
        if key not in self.data and not info.do_not_save:
            self.data[key] = info.default

    def reorder(self) -> None:
        """Put options of one section beside each other."""
        sections: dict[Any, int] = {}
        for info in self.data_labels.values():
            sections.setdefault(info.section, len(sections))
        ordered = sorted(self.data_labels.items(), key=lambda each: sections[each[1].section])
        self.data_labels = dict(ordered)

    def cast_value(self, key: str, value: Any) -> Any:
        """A value read from a text, as the type of the option's default."""
        if value is None:
            return None
        default = self.get_default(key)
        if isinstance(default, bool):
            return str(value).lower() == "true" if isinstance(value, str) else bool(value)
        return value if default is None else type(default)(value)


__getattr__ = unprovided(__name__)
