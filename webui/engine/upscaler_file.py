"""Reads an upscaler from a file. spandrel tells by the names of the tensors which network it is.

Pickles come here as the safetensors files that were made of them.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from webui.core.errors import ModelUnreadable
from webui.core.model import ModelInfo
from webui.families.components import Placement
from webui.modelfiles.header import read_front

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor

log = logging.getLogger(__name__)

MAX_BYTES: Final = 2 * 2**30
"""Of a file: the largest upscalers have some 300 MB."""
TORCHVISION: Final = (
    "torchvision",
    "torchvision.transforms",
    "torchvision.transforms.functional",
)
DAMAGE: Final = (
    *(OSError, EOFError, SafetensorError),
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError),
    *(RuntimeError, MemoryError),
)
"""What damaged and hostile files lead to, in reading and in building a network of them."""


class UpscalerModel:
    """A network that enlarges pictures `scale` times. Used by the engine's thread."""

    def __init__(
        self, info: ModelInfo, network: ImageModelDescriptor, placement: Placement
    ) -> None:
        self._info: Final = info
        self._network = network
        self._device: Final = placement.device
        self._dtype = _precision(network, placement)
        self._place()

    @property
    def scale(self) -> int:
        """Pixels of the result along a pixel of the picture; 1 for those that only restore."""
        return int(self._network.scale)

    @property
    def is_tileable(self) -> bool:
        """Whether it may see a picture in parts; some need the whole."""
        return bool(self._network.tiling.name == "SUPPORTED")

    @property
    def bytes_per_number(self) -> int:
        """Of the precision it works in."""
        return self._dtype.itemsize

    def __call__(self, pixels: Tensor) -> Tensor:
        """Pixels enlarged, (1, 3, h, w) -> (1, 3, h * scale, w * scale), float32, 0..1.

        What half precision can't hold is computed again in float32, as is all that follows.
        Raises ModelUnreadable when its numbers are none even then.
        """
        larger = self._run(pixels)
        if not bool(torch.isfinite(larger).all()):
            if self._dtype is not torch.float32:
                log.info("%s needs float32.", self._info.name)
                self._dtype = torch.float32
                self._network = _network(self._info)  # these weights were rounded, or lost, too
                self._place()
                return self(pixels)
            raise ModelUnreadable(
                self._info.name, "it gives values that are no numbers. Download it again."
            )
        return larger

    def _run(self, pixels: Tensor) -> Tensor:
        larger: Tensor = self._network(pixels.to(self._device, self._dtype))
        return larger.float()

    def _place(self) -> None:
        self._network.to(self._device, self._dtype)


def load_upscaler(info: ModelInfo, placement: Placement) -> UpscalerModel:
    """The upscaler in a file, on the device. Raises ModelUnreadable."""
    started = time.monotonic()
    network = _network(info)
    log.info("Loaded %s in %.1f s.", info.name, time.monotonic() - started)
    return UpscalerModel(info, network, placement)


def _network(info: ModelInfo) -> ImageModelDescriptor:
    tensors = _read(info)
    spandrel = _spandrel()
    try:
        network = spandrel.ModelLoader().load_from_state_dict(tensors)
    except spandrel.UnsupportedModelError as error:
        raise ModelUnreadable(
            info.name, "it is no upscaler of a known kind. Look for another version, or remove it."
        ) from error
    except DAMAGE as error:
        raise ModelUnreadable(
            info.name, f"its weights don't fit together ({_first_line(error)}). Download it again."
        ) from error
    _check_use(info, network)
    network.eval()
    network.model.requires_grad_(False)
    return network


def _check_use(info: ModelInfo, network: Any) -> None:
    """Refuses networks for faces and for holes, and those for other channels than ours."""
    if network.purpose not in ("SR", "Restoration"):
        raise ModelUnreadable(
            info.name, f"it is made for {network.purpose}, not for enlarging. Choose another."
        )
    if (network.input_channels, network.output_channels) != (3, 3):
        raise ModelUnreadable(
            info.name,
            f"it reads {network.input_channels} channels and gives {network.output_channels}; "
            "a colour picture has 3. Choose another.",
        )


def _precision(network: Any, placement: Placement) -> torch.dtype:
    """Half only on GPUs that are fast at it; bfloat16's steps would show in smooth colours."""
    is_half = placement.device.type == "cuda" and placement.dtype is torch.float16
    return torch.float16 if is_half and network.supports_half else torch.float32


def _read(info: ModelInfo) -> Mapping[str, Tensor]:
    """What a file holds, not yet known to be tensors of an upscaler. Raises ModelUnreadable."""
    read_front(info.path)
    try:
        size = info.path.stat().st_size
        if size > MAX_BYTES:
            raise ValueError(f"{size / 2**30:.1f} GiB are more than {MAX_BYTES / 2**30:g}")
        tensors: Mapping[str, Tensor] = load_file(info.path)
        return tensors
    except DAMAGE as error:
        raise ModelUnreadable(
            info.name, f"the file can't be read ({_first_line(error)}). Download it again."
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _spandrel() -> Any:
    """Imported when the first file is read: it takes half a second."""
    with _torchvision_stood_in_for():
        import spandrel
    return spandrel


@contextmanager
def _torchvision_stood_in_for() -> Iterator[None]:
    """spandrel imports three names of torchvision, for networks that we have no use for. Where
    no torchvision pairs with the build of PyTorch, importing one fails, so it gets empty ones;
    they go away again, because other libraries ask whether there is a torchvision."""
    if "spandrel" in sys.modules or TORCHVISION[0] in sys.modules:
        yield
        return
    modules = {name: ModuleType(name) for name in TORCHVISION}
    vars(modules[TORCHVISION[-1]]).update(InterpolationMode=None, rotate=None, normalize=None)
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in TORCHVISION:
            sys.modules.pop(name, None)
