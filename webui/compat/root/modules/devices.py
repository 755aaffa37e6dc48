"""The device of the engine. torch is imported when a script first asks for something of it."""

from __future__ import annotations

import contextlib
import gc
import sys
from typing import Any

from modules.gesso import side
from webui.compat.missing import unprovided


class NansException(Exception):
    """A result with values that are no numbers."""


force_fp16 = False
fp8 = False
unet_needs_upcast = False
backend = "cuda"


def has_mps() -> bool:
    """Whether the device is Apple's."""
    return get_optimal_device_name() == "mps"


def has_xpu() -> bool:
    """Whether the device is Intel's."""
    return get_optimal_device_name() == "xpu"


def get_cuda_device_string() -> str:
    """The CUDA device's name."""
    return "cuda"


def get_optimal_device_name() -> str:
    """What torch calls the device that the engine uses."""
    import torch

    told = side.told.get("device")
    if told:
        return str(told)
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def get_optimal_device() -> Any:
    """The device that the engine uses."""
    import torch

    return torch.device(get_optimal_device_name())


def get_device_for(task: str) -> Any:
    """The same for all tasks."""
    return get_optimal_device()


def torch_gc() -> None:
    """Give back memory that nobody uses."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def enable_tf32() -> None:
    """The engine chooses how exactly it multiplies."""


def randn(seed: int, shape: Any, generator: Any = None) -> Any:
    """Noise of a seed."""
    manual_seed(seed)
    return randn_without_seed(shape, generator)


def randn_local(seed: int, shape: Any) -> Any:
    """Noise of a seed, from a generator of its own."""
    import torch

    own = torch.Generator("cpu").manual_seed(int(seed))
    return torch.randn(shape, generator=own).to(get_optimal_device())


def randn_like(x: Any) -> Any:
    """Noise of a tensor's shape."""
    import torch

    return torch.randn_like(x)


def randn_without_seed(shape: Any, generator: Any = None) -> Any:
    """Noise."""
    import torch

    return torch.randn(shape, generator=generator).to(get_optimal_device())


def manual_seed(seed: int) -> None:
    """Seed the global generator."""
    import torch

    torch.manual_seed(int(seed))


def autocast(disable: bool = False) -> Any:
    """Nothing: the engine's networks have one precision."""
    return contextlib.nullcontext()


def without_autocast(disable: bool = False) -> Any:
    """No autocast within."""
    return contextlib.nullcontext()


def manual_cast(target_dtype: Any) -> Any:
    """Nothing, as `autocast`."""
    return contextlib.nullcontext()


def cond_cast_unet(input: Any) -> Any:
    """As it is."""
    return input


def cond_cast_float(input: Any) -> Any:
    """As it is."""
    return input


def test_for_nans(x: Any, where: str) -> None:
    """Raises NansException if all values are no numbers."""
    import torch

    if bool(torch.isnan(x).all()):
        raise NansException(f"A tensor with all NaNs was produced in {where}.")


_refuse = unprovided(__name__)
_DEVICES = frozenset(
    {
        "device",
        "device_interrogate",
        "device_gfpgan",
        "device_esrgan",
        "device_codeformer",
        "device_swinir",
    }
)
_DTYPES = frozenset({"dtype", "dtype_vae", "dtype_unet", "dtype_inference"})


def __getattr__(name: str) -> Any:
    if name in _DEVICES:
        return get_optimal_device()
    if name == "cpu":
        import torch

        return torch.device("cpu")
    if name in _DTYPES:
        import torch

        return torch.float32 if get_optimal_device_name() == "cpu" else torch.float16
    return _refuse(name)
