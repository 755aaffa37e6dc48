"""The tensors that a pickle of torch says it has, by name; whether it has them is not known yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from webui.modelfiles.damage import Damage
from webui.modelfiles.dtypes import OF_STORAGE, OF_TORCH
from webui.modelfiles.header import MAX_DIMENSIONS, MAX_KEY_LENGTH, MAX_TENSORS, UNFIT
from webui.modelfiles.pickle_program import ORDERED, Call, Named, Saved

WRAPPERS: Final = ("state_dict", "params_ema", "params-ema", "params", "model", "net", "module")
"""Names under which trainers put the weights, with other things beside."""
EMBEDDING: Final = "string_to_param"
EMBEDDING_KEY: Final = "emb_params"
"""What A1111 calls the vectors of an embedding in a pickle, and in safetensors."""
MODULE_PARTS: Final = ("_parameters", "_buffers", "_modules")
"""Where a layer of torch, saved whole, keeps its tensors and its layers."""
MAX_DEPTH: Final = 40
MAX_VISITS: Final = 300_000
NO_SHAPE: Final = "one of its tensors has a shape that none can have. Remove it."
UTILS: Final = "torch._utils"
PLAIN: Final = ("_rebuild_tensor", "_rebuild_tensor_v2")
TYPED: Final = "_rebuild_tensor_v3"
PARAMETERS: Final = ("_rebuild_parameter", "_rebuild_parameter_with_state")
SUBCLASS: Final = Named("torch._tensor", "_rebuild_from_type_v2")


@dataclass(frozen=True, slots=True)
class Storage:
    """A row of numbers that tensors may share."""

    dtype: str
    key: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A tensor as the pickle describes it. `offset` and `stride` are counted in numbers."""

    dtype: str
    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def known_storages(saved: Iterable[Saved]) -> Mapping[str, Storage]:
    """The storages that a pickle refers to, by key. Raises Damage."""
    found = (_storage(each) for each in saved)
    return {storage.key: storage for storage in found if storage is not None}


def entries_of(content: object) -> Iterable[str]:
    """The names at the top of what a pickle makes."""
    return _mapping(content).keys()


def claimed_tensors(content: object) -> Mapping[str, Claim]:
    """The weights in what a pickle makes. Optimizers and the like beside them are left out.
    Raises Damage."""
    weights = content
    for _ in range(3):
        named = _mapping(weights)
        if EMBEDDING in named:
            first = next(_walk(named[EMBEDDING]), None)
            return {} if first is None else {EMBEDDING_KEY: first[1]}
        inner = next((named[key] for key in WRAPPERS if _mapping(named.get(key))), None)
        if inner is None or next(_walk(inner), None) is None:
            break
        weights = inner
    found: dict[str, Claim] = {}
    for name, claim in _walk(weights):
        if len(name) > MAX_KEY_LENGTH or UNFIT.search(name) or len(found) >= MAX_TENSORS:
            raise Damage(
                "its table of tensors has names that no tensor has, or too many. Remove it."
            )
        found[name] = claim
    return found


def _walk(content: object) -> Iterator[tuple[str, Claim]]:
    """All tensors below, depth first. What shares its parts may look like a tree of any size."""
    waiting: list[tuple[str, object, int]] = [("", content, 0)]
    visits = 0
    while waiting:
        name, value, depth = waiting.pop()
        visits += 1
        if visits > MAX_VISITS or depth > MAX_DEPTH:
            raise Damage("its table of tensors is nested without end. Remove it.")
        if (claim := _claim(value)) is not None:
            yield name, claim
            continue
        below = [(_joined(name, key), part, depth + 1) for key, part in _parts(value)]
        waiting.extend(reversed(below))


def _joined(name: str, key: str) -> str:
    return (f"{name}.{key}" if name else key)[: MAX_KEY_LENGTH + 1]


def _parts(value: object) -> Iterator[tuple[str, object]]:
    """What a dictionary or a layer holds, by name."""
    if isinstance(value, Call) and not _is_mapping(value):
        for part in MODULE_PARTS:
            yield from _mapping(value.state.get(part)).items()
    else:
        yield from _mapping(value).items()


def _mapping(value: object) -> Mapping[str, object]:
    """The dictionary that a value is; empty if it is none."""
    if isinstance(value, dict):
        return value
    if isinstance(value, Call) and _is_mapping(value):
        return _pairs(value.arguments) | value.state
    if isinstance(value, Call):
        return {key: part for key, part in value.state.items() if key in (*WRAPPERS, EMBEDDING)}
    return {}


def _is_mapping(call: Call) -> bool:
    target = call.target
    return isinstance(target, Named) and target.module == ORDERED.module


def _pairs(arguments: object) -> dict[str, object]:
    """Python 2 gives an OrderedDict all its entries at once."""
    if not (isinstance(arguments, tuple) and len(arguments) == 1):
        return {}
    pairs = arguments[0] if isinstance(arguments[0], list) else []
    return {str(pair[0]): pair[1] for pair in pairs if _is_pair(pair)}


def _is_pair(pair: object) -> bool:
    return isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str)


def _claim(value: object) -> Claim | None:
    """The tensor that a call would have made; None if it would have been something else."""
    if not isinstance(value, Call) or not isinstance(value.target, Named):
        return None
    target, arguments = value.target, value.arguments
    if not isinstance(arguments, tuple):
        return None
    if target == SUBCLASS and len(arguments) == 4:
        return _claim(Call(arguments[0], arguments[2]))
    if target.module != UTILS:
        return None
    if target.name in PARAMETERS and arguments:
        inner = arguments[0]
        return _claim(inner) if inner is not value else None
    if target.name in PLAIN and len(arguments) >= 4:
        return _tensor(arguments, None)
    if target.name == TYPED and len(arguments) >= 7:
        return _tensor(arguments, arguments[6])
    return None


def _tensor(arguments: tuple[Any, ...], kind: object) -> Claim | None:
    """None for numbers of a kind that safetensors has not. Raises Damage."""
    saved, offset, shape, stride = arguments[:4]
    storage = _storage(saved) if isinstance(saved, Saved) else None
    if storage is None:
        raise Damage("one of its tensors has no numbers. Remove it.")
    dtype = storage.dtype
    if kind is not None:
        dtype = OF_TORCH.get(kind.name, "") if isinstance(kind, Named) else ""
    shape, stride = _counts(shape), _counts(stride)
    if len(shape) != len(stride) or _counts((offset,)) != (offset,):
        raise Damage(NO_SHAPE)
    if not dtype:
        return None
    return Claim(dtype, storage, offset, shape, stride)


def _counts(values: object) -> tuple[int, ...]:
    """The numbers of a shape; torch.Size is called with them."""
    if isinstance(values, Call):
        values = values.arguments[0] if isinstance(values.arguments, tuple) else ()
    if not isinstance(values, tuple | list) or len(values) > MAX_DIMENSIONS:
        raise Damage(NO_SHAPE)
    if not all(type(value) is int and 0 <= value < 2**48 for value in values):
        raise Damage(NO_SHAPE)
    return tuple(values)


def _storage(saved: Saved) -> Storage | None:
    """("storage", class, key, device, count), and a view's place in old files; None for classes
    saved with their source."""
    match saved.id:
        case ("storage", Named(name=kind), str(key), _, int(), *rest) if rest in ([], [None]):
            return Storage("U8" if kind == "UntypedStorage" else OF_STORAGE.get(kind, ""), key)
    return None
