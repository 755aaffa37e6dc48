"""Bringing weights to a device, and streaming them through it.

    python benchmarks/weights.py [--gib 6.46] [--rounds 5] [--device cuda] [--threads 8]
                                 [--dtype float16] [--folder /tmp] [--out weights.json]

Writes a file of random half-precision weights of transformer blocks as wide as SDXL's, as many as
fill the size asked for (6.46 GiB is an SDXL file), and reads it several ways, taking turns, with
the file in the page cache:

- "ours": file to device as the engine does it, the model's layers ready. Its first turn also pins
  the ring of blocks and is told apart.
- "load_file": safetensors' own, straight to the device.
- "load_file_then_to": safetensors to the CPU, then each tensor to the device.

Then the blocks run with nothing resident but their norms, on one row, so that a forward is as long
as its copies: eager, and on a GPU captured in a graph. Told are bytes per second, their share of
the link's speed, and whether the answer is that of resident weights to the last bit. Prints JSON.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from webui.engine.weights.part import PartWeights
from webui.engine.weights.store import WeightStore
from webui.families.components import Placement
from webui.families.weights import TensorFiles, build

WIDTH = 1280
FORWARDS = 20


class Block(nn.Module):
    """The layers of one of SDXL's inner transformer blocks, without attention between rows."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.q, self.k, self.v = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(3))
        self.out = nn.Linear(WIDTH, WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 8 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        seen = self.norm1(x)
        x = x + self.out(self.q(seen) * self.k(seen).sigmoid() + self.v(seen))
        left, right = self.wide(self.norm2(x)).chunk(2, -1)
        return x + self.narrow(left * right.sigmoid())


def main() -> None:
    """Write the file, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=float, default=6.46)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--dtype", default="float16", help="that of the weights on the device")
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, torch.inference_mode():
        file = Path(folder) / "weights.safetensors"
        blocks = write(file, options.gib)
        report = measure(file, blocks, options)
    text = json.dumps(report, indent=2)
    print(text)
    if options.out is not None:
        options.out.write_text(text, "utf-8")


def write(file: Path, gib: float) -> int:
    """How many blocks the file holds now. Each has the weights of the first one, scaled."""
    torch.manual_seed(0)
    state = {key: value.half() for key, value in Block().state_dict().items()}
    count = max(1, round(gib * 2**30 / sum(value.nbytes for value in state.values())))
    save_file(
        {
            f"{i}.{key}": value * (1 + i / 4096)
            for i in range(count)
            for key, value in state.items()
        },
        file,
    )
    return count


def measure(file: Path, blocks: int, options: argparse.Namespace) -> dict[str, Any]:
    """All figures."""
    device = torch.device(options.device)
    size = file.stat().st_size
    store = WeightStore(device, options.threads)
    model, part = deferred(store, file, blocks, getattr(torch, options.dtype))
    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: place(part),
        "load_file": lambda: load_file(file, device=str(device)),
        "load_file_then_to": lambda: {
            k: v.to(device, copy=True) for k, v in load_file(file).items()
        },
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds + 1):
        for name, way in ways.items():
            seconds[name].append(timed(way, device))
            part.release()
    report: dict[str, Any] = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "torch": torch.__version__,
        "file_bytes": size,
        "tensors": len(model.state_dict()),
        "link_gb_per_s": round(store.link_bytes_per_s / 1e9, 2) if device.type == "cuda" else None,
        "load": {name: figures(values, size) for name, values in seconds.items()},
    }
    medians = {name: each["median_s"] for name, each in report["load"].items()}
    report["ours_of_load_file"] = round(medians["ours"] / medians["load_file"], 3)
    report["is_equal_to_load_file"] = is_equal(model, part, file, device)
    report["streaming"] = streaming(model, part, store, device)
    store.release()
    report["pinned_bytes_left"] = store.host.idle_bytes
    return report


def deferred(
    store: WeightStore, file: Path, blocks: int, dtype: torch.dtype
) -> tuple[nn.Module, PartWeights]:
    """The blocks of the file, without weights yet."""
    placement = Placement(device=store.device, dtype=dtype, defer=store.defer)

    def make() -> nn.Sequential:
        return nn.Sequential(*(Block() for _ in range(blocks)))

    with TensorFiles("benchmark", [file]) as files:
        model = build(make, lambda keys: {key: key for key in keys}, files, placement)
    return model, store.of(model)


def place(part: PartWeights) -> None:
    """All weights to the device."""
    part.release()
    part.place()


def timed(way: Callable[[], object], device: torch.device) -> float:
    """Seconds until what `way` answers is on the device."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    synchronise(device)
    started = time.perf_counter()
    kept = way()
    synchronise(device)
    ended = time.perf_counter()
    del kept
    return ended - started


def synchronise(device: torch.device) -> None:
    """Wait for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def figures(seconds: list[float], size: int) -> dict[str, float]:
    """Of one way: the first turn apart, the others' median and best."""
    later = seconds[1:]
    return {
        "first_s": round(seconds[0], 3),
        "median_s": round(statistics.median(later), 3),
        "best_s": round(min(later), 3),
        "gb_per_s": round(size / 1e9 / statistics.median(later), 2),
    }


def is_equal(model: nn.Module, part: PartWeights, file: Path, device: torch.device) -> bool:
    """Whether every weight is safetensors' own, in the type asked for."""
    part.place()
    theirs = load_file(file)
    return all(
        torch.equal(value, theirs[key].to(device).to(value.dtype))
        for key, value in model.state_dict().items()
    )


def streaming(
    model: nn.Module, part: PartWeights, store: WeightStore, device: torch.device
) -> dict[str, Any]:
    """Forwards with as little resident as can be."""
    dtype = next(model.parameters()).dtype
    x = torch.randn(1, WIDTH, generator=torch.Generator().manual_seed(1)).to(device, dtype)
    part.place()
    wanted = model(x).clone()
    resident_s = statistics.median(timed(lambda: model(x), device) for _ in range(FORWARDS))
    part.place(0)
    report: dict[str, Any] = {
        "device_bytes": part.device_bytes,
        "streamed_bytes": part.host_bytes,
        "resident_forward_s": round(resident_s, 4),
        "eager": forwards(lambda: model(x), wanted, part, store, device),
    }
    if device.type == "cuda":
        report["graph"] = forwards(captured(model, x), wanted, part, store, device)
    return report


def captured(model: nn.Module, x: Tensor) -> Callable[[], Tensor]:
    """A forward as a graph; calling it replays and gives its answer."""
    graph = torch.cuda.CUDAGraph()
    model(x)
    torch.cuda.synchronize()
    with torch.cuda.graph(graph):
        answer = model(x)

    def replay() -> Tensor:
        graph.replay()
        return answer

    return replay


def forwards(
    run: Callable[[], Tensor],
    wanted: Tensor,
    part: PartWeights,
    store: WeightStore,
    device: torch.device,
) -> dict[str, Any]:
    """Rate and exactness of streamed forwards."""
    is_same = bool(torch.equal(run(), wanted))
    taken = statistics.median(timed(run, device) for _ in range(FORWARDS))
    rate = part.host_bytes / taken
    return {
        "forward_s": round(taken, 4),
        "gb_per_s": round(rate / 1e9, 2),
        "share_of_link": round(rate / store.link_bytes_per_s, 3),
        "is_equal_to_resident": is_same and bool(torch.equal(run(), wanted)),
    }


if __name__ == "__main__":
    main()
