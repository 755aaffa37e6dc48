"""What a prompt says at each step: schedules and alternations worked out to plain texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from webui.prompting.tree import Alternation, Node, Nodes, Scheduled, Weighted, to_text


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A text, and the step up to which it holds."""

    end: int
    text: str


def schedule(nodes: Nodes, steps: int, first_pass_steps: int | None = None) -> tuple[Stage, ...]:
    """The texts of a run in order, as A1111 counts; the last one ends at `steps`.

    With a sampler that asks the model twice a step, `steps` is the number of those calls. In a
    hires pass give the first pass's: whole numbers then count on from its end, and fractions run
    from 1 to 2.
    """
    clock = _Clock(steps=steps, first_pass_steps=first_pass_steps)
    ends = sorted({steps, *clock.ends(nodes)})
    return tuple(Stage(end=end, text=clock.text(nodes, end)) for end in ends)


@dataclass(frozen=True, kw_only=True)
class _Clock:
    """The steps of one pass."""

    steps: int
    first_pass_steps: int | None

    def ends(self, nodes: Iterable[Node]) -> Iterator[int]:
        """The last steps before the text changes."""
        for node in nodes:
            match node:
                case Weighted():
                    yield from self.ends(node.inside)
                case Scheduled():
                    if (when := self._when(node)) >= 1:
                        yield when
                    yield from self.ends((*(node.before or ()), *node.after))
                case Alternation():
                    yield from range(1, self.steps + 1)
                    # what an option schedules can only end at one of these

    def text(self, nodes: Iterable[Node], step: int) -> str:
        """What is said at a step, counted from 1."""
        return "".join(self._say(node, step) for node in nodes)

    def _say(self, node: Node, step: int) -> str:
        match node:
            case Weighted():
                number = "" if node.weight is None else f":{node.weight}"
                end = ")" if node.bracket == "(" else "]"
                return f"{node.bracket}{self.text(node.inside, step)}{number}{end}"
            case Scheduled():
                said = (node.before or ()) if step <= self._when(node) else node.after
                return self.text(said, step)
            case Alternation():
                return self.text(node.options[(step - 1) % len(node.options)], step)
            case _:
                return to_text((node,))

    def _when(self, node: Scheduled) -> int:
        """The last step that says what comes first."""
        value = float(node.when)
        if node.is_fraction:
            value = (value - (self.first_pass_steps is not None)) * self.steps
        else:
            value -= self.first_pass_steps or 0
        return int(max(min(value, self.steps), -1))
