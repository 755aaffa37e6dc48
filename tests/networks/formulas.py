"""Each network type's effect as its authors wrote it down, in numpy and float64, the slow way.

Nothing here is shared with the code that it checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Parts = Mapping[str, Array]


def change(parts: Parts, weight: Array) -> Array:
    """What is added to the weight by a network at weight 1."""
    result = _plain(parts, weight)
    if "dora_scale" in parts:
        return _with_lengths(weight + result, parts["dora_scale"]) - weight
    return result


def _plain(parts: Parts, weight: Array) -> Array:
    rules: dict[str, Any] = {
        "lora_up.weight": _lora,
        "hada_w1_a": _loha,
        "lokr_w2": _lokr,
        "lokr_w2_a": _lokr,
        "on_input": _ia3,
        "diff": lambda parts, weight: parts["diff"],
        "w_norm": lambda parts, weight: parts["w_norm"],
        "oft_blocks": _oft,
        "oft_diag": _oft,
        "a1.weight": _glora,
    }
    rule = next(rule for name, rule in rules.items() if name in parts)
    result: Array = rule(parts, weight)
    return result.reshape(weight.shape)


def _lora(parts: Parts, weight: Array) -> Array:
    up, down = parts["lora_up.weight"], parts["lora_down.weight"]
    scale = parts["alpha"] / down.shape[0]
    if (mid := parts.get("lora_mid.weight")) is None:
        return np.asarray(scale * up.reshape(up.shape[0], -1) @ down.reshape(down.shape[0], -1))
    total = np.zeros(weight.shape)
    for a in range(mid.shape[0]):
        for b in range(mid.shape[1]):
            ends = np.outer(up[:, a].ravel(), down[b].ravel())
            total += ends[:, :, None, None] * mid[a, b]
    return np.asarray(scale * total)


def _loha(parts: Parts, weight: Array) -> Array:
    factors = []
    for number in (1, 2):
        a, b = parts[f"hada_w{number}_a"], parts[f"hada_w{number}_b"]
        core = parts.get(f"hada_t{number}")
        product = a @ b if core is None else _tucker(core, a, b)
        factors.append(product.reshape(weight.shape))
    return np.asarray(parts["alpha"] / parts["hada_w1_b"].shape[0] * factors[0] * factors[1])


def _tucker(core: Array, a: Array, b: Array) -> Array:
    total = np.zeros((a.shape[1], b.shape[1], *core.shape[2:]))
    for i in range(core.shape[0]):
        for j in range(core.shape[1]):
            total += np.outer(a[i], b[j])[:, :, None, None] * core[i, j]
    return total


def _lokr(parts: Parts, weight: Array) -> Array:
    scale, first, second = 1.0, parts.get("lokr_w1"), parts.get("lokr_w2")
    if second is None:
        a, b = parts["lokr_w2_a"], parts["lokr_w2_b"]
        core = parts.get("lokr_t2")
        second = a @ b if core is None else _tucker(core, a, b)
        scale = float(parts["alpha"]) / b.shape[0]
    if first is None:
        first = parts["lokr_w1_a"] @ parts["lokr_w1_b"]
        scale = float(parts["alpha"]) / parts["lokr_w1_b"].shape[0]
    second = second.reshape(second.shape[0], weight.shape[1] // first.shape[1], -1)
    # kron(A, B)[i p + k, j q + l] = A[i, j] B[k, l]
    return scale * np.einsum("ij,klx->ikjlx", first, second).reshape(weight.shape)


def _ia3(parts: Parts, weight: Array) -> Array:
    factors, result = parts["weight"].ravel(), np.array(weight)
    for index, factor in enumerate(factors):
        if parts["on_input"]:
            result[:, index] *= factor
        else:
            result[index] *= factor
    return result


def _glora(parts: Parts, weight: Array) -> Array:
    a1, a2, b1, b2 = (parts[f"{name}.weight"] for name in ("a1", "a2", "b1", "b2"))
    if b1.shape[1] == weight.shape[1]:
        a1, a2, b1, b2 = a2, a1, b2, b1
    return np.asarray(parts["alpha"] / b2.shape[0] * (b1 @ b2 + weight @ a1 @ a2))


def _oft(parts: Parts, weight: Array) -> Array:
    outputs = weight.shape[0]
    flat = weight.reshape(outputs, -1)
    if "oft_diag" in parts:
        turned = _block_diagonal(parts["oft_diag"]).T @ flat
    else:
        stored = parts["oft_blocks"]
        skew = stored - np.swapaxes(stored, -1, -2)
        limit, norm = float(parts["alpha"]) * outputs, float(np.sqrt((skew**2).sum()))
        if 0 < limit < norm:
            skew = skew * limit / norm
        turned = _turned(_cayley(skew), flat)
    turned = turned.reshape(weight.shape)
    if "rescale" in parts:
        turned = turned * parts["rescale"]
    return np.asarray(turned - weight)


def _cayley(skew: Array) -> Array:
    eye = np.eye(skew.shape[-1])
    return (eye + skew) @ np.linalg.inv(eye - skew)


def _turned(rotations: Array, flat: Array) -> Array:
    """OFT as one large block-diagonal matrix; BOFT as a product of such, each between a
    permutation and its inverse."""
    if rotations.ndim == 3:
        return np.asarray(_block_diagonal(rotations).T @ flat)
    outputs, side = flat.shape[0], rotations.shape[-1]
    for index, factor in enumerate(rotations):
        stride = 2**index * side // 2
        shuffle = np.zeros((outputs, outputs))
        for old in range(outputs):
            group, half, rest = old // (2 * stride), old // stride % 2, old % stride
            shuffle[group * 2 * stride + rest * 2 + half, old] = 1.0
        flat = shuffle.T @ _block_diagonal(factor) @ shuffle @ flat
    return flat


def _block_diagonal(blocks: Array) -> Array:
    count, side, _ = blocks.shape
    whole = np.zeros((count * side, count * side))
    for index, block in enumerate(blocks):
        place = slice(index * side, (index + 1) * side)
        whole[place, place] = block
    return whole


def _with_lengths(changed: Array, lengths: Array) -> Array:
    result = np.array(changed)
    if lengths.shape[0] == changed.shape[0]:
        for row, length in enumerate(lengths.ravel()):
            result[row] *= length / np.sqrt((changed[row] ** 2).sum())
    else:
        for column, length in enumerate(lengths.ravel()):
            result[:, column] *= length / np.sqrt((changed[:, column] ** 2).sum())
    return result
