"""FreeU: more of what the deep layers know, less of the coarse part of what skips past them.

Si et al. 2023, "FreeU: Free Lunch in Diffusion U-Net". In the first two blocks on the way up, half
the channels that come from below are multiplied (b1, b2), and of what comes over from the way down
the lowest frequencies are (s1, s2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from torch import Tensor, nn
from torch.fft import fft2, ifft2

from webui.core.errors import InvalidRequest
from webui.core.request import FreeU, Guidance
from webui.engine.guidance.feature import Effect, Feature, Moment

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

LOWEST: Final = (0, -1)
"""The frequencies of an axis that s1 and s2 scale: the paper's code cuts two rows and two columns
around the middle of the shifted spectrum, which are the mean and one of the two first waves."""
CHANGED_BLOCKS: Final = 2


class FreeUEffect(Effect):
    """Changes the network in its part of the run."""

    def __init__(self, given: FreeU, blocks: Sequence[nn.Module]) -> None:
        self._given = given
        self._changes = [
            _BlockChange(blocks[0], given.b1, given.s1),
            _BlockChange(blocks[1], given.b2, given.s2),
        ]

    def patch(self, moment: Moment) -> AbstractContextManager[None]:
        """Nothing outside its part of the run."""
        if self._given.start <= moment.progress < self._given.end:
            return self._changed()
        return nullcontext()

    @contextmanager
    def _changed(self) -> Iterator[None]:
        handles = [handle for change in self._changes for handle in change.attach()]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


class _BlockChange:
    """The change of one block on the way up. Its layers each take what comes from below and, next
    to it in one tensor, the last of the skips that are left."""

    def __init__(self, block: Any, backbone: float, skip: float) -> None:
        self._block = block
        self._backbone = backbone
        self._skip = skip
        self._skip_channels: list[int] = []

    def attach(self) -> Iterator[Any]:
        """Puts the hooks on; gives their handles."""
        yield self._block.register_forward_pre_hook(self._filter_skips, with_kwargs=True)
        for index, layer in enumerate(self._block.resnets):
            yield layer.register_forward_pre_hook(partial(self._raise_backbone, index))

    def _filter_skips(
        self, block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        skips: tuple[Tensor, ...] = kwargs["res_hidden_states_tuple"]
        self._skip_channels = [skip.shape[1] for skip in reversed(skips)]
        filtered = tuple(scale_lowest(skip, self._skip) for skip in skips)
        return args, kwargs | {"res_hidden_states_tuple": filtered}

    def _raise_backbone(
        self, index: int, layer: nn.Module, args: tuple[Tensor, ...]
    ) -> tuple[Tensor, ...]:
        half = (args[0].shape[1] - self._skip_channels[index]) // 2
        raised = args[0].clone()
        raised[:, :half] *= self._backbone
        return (raised, *args[1:])


def scale_lowest(features: Tensor, factor: float) -> Tensor:
    """(B, C, h, w) with its lowest frequencies times `factor`."""
    spectrum = fft2(features.float())
    for row in LOWEST:
        for column in LOWEST:
            spectrum[..., row, column] *= factor
    scaled: Tensor = ifft2(spectrum).real
    return scaled.to(features.dtype)


def begin(guidance: Guidance, unet: UNet2DConditionModel) -> Effect | None:
    """None when it isn't asked for. Raises InvalidRequest for networks of another build."""
    if guidance.freeu is None:
        return None
    blocks = list(getattr(unet, "up_blocks", ()))[:CHANGED_BLOCKS]
    if len(blocks) < CHANGED_BLOCKS or not all(hasattr(block, "resnets") for block in blocks):
        raise InvalidRequest(
            "guidance.freeu",
            "This checkpoint's network has no two blocks on its way up that FreeU could change. "
            "Switch FreeU off, or choose another checkpoint.",
        )
    return FreeUEffect(guidance.freeu, blocks)


FEATURE = Feature(id="freeu", order=20, begin=begin)
