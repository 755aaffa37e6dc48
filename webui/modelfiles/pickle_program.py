"""Reads what a pickle would make, by following its operations as data: nothing is run.

A pickle is a program for a small machine with a stack, and it may call anything by name. This
machine has no way to call: what is named stays a name (checked, see pickle_names), what is called
is a record of the call. Only the forms in which torch writes tensors mean something here.
(docs.python.org/3/library/pickletools.html lists the operations.)
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import IO, Any, Final

from webui.modelfiles.damage import Damage
from webui.modelfiles.pickle_names import check_name

MAX_OPERATIONS: Final = 1_000_000
"""A checkpoint of Stable Diffusion XL takes some 200,000."""
MAX_BYTES: Final = 64 * 2**20
"""Of one pickle; the weights lie beside it."""


@dataclass(frozen=True, slots=True)
class Named:
    """Something that the pickle names."""

    module: str
    name: str


@dataclass(slots=True)
class Call:
    """Something that would have been made by a call. `state` is what it was to be filled with."""

    target: object
    arguments: object
    state: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Saved:
    """A reference to what lies outside of the pickle: torch's storages."""

    id: object


class _Mark:
    """Where a list of arguments begins on the stack."""


class _Measured:
    """A file of which at most `MAX_BYTES` can be read; pickletools reads what it is told to."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file: Final = file
        self._left = MAX_BYTES

    def read(self, count: int) -> bytes:
        """At most so many bytes."""
        return self._taken(self._file.read(min(count, self._left + 1)))

    def readline(self) -> bytes:
        """To the end of the line."""
        return self._taken(self._file.readline(self._left + 1))

    def tell(self) -> int:
        """Where it is now."""
        return self._file.tell()

    def _taken(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise Damage(f"its table of tensors is larger than {MAX_BYTES // 2**20} MB. Remove it.")
        return data


@dataclass(frozen=True, slots=True)
class Reading:
    """What a pickle would make, all that it refers to outside of itself, and all that it names."""

    content: object
    saved: Sequence[Saved]
    named: Collection[str]


def read_pickle(file: IO[bytes]) -> Reading:
    """What the pickle at this place of the file says, as plain values, Named, Call and Saved; the
    file is left right behind it. Raises Damage, Hostile or any of WHATEVER."""
    machine = _Machine()
    measured: Any = _Measured(file)
    for count, (operation, argument, _) in enumerate(pickletools.genops(measured)):
        if operation.name == "STOP":
            return Reading(machine.stack[-1], machine.saved, machine.named)
        if count > MAX_OPERATIONS:
            raise Damage(f"its table of tensors takes more than {MAX_OPERATIONS} steps. Remove it.")
        step = STEPS.get(operation.name)
        if step is None:
            raise Damage(f"it uses {operation.name}, which PyTorch does not. Remove it.")
        step(machine, argument)
    raise Damage("it is cut short. Download it again.")


class _Machine:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.saved: list[Saved] = []
        self.named: set[str] = set()

    def since_mark(self) -> list[Any]:
        """What lies above the last mark, which goes."""
        stack = self.stack
        for place in range(len(stack) - 1, -1, -1):
            if stack[place] is _Mark:
                found = stack[place + 1 :]
                del stack[place:]
                return found
        raise Damage("its table of tensors is damaged. Download it again, or remove it.")


def _push(machine: _Machine, value: object) -> None:
    machine.stack.append(value)


def _pop(machine: _Machine, _: object) -> None:
    machine.stack.pop()


def _pop_many(machine: _Machine, _: object) -> None:
    machine.since_mark()


def _put(machine: _Machine, place: int) -> None:
    machine.memo[place] = machine.stack[-1]


def _memoize(machine: _Machine, _: object) -> None:
    machine.memo[len(machine.memo)] = machine.stack[-1]


def _get(machine: _Machine, place: int) -> None:
    machine.stack.append(machine.memo[place])


def _tuple(count: int) -> Step:
    def make(machine: _Machine, _: object) -> None:
        found = tuple(machine.stack[-count:])
        if len(found) < count:
            raise Damage("its table of tensors is damaged. Download it again, or remove it.")
        machine.stack[-count:] = [found]

    return make


def _set_items(target: object, pairs: list[Any]) -> None:
    """Only entries named by text, or by numbers as text: nothing else names a tensor."""
    kept = target.state if isinstance(target, Call) else target
    if isinstance(kept, dict):
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if type(key) is str or type(key) is int:
                kept[str(key)] = value


def _set_item(machine: _Machine, _: object) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    _set_items(machine.stack[-1], [key, value])


def _set_many(machine: _Machine, _: object) -> None:
    pairs = machine.since_mark()
    _set_items(machine.stack[-1], pairs)


def _append(machine: _Machine, _: object) -> None:
    value = machine.stack.pop()
    if isinstance(machine.stack[-1], list):
        machine.stack[-1].append(value)


def _append_many(machine: _Machine, _: object) -> None:
    values = machine.since_mark()
    if isinstance(machine.stack[-1], list):
        machine.stack[-1].extend(values)


def _make_dict(machine: _Machine, _: object) -> None:
    pairs, made = machine.since_mark(), dict[str, object]()
    _set_items(made, pairs)
    machine.stack.append(made)


def _global(machine: _Machine, words: str) -> None:
    module, _, name = words.partition(" ")
    _name(machine, module, name)


def _global_on_stack(machine: _Machine, _: object) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    if not (type(name) is str and type(module) is str):
        raise Damage("its table of tensors is damaged. Download it again, or remove it.")
    _name(machine, module, name)


def _name(machine: _Machine, module: str, name: str) -> None:
    check_name(module, name)
    machine.named.add(f"{module}.{name}")
    machine.stack.append(Named(module, name))


def _call(machine: _Machine, _: object) -> None:
    arguments, target = machine.stack.pop(), machine.stack.pop()
    machine.stack.append(_called(target, arguments))


def _call_named(machine: _Machine, _: object) -> None:
    machine.stack.pop()  # arguments by name
    _call(machine, None)


def _instance(machine: _Machine, words: str) -> None:
    arguments = machine.since_mark()
    _global(machine, words)
    machine.stack.append(_called(machine.stack.pop(), tuple(arguments)))


def _object(machine: _Machine, _: object) -> None:
    target, *arguments = machine.since_mark()
    machine.stack.append(_called(target, tuple(arguments)))


def _called(target: object, arguments: object) -> object:
    """An OrderedDict is the dictionary that it is; all other calls stay calls."""
    if isinstance(target, Named) and target == ORDERED and not arguments:
        return dict[str, object]()
    return Call(target, arguments)


def _build(machine: _Machine, _: object) -> None:
    state = machine.stack.pop()
    if isinstance(machine.stack[-1], Call) and isinstance(state, dict):
        machine.stack[-1].state.update(state)


def _saved(machine: _Machine, _: object) -> None:
    saved = Saved(machine.stack.pop())
    machine.saved.append(saved)
    machine.stack.append(saved)


def _pushing(make: Callable[[], object]) -> Step:
    return lambda machine, _: machine.stack.append(make())


Step = Callable[[_Machine, Any], None]

ORDERED: Final = Named("collections", "OrderedDict")
VALUES: Final = (
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "BYTEARRAY8"),
)
STEPS: Final[Mapping[str, Step]] = MappingProxyType(
    {
        **dict.fromkeys(VALUES, _push),
        **dict.fromkeys(("PROTO", "FRAME"), lambda _machine, _: None),
        **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _put),
        **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _get),
        **dict.fromkeys(("REDUCE", "NEWOBJ"), _call),
        "NONE": _pushing(lambda: None),
        "NEWTRUE": _pushing(lambda: True),
        "NEWFALSE": _pushing(lambda: False),
        "EMPTY_LIST": _pushing(list),
        "EMPTY_SET": _pushing(list),
        "EMPTY_DICT": _pushing(dict),
        "EMPTY_TUPLE": _pushing(tuple),
        "MARK": _pushing(lambda: _Mark),
        "LIST": lambda machine, _: machine.stack.append(machine.since_mark()),
        "FROZENSET": lambda machine, _: machine.stack.append(machine.since_mark()),
        "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.since_mark())),
        "TUPLE1": _tuple(1),
        "TUPLE2": _tuple(2),
        "TUPLE3": _tuple(3),
        "DICT": _make_dict,
        "APPEND": _append,
        "APPENDS": _append_many,
        "ADDITEMS": _append_many,
        "SETITEM": _set_item,
        "SETITEMS": _set_many,
        "POP": _pop,
        "POP_MARK": _pop_many,
        "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
        "MEMOIZE": _memoize,
        "GLOBAL": _global,
        "STACK_GLOBAL": _global_on_stack,
        "NEWOBJ_EX": _call_named,
        "INST": _instance,
        "OBJ": _object,
        "BUILD": _build,
        "BINPERSID": _saved,
    }
)
