"""Step caches: off they change nothing; on, less of the network runs and pictures stay near."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from tests.engine.denoisers import (
    FLOW,
    asked,
    make_denoiser,
    noise,
    parts,
    prompts,
    said,
    small_unet,
    text,
)
from tests.engine.work import RECIPE, images, pixels, work
from webui.core.errors import InvalidRequest
from webui.core.request import FreeU, Guidance, Hires, StepCache
from webui.engine.architectures import load_architectures
from webui.engine.architectures.text import Text
from webui.engine.caching.choice import Caches
from webui.engine.denoise import Asked, Denoiser
from webui.engine.graphs.graph_runner import GraphRunner
from webui.engine.graphs.recorder import RehearsingRecorder
from webui.families.components import Prediction

if TYPE_CHECKING:
    from webui.engine.conditioning import Conditioning
    from webui.engine.local import LocalEngine

pytestmark = pytest.mark.torch

CALLS: Final = 6
X: Final = noise(2, 4, 8, 8, seed=1) * 5
EACH_CALL = StepCache(every=1, threshold=0.0, start=0.0)
"""Works, and never leaves anything out."""
THIRDS = StepCache(every=3, start=0.0)


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def unet() -> UNet2DConditionModel:
    return small_unet()


def walk(denoise: Denoiser, x: Tensor, calls: int = CALLS, last: float = 1.0) -> Tensor:
    """Some steps of a tenth of the way from noise levels that fall from 5."""
    for call in range(calls):
        x = x + (denoise(x, 5.0 - (5.0 - last) * call / (calls - 1)) - x) * 0.1
    return x


def counted(module: nn.Module, run: Callable[[], Tensor]) -> tuple[Tensor, int]:
    """What it gives, and how often this module ran meanwhile."""
    calls = []
    handle = module.register_forward_hook(lambda *_: calls.append(1))
    try:
        return run(), len(calls)
    finally:
        handle.remove()


def with_cache(
    unet: UNet2DConditionModel, cache: StepCache | None, x: Tensor = X, say: Any = None, **more: Any
) -> tuple[Tensor, int]:
    """The end of a run, and how often the middle of the network ran."""
    denoise = make_denoiser(unet, say or said(), step_cache=cache, calls_total=CALLS, **more)
    return counted(unet.mid_block.resnets[0], lambda: walk(denoise, x))


def is_as_made(network: nn.Module) -> bool:
    """No module runs other code than its class's."""
    return not any("forward" in vars(module) for module in network.modules())


BUILDS: Mapping[str, Mapping[str, Any]] = {
    "attention outside": {},
    "attention inside": {
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    },
    "more layers": {"layers_per_block": 2},
}


class TestUNets:
    """Every n-th call is whole."""

    @pytest.mark.parametrize("build", BUILDS)
    def test_nothing_left_out_changes_no_bit(self, build: str) -> None:
        unet = small_unet(**BUILDS[build])
        plain, calls = with_cache(unet, None)
        cached, calls_then = with_cache(unet, EACH_CALL)
        assert torch.equal(plain, cached)
        assert (calls, calls_then) == (CALLS, CALLS)

    @pytest.mark.parametrize("build", BUILDS)
    def test_deep_layers_run_every_third_call(self, build: str) -> None:
        """A random network, whose answers change more between steps than a trained one's: it is
        off by less than a fifth of the way that the run went."""
        unet = small_unet(**BUILDS[build])
        plain, _ = with_cache(unet, None)
        cached, calls = with_cache(unet, THIRDS)
        assert calls == CALLS / 3
        assert 0 < (cached - plain).abs().mean() < 0.2 * (plain - X).abs().mean()
        assert is_as_made(unet)

    def test_a_batch_is_its_pictures(self, unet: UNet2DConditionModel) -> None:
        batch, _ = with_cache(unet, THIRDS)
        for number in range(2):
            one, _ = with_cache(unet, THIRDS, X[number : number + 1])
            torch.testing.assert_close(one, batch[number : number + 1], rtol=1e-9, atol=1e-9)

    def test_exact_batches_are_the_same(self, unet: UNet2DConditionModel) -> None:
        batch, _ = with_cache(unet, THIRDS)
        exact, _ = with_cache(unet, THIRDS, is_exact=True)
        torch.testing.assert_close(exact, batch, rtol=1e-9, atol=1e-9)

    def test_texts_of_other_lengths_keep_their_own(self, unet: UNet2DConditionModel) -> None:
        """Each prompt of three is asked by itself then; none may take what another left."""
        several = prompts([(text(1, 7), 1.0), (text(2, 9), 0.5)], text(3, 11))
        plain, _ = with_cache(unet, EACH_CALL, say=several)
        cached, calls = with_cache(unet, THIRDS, say=several)
        assert calls == 3 * CALLS / 3
        assert (cached - plain).abs().mean() < 0.2 * (plain - X).abs().mean()

    def test_a_prompt_that_changes_is_asked_whole(self, unet: UNet2DConditionModel) -> None:
        before, after = said(), said((1.0,))
        after = replace(after, positive=prompts([(text(77), 1.0)], None).positive)

        def say(call: int) -> Conditioning:
            return before if call < 2 else after

        def guess(cache: StepCache | None) -> Tensor:
            denoise = make_denoiser(
                unet, replace_negative(say), step_cache=cache, calls_total=CALLS
            )
            return [denoise(X, 5.0 - call) for call in range(3)][-1]

        torch.testing.assert_close(guess(StepCache(every=10, start=0.0)), guess(None))

    def test_it_keeps_to_its_part_of_the_run(self, unet: UNet2DConditionModel) -> None:
        _, calls = with_cache(unet, StepCache(every=3, start=0.5))
        assert calls == 3 + 1
        _, calls = with_cache(unet, StepCache(every=3, start=0.0, end=0.5))
        assert calls == 1 + 3

    def test_freeu_goes_along(self, unet: UNet2DConditionModel) -> None:
        guidance = Guidance(freeu=FreeU(b1=1.1, b2=1.2), perturbed_attention=1.0)
        plain, _ = with_cache(unet, None, guidance=guidance)
        whole, _ = with_cache(unet, EACH_CALL, guidance=guidance)
        cached, calls = with_cache(unet, THIRDS, guidance=guidance)
        assert torch.equal(plain, whole)
        assert calls == CALLS / 3 + CALLS  # PAG's own questions are always whole
        assert (cached - plain).abs().mean() < 0.2 * (plain - X).abs().mean()

    def test_a_call_that_fails_leaves_the_network_as_it_was(self) -> None:
        unet = small_unet()
        denoise = make_denoiser(unet, said(), step_cache=THIRDS, calls_total=CALLS)

        def fail(*_: Any) -> None:
            raise RuntimeError("no more")

        handle = unet.conv_out.register_forward_pre_hook(fail)
        with pytest.raises(RuntimeError, match="no more"):
            denoise(X, 5.0)
        assert is_as_made(unet)
        handle.remove()
        again, _ = with_cache(unet, THIRDS)
        fresh, _ = with_cache(small_unet(), THIRDS)
        assert torch.equal(again, fresh)

    def test_both_ways_are_replayed_from_recordings(self, unet: UNet2DConditionModel) -> None:
        """A second picture and a second text of another length need no further recordings than
        their forms: what stands in is the same each time."""
        recorder = RehearsingRecorder()
        runner = GraphRunner(unet, recorder, eager_calls=1)
        caches, model = Caches(unet), asked(parts(unet))
        for _ in range(3):
            replayed = walk(
                recorded(replace(model, runner=runner, caches=caches), said()), X, 2 * CALLS
            )
        plain = walk(recorded(model, said()), X, 2 * CALLS)
        assert torch.equal(replayed, plain)
        assert recorder.recorded == 2

    def test_self_attention_guidance_is_refused(self, unet: UNet2DConditionModel) -> None:
        with pytest.raises(InvalidRequest, match="SAG") as refused:
            make_denoiser(unet, said(), guidance=Guidance(self_attention=0.5), step_cache=THIRDS)
        assert refused.value.field == "step_cache"


def replace_negative(say: Callable[[int], Conditioning]) -> Callable[[int], Conditioning]:
    """The same without a negative prompt, so that one row alone decides."""
    return lambda call: replace(say(call), negative=None)


def recorded(model: Asked, say: Conditioning) -> Denoiser:
    """A run with a cache."""
    from tests.engine.denoisers import Plan

    return Denoiser(
        model, Plan(say), Guidance(), 3.0, calls_total=2 * CALLS, is_exact=False, step_cache=THIRDS
    )


def test_a_network_without_blocks_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="nothing for a step cache") as refused:
        Caches(nn.Linear(2, 2)).begin(THIRDS)
    assert refused.value.field == "step_cache"
    assert Caches(nn.Linear(2, 2)).begin(None) is None


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A tiny transformer: what makes it, and what it is told."""

    make: Callable[[], Any]
    channels: int
    words: int
    """The width of a text."""
    pooled: int = 0
    is_flow: bool = True

    def text(self, seed: int, length: int = 9) -> Text:
        """A random one."""
        draw = torch.Generator().manual_seed(seed)
        pooled = torch.randn(1, self.pooled, generator=draw) if self.pooled else None
        return Text(tokens=torch.randn(1, length, self.words, generator=draw), pooled=pooled)


def _make(name: str, settings: Mapping[str, Any], **changes: Any) -> Callable[[], Any]:
    """Of the library's class of this name, always the same."""

    def make() -> Any:
        import diffusers

        from tests.families.dit_models import seeded

        return seeded(partial(getattr(diffusers, name), **{**settings, **changes}))

    return make


def kind_of(name: str) -> Kind:
    """The kinds by their architectures."""
    from tests.families import dit_models as d
    from tests.families import language_dits as t

    flux = _make("FluxTransformer2DModel", d.FLUX_SETTINGS, guidance_embeds=True)
    sd3 = _make("SD3Transformer2DModel", d.SD3_NETWORK)
    chroma = _make("ChromaTransformer2DModel", d.CHROMA_SETTINGS)
    pixart = _make("PixArtTransformer2DModel", d.PIXART_NETWORK)
    kinds = {
        "flux": Kind(make=flux, channels=16, words=d.T5_WIDTH, pooled=d.CLIP_WIDTHS["clip_l"]),
        "sd3": Kind(make=sd3, channels=16, words=d.T5_WIDTH, pooled=d.T5_WIDTH),
        "chroma": Kind(make=chroma, channels=16, words=d.T5_WIDTH),
        "pixart": Kind(make=pixart, channels=4, words=d.T5_WIDTH, is_flow=False),
    }
    language = {
        "qwen": ("QwenImageTransformer2DModel", t.QWEN_NETWORK, 16, 1),
        "zimage": ("ZImageTransformer2DModel", t.ZIMAGE_NETWORK, 16, 1),
        "lumina2": ("Lumina2Transformer2DModel", t.LUMINA2_NETWORK, 16, 1),
        "flux2": ("Flux2Transformer2DModel", t.FLUX2_NETWORK, 32, 3),
        "sana": ("SanaTransformer2DModel", t.SANA_NETWORK, 32, 1),
    }
    for each, (made_by, settings, channels, layers) in language.items():
        make = _make(made_by, settings)
        kinds[each] = Kind(make=make, channels=channels, words=layers * t.TEXT_WIDTH)
    return kinds[name]


TRANSFORMERS: Final = (
    *("flux", "sd3", "chroma", "pixart", "qwen", "zimage", "lumina2", "flux2", "sana"),
)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # a library's own part of Chroma is old
@pytest.mark.parametrize("name", TRANSFORMERS)
class TestTransformers:
    """The first block decides."""

    def run(
        self, kind: Kind, name: str, cache: StepCache | None, x: Tensor, network: Any
    ) -> tuple[Tensor, int]:
        """The end of a run, and how often the last block ran."""
        words = prompts([(kind.text(1), 1.0)], kind.text(2))
        prediction = Prediction.FLOW if kind.is_flow else Prediction.EPSILON
        plain = asked(parts(network, prediction), FLOW) if kind.is_flow else asked(parts(network))
        model = replace(plain, architecture=load_architectures()[name])
        from tests.engine.denoisers import Plan

        denoise = Denoiser(
            model, Plan(words), Guidance(), 3.0, calls_total=8, is_exact=False, step_cache=cache
        )
        return counted(_last_block(network), lambda: walk(denoise, x, 4, last=4.9))

    def test_a_threshold_leaves_blocks_out(self, name: str) -> None:
        """At 0 no bit changes. With a threshold that random networks don't reach, all calls but
        the first are short, and what comes out is near."""
        kind = kind_of(name)
        network = kind.make()
        x = torch.randn(2, kind.channels, 8, 8, generator=torch.Generator().manual_seed(3)) * 5
        plain, calls = self.run(kind, name, None, x, network)
        whole, calls_at_0 = self.run(kind, name, EACH_CALL, x, network)
        assert torch.equal(plain, whole)
        assert calls == calls_at_0 == 4
        short, calls_at_1 = self.run(kind, name, StepCache(threshold=1.0, start=0.0), x, network)
        assert calls_at_1 == 1
        assert (short - plain).abs().mean() < 0.2 * (plain - x).abs().mean()
        assert is_as_made(network)
        one, _ = self.run(kind, name, StepCache(threshold=1.0, start=0.0), x[1:], network)
        torch.testing.assert_close(one, short[1:], rtol=1e-4, atol=1e-4)


def _last_block(network: Any) -> nn.Module:
    names = ("single_transformer_blocks", "transformer_blocks", "layers")
    blocks = next(getattr(network, name) for name in names if hasattr(network, name))
    inner: nn.Module = next(blocks[-1].children())  # a hook that stand-ins don't call
    return inner


class TestPictures:
    """Through the whole engine, on the starter model."""

    FIELDS: Final[Mapping[str, Any]] = {"steps": 8, "width": 64, "height": 64}

    def test_nothing_left_out_is_the_same_picture(self, local: LocalEngine) -> None:
        plain, whole = (
            images(local, work(step_cache=cache, **self.FIELDS))[0] for cache in (None, EACH_CALL)
        )
        assert plain.tobytes() == whole.tobytes()

    def test_a_picture_with_a_cache_is_near(self, local: LocalEngine) -> None:
        """As a request has it by default: below 5 of 255 on average, where another seed is off by
        75."""
        fields: dict[str, Any] = {"steps": 20, "width": 192, "height": 128}
        batches = work(**fields), work(step_cache=StepCache(), **fields)
        plain, near = (pixels(images(local, each)[0]) for each in batches)
        assert 0 < np.abs(plain - near).mean() < 5

    def test_each_pass_and_picture_begins_anew(self, local: LocalEngine) -> None:
        """Picture 2 of a batch is the picture of its seed alone, a second pass included."""
        fields: dict[str, Any] = {**self.FIELDS, "steps": 4, "step_cache": THIRDS}
        hires = Hires(scale=1.5, steps=3, denoising_strength=0.7)
        batch = images(local, work(pictures=2, hires=hires, **fields))
        alone = images(local, work(seed=RECIPE.seed + 1, hires=hires, **fields))
        assert batch[1].tobytes() == alone[0].tobytes()
