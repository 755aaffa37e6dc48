"""Changes a model's weights by networks, and changes them back to the last bit.

The first change of a weight keeps a copy of it; every later one is computed anew from that copy,
in float32, and written over the weight in place. So nothing drifts, weights cost a picture nothing
while it is made, and what was compiled or captured stays valid. Layers that keep their weight in
fewer bits are left as they are and work the change out as they run (see network_change).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

import torch
from torch import Tensor

from webui.core.errors import ModelUnreadable
from webui.core.model import ModelInfo
from webui.engine.architectures.text import Vectors
from webui.engine.network_change import Share, changed_bias, changed_weight, live_patch
from webui.engine.network_fit import Fit, fit
from webui.engine.network_layers import BASE, Layers, Target, layers_of
from webui.engine.weights.master import master, restored, working_device
from webui.families.components import Components
from webui.families.quantised.layers import form, is_quantised, patch
from webui.networks.keys import UNET
from webui.networks.network import read_network
from webui.prompting.networks import NetworkTag

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class NetworkUse:
    """One network that a picture is made with: how the prompt asks for it, and its file."""

    tag: NetworkTag
    model: ModelInfo


class _Source(NamedTuple):
    """A file as it was when it was read."""

    path: str
    size_bytes: int
    changed_ns: int


class _Share(NamedTuple):
    """What one network adds to one layer."""

    source: _Source
    rank: int | None
    weight: float


_Shares = tuple[_Share, ...]


class Patcher:
    """The networks on one model. Used by the engine's thread only."""

    def __init__(self, components: Components) -> None:
        self._components: Final = components
        self._uses: tuple[tuple[_Source, NetworkTag], ...] = ()
        self._fits: dict[_Source, Fit] = {}
        self._applied: dict[Target, _Shares] = {}
        self._backups: dict[Target, Mapping[str, Tensor]] = {}
        self._told: tuple[object, ...] = ({}, frozenset())

    @cached_property
    def _targets(self) -> Layers:
        """Looked up when the first network comes."""
        return layers_of(self._components)

    @property
    def is_in_use(self) -> bool:
        """Whether any network is applied."""
        return bool(self._uses)

    @property
    def notes(self) -> tuple[str, ...]:
        """What of the applied networks is not used, in sentences; empty where all of it is."""
        return tuple(found.note for found in self._fits.values() if found.note)

    @property
    def embeddings(self) -> Mapping[str, Vectors]:
        """Vectors that came along in the networks' files, by the word that calls them."""
        bundles = [found.embeddings for found in self._fits.values()]
        return {word: vectors for words in bundles for word, vectors in words.items()}

    @property
    def held_bytes(self) -> int:
        """Memory of the copies kept to change the weights back."""
        kept = (tensor for copies in self._backups.values() for tensor in copies.values())
        return sum(tensor.numel() * tensor.element_size() for tensor in kept)

    def apply(self, uses: Sequence[NetworkUse]) -> bool:
        """Make the model that of these networks, at the beginning of a run, whatever was applied
        before. True if a text encoder or the words it knows are not what they were when this was
        last answered: what it encoded since then no longer holds.

        Raises InvalidRequest for a network of another family and ModelUnreadable; the model is
        then as it was, or, where damage shows only on the way, without any network.
        """
        started = time.monotonic()
        wanted = tuple((_source(use.model), use.tag) for use in uses)
        self._fits = {
            source: self._fits.get(source) or fit(read_network(use.model.path), self._targets)
            for (source, _), use in zip(wanted, uses, strict=True)
        }
        self._uses = wanted
        if self._settle(0.0):
            log.info("Applied %d networks in %.1f s.", len(uses), time.monotonic() - started)
            for note in self.notes:
                log.info("%s", note)
        return self._has_other_text()

    def at(self, fraction: float) -> None:
        """Bring weights that change over the run to where they are when this part of it, 0 to 1,
        is done. Layers whose weights stay are not touched."""
        if any(tag.schedule for _, tag in self._uses):
            self._settle(fraction)

    def release(self) -> bool:
        """Take all networks off: every weight is to the last bit what it was. Answers as `apply`
        does."""
        self._uses, self._fits = (), {}
        self._settle(0.0)
        return self._has_other_text()

    @torch.inference_mode()
    def _settle(self, fraction: float) -> bool:
        """Bring every layer to what the networks in use make of it. True if any had to change."""
        wanted = self._wanted(fraction)
        changed = [
            target
            for target in {**self._applied, **wanted}
            if self._applied.get(target, ()) != wanted.get(target, ())
        ]
        try:
            for target in changed:
                self._change(target, wanted.get(target, ()))
        except BaseException:  # a half-changed model must not go on, whatever the reason
            self._restore_all()
            raise
        return bool(changed)

    def _wanted(self, fraction: float) -> dict[Target, _Shares]:
        wanted: dict[Target, _Shares] = {}
        for source, tag in self._uses:
            for target in self._fits[source].layers:
                if weight := _weight(tag, target, fraction):
                    share = _Share(source=source, rank=tag.rank, weight=weight)
                    wanted[target] = (*wanted.get(target, ()), share)
        return wanted

    def _change(self, target: Target, shares: _Shares) -> None:
        if not shares:
            self._put_back(target)
            del self._backups[target], self._applied[target]
            return
        if target not in self._backups:
            self._backups[target] = {
                name: tensor.to("cpu", copy=True) for name, tensor in _written(target)
            }
        self._applied[target] = ()  # unlike any wanted: what is under way is not what was
        named = [self._named(share, target) for share in shares]
        _write(target, dict(self._changed(target, named)))
        if is_quantised(target.module):
            patch(target.module, live_patch(named, form(target.module).shape))
        self._applied[target] = shares

    def _changed(self, target: Target, shares: Sequence[Share]) -> Iterator[tuple[str, Tensor]]:
        for name, backup in self._backups[target].items():
            exact = torch.promote_types(backup.dtype, torch.float32)
            change = changed_bias if name == "bias" else changed_weight
            yield name, change(backup.to(working_device(target.module, name), exact), shares)

    def _named(self, share: _Share, target: Target) -> Share:
        return Share(
            layer=self._fits[share.source].layers[target],
            weight=share.weight,
            rank=share.rank,
            network=Path(share.source.path).stem,
            place=target.name,
        )

    def _put_back(self, target: Target) -> None:
        _write(target, self._backups[target])
        for name in self._backups[target]:
            restored(target.module, name)
        if is_quantised(target.module):
            patch(target.module, None)

    def _has_other_text(self) -> bool:
        texts = {target: now for target, now in self._applied.items() if target.part != UNET}
        bundles = frozenset(source for source, found in self._fits.items() if found.embeddings)
        before, self._told = self._told, (texts, bundles)
        return self._told != before

    def _restore_all(self) -> None:
        for target in self._backups:
            self._put_back(target)
        self._backups, self._applied, self._uses, self._fits = {}, {}, (), {}


def _source(model: ModelInfo) -> _Source:
    try:
        stat = model.path.stat()
    except OSError as error:
        raise ModelUnreadable(
            model.name, "its file is gone. Put it back, or refresh the list of models."
        ) from error
    return _Source(path=str(model.path), size_bytes=stat.st_size, changed_ns=stat.st_mtime_ns)


def _weight(tag: NetworkTag, target: Target, fraction: float) -> float:
    if target.part == UNET:
        return tag.unet_weight_at(fraction) * tag.blocks.get(target.block, 1.0)
    return tag.text_weight * tag.blocks.get(BASE, 1.0)


def _written(target: Target) -> list[tuple[str, Tensor]]:
    """The layer's tensors that networks are written into."""
    names = ("bias",) if is_quantised(target.module) else ("weight", "bias")
    there = [name for name in names if isinstance(getattr(target.module, name, None), Tensor)]
    return [(name, master(target.module, name)) for name in there]


def _write(target: Target, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        master(target.module, name).copy_(tensor)
