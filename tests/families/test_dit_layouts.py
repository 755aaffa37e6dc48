"""The key tables of SD 3, Flux and Chroma, against diffusers' own conversions of original files.

The blocks are of full width (diffusers counts on it), a column wide and few.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from tests.families.dit_layouts import original
from webui.families.flux_layout import flux_config, flux_names, guidance_config
from webui.families.sd3_layout import sd3_config, sd3_names
from webui.families.weights import Piece

if TYPE_CHECKING:
    from torch import Tensor

pytestmark = [
    pytest.mark.torch,
    # what the library's Chroma is made of warns of itself
    pytest.mark.filterwarnings("ignore:`FluxPosEmbed`:FutureWarning"),
]

WIDTH = 3072
FLUX = {"num_layers": 2, "num_single_layers": 2, "num_attention_heads": 24}
SD3 = {
    "num_layers": 3,
    "num_attention_heads": 24,
    "attention_head_dim": 64,
    "caption_projection_dim": 1536,
    "pos_embed_max_size": 4,
}


def numbered(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """A tensor for each name, one column wide, no number in two of them."""
    import torch

    found, begun = {}, 0
    for key, shape in shapes.items():
        found[key] = torch.arange(begun, begun + shape[0]).reshape(-1, *([1] * (len(shape) - 1)))
        begun += shape[0]
    return found


def shapes_of(kind: Any, **settings: Any) -> dict[str, tuple[int, ...]]:
    """The shapes of a model's tensors."""
    import torch

    with torch.device("meta"):
        model = kind(**settings)
    return {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}


def assert_same_as_theirs(
    convert: Callable[[dict[str, Tensor]], dict[str, Tensor]],
    shapes: Mapping[str, tuple[int, ...]],
    names: Mapping[str, str | Piece],
) -> None:
    """Whether diffusers finds in an original file what we wrote there."""
    import torch

    wanted = numbered(shapes)
    theirs = convert(original(wanted, names))
    assert theirs.keys() == wanted.keys()
    assert [key for key in wanted if not torch.equal(theirs[key], wanted[key])] == []


@pytest.mark.parametrize("is_guided", [True, False])
def test_flux_names_are_those_of_original_files(is_guided: bool) -> None:
    from diffusers.loaders.single_file_utils import (
        convert_flux_transformer_checkpoint_to_diffusers,
    )
    from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel

    shapes = shapes_of(FluxTransformer2DModel, guidance_embeds=is_guided, **FLUX)
    names = flux_names(list(shapes), WIDTH)
    assert_same_as_theirs(convert_flux_transformer_checkpoint_to_diffusers, shapes, names)


def test_chroma_names_are_those_of_original_files() -> None:
    from diffusers.loaders.single_file_utils import (
        convert_chroma_transformer_checkpoint_to_diffusers,
    )
    from diffusers.models.transformers.transformer_chroma import ChromaTransformer2DModel

    shapes = shapes_of(ChromaTransformer2DModel, **FLUX)
    names = flux_names(list(shapes), WIDTH)
    assert_same_as_theirs(convert_chroma_transformer_checkpoint_to_diffusers, shapes, names)


@pytest.mark.parametrize(
    "variant",
    [{}, {"qk_norm": "rms_norm"}, {"qk_norm": "rms_norm", "dual_attention_layers": (0, 1)}],
    ids=["3 medium", "3.5 large", "3.5 medium"],
)
def test_sd3_names_are_those_of_original_files(variant: dict[str, Any]) -> None:
    from diffusers.loaders.single_file_utils import convert_sd3_transformer_checkpoint_to_diffusers
    from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel

    shapes = shapes_of(SD3Transformer2DModel, **SD3, **variant)
    names = sd3_names(list(shapes), 1536)
    # diffusers reads this width in the file, so this tensor is as it would be there
    shapes["context_embedder.weight"] = (1536, 1)
    assert_same_as_theirs(convert_sd3_transformer_checkpoint_to_diffusers, shapes, names)


@pytest.mark.parametrize("variant", [{}, {"qk_norm": "rms_norm", "dual_attention_layers": (0, 1)}])
def test_sd3_tells_its_settings_by_shapes(variant: dict[str, Any]) -> None:
    from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel

    wanted = shapes_of(SD3Transformer2DModel, **SD3, **variant)
    files = file_shapes(wanted, sd3_names(list(wanted), 1536))

    found = sd3_config(files.__getitem__, files)

    assert shapes_of(SD3Transformer2DModel, **found) == wanted


@pytest.mark.parametrize("channels", [64, 384])
def test_flux_tells_its_settings_by_shapes(channels: int) -> None:
    from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel

    wanted = shapes_of(FluxTransformer2DModel, in_channels=channels, out_channels=64, **FLUX)
    files = file_shapes(wanted, flux_names(list(wanted), WIDTH))

    found = flux_config(files.__getitem__, files)

    assert shapes_of(FluxTransformer2DModel, **found) == wanted
    assert found["axes_dims_rope"] == [16, 56, 56]


def test_chroma_tells_its_settings_by_shapes() -> None:
    from diffusers.models.transformers.transformer_chroma import ChromaTransformer2DModel

    wanted = shapes_of(ChromaTransformer2DModel, **FLUX)
    files = file_shapes(wanted, flux_names(list(wanted), WIDTH))

    found = {**flux_config(files.__getitem__, files), **guidance_config(files.__getitem__, files)}

    assert shapes_of(ChromaTransformer2DModel, **found) == wanted


def file_shapes(
    shapes: Mapping[str, tuple[int, ...]], names: Mapping[str, str | Piece]
) -> dict[str, tuple[int, ...]]:
    """The shapes of an original file's tensors."""
    import torch

    tensors = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    return {key: tuple(tensor.shape) for key, tensor in original(tensors, names).items()}
