"""What extensions add to the engine's tables: samplers, schedules, upscalers, model families."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeVar

from webui.core.engine import UsedExtension, Work
from webui.core.errors import ExtensionFailed, GessoError
from webui.core.model import ModelKind
from webui.core.registry import Registry
from webui.engine.extensions.calls import Calls, IsFatal
from webui.engine.extensions.loading import Loader, context_of
from webui.families import Families
from webui.samplers.sampler import Denoise, Run, Sampler, Samplers, Step
from webui.schedules.schedule import Schedule, Schedules
from webui.upscalers import Upscaler, Upscalers

R = TypeVar("R", bound=Registry[Any])

KINDS: Final = ("samplers", "schedules", "upscalers", "families")


@dataclass(frozen=True, kw_only=True)
class Tables:
    """The parts that a recipe may name."""

    samplers: Samplers
    schedules: Schedules
    upscalers: Upscalers
    families: Families

    def lacks(self, work: Work) -> bool:
        """Whether a batch names a part that is in none of them."""
        recipe, hires, extras = work.recipes[0], work.recipes[0].hires, work.recipes[0].extras
        models = [each.model for each in work.files if each.kind is ModelKind.CHECKPOINT]
        wanted: list[tuple[Registry[Any], str | None]] = [
            (self.samplers, recipe.sampler),
            (self.schedules, recipe.schedule),
            *((self.families, model.family) for model in (work.model, *models)),
        ]
        if hires is not None:
            wanted += [(self.samplers, hires.sampler), (self.schedules, hires.schedule)]
            wanted += [(self.upscalers, hires.upscaler)]
        if extras is not None:
            wanted += [(self.upscalers, extras.upscaler), (self.upscalers, extras.second_upscaler)]
        known = {used.ref for used in work.files}
        return any(name and name not in table and name not in known for table, name in wanted)


def tables_for(
    work: Work, tables: Tables, loader: Loader, calls: Calls, is_fatal: IsFatal
) -> Tables:
    """The tables with what the extensions of a batch add, where it names something of that. Their
    code is guarded: what it raises fails the job by the extension's name."""
    if not work.extensions or not tables.lacks(work):
        return tables
    added: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    for used in work.extensions:
        guard = Guard(used, calls, is_fatal)
        for kind, parts in _registered(used, work, loader, calls).items():
            added[kind] += map(guard.part, parts)
    return Tables(**{kind: _extended(getattr(tables, kind), added[kind]) for kind in KINDS})


class Guard:
    """Around the functions of an extension's parts: without them there is no picture."""

    def __init__(self, used: UsedExtension, calls: Calls, is_fatal: IsFatal) -> None:
        self._used: Final = used
        self._calls: Final = calls
        self._is_fatal: Final = is_fatal

    def part(self, part: Any) -> Any:
        """The part with guarded functions; a family as it is."""
        match part:
            case Sampler():
                return replace(part, sample=partial(self._sample, part))
            case Schedule() if part.sigmas is not None:
                return replace(part, sigmas=partial(self._run, part.label, part.sigmas))
            case Upscaler() if part.enlarge is not None:
                return replace(part, enlarge=partial(self._run, part.label, part.enlarge))
        return part

    def _sample(self, sampler: Sampler, denoise: Denoise, x: Any, run: Run) -> Iterator[Step]:
        try:
            yield from sampler.sample(denoise, x, run)
        except (Exception, SystemExit) as error:
            raise self._failed(sampler.label, error) from error

    def _run(self, label: str, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except (Exception, SystemExit) as error:
            raise self._failed(label, error) from error

    def _failed(self, label: str, error: BaseException) -> BaseException:
        if isinstance(error, GessoError) or self._is_fatal(error):
            return error
        used = self._used
        self._calls.fail(used.id, used.name, label, error)
        return ExtensionFailed(
            used.id,
            f"“{label}” of the extension {used.name} failed: {type(error).__name__}: {error}. "
            "Choose another in its place.",
        )


def _registered(
    used: UsedExtension, work: Work, loader: Loader, calls: Calls
) -> dict[str, list[Any]]:
    """A border: an extension that can't register is booked, and adds nothing."""
    parts: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    try:
        hooks = loader.load(used).entry()
        for kind in KINDS:
            if (register := hooks.get(f"register_{kind}")) is not None:
                register(register=parts[kind].append, ctx=context_of(used, work))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - booked with its traceback
        calls.fail(used.id, used.name, "register", error)
        return {}
    return parts


def _extended(table: R, parts: Sequence[Any]) -> R:
    """What comes with the program is not replaced, and of two parts of one id the first counts."""
    added = {part.id: part for part in reversed(parts) if part.id not in table}
    return type(table)([*table, *added.values()]) if added else table
