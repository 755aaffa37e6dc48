"""Pictures of other programs: their own layouts, written out here, become A1111's words."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from webui.core.errors import UnreadablePicture
from webui.imaging.foreign import told_by
from webui.imaging.told import read_told

COMFY = {
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 156680208700286,
            "steps": 20,
            "cfg": 8.0,
            "sampler_name": "euler_ancestral",
            "scheduler": "karras",
            "denoise": 1.0,
            "model": ["10", 0],
            "positive": ["6", 0],
            "negative": ["7", 0],
            "latent_image": ["5", 0],
        },
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd\\real.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 768}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a castle", "clip": ["10", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["10", 1]}},
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "10": {
        "class_type": "LoraLoader",
        "inputs": {
            "lora_name": "style/ink.safetensors",
            "strength_model": 0.7,
            "strength_clip": 0.7,
            "model": ["4", 0],
            "clip": ["4", 1],
        },
    },
}
INVOKE = {
    "generation_mode": "txt2img",
    "positive_prompt": "a castle",
    "negative_prompt": "blurry",
    "width": 512,
    "height": 768,
    "seed": 42,
    "rand_device": "cpu",
    "cfg_scale": 7.5,
    "steps": 30,
    "scheduler": "dpmpp_2m_k",
    "clip_skip": 1,
    "seamless_x": True,
    "model": {"key": "x", "hash": "blake3:1", "name": "real", "base": "sd-1", "type": "main"},
    "loras": [{"model": {"name": "ink"}, "weight": 0.7}],
}
SWARM = {
    "sui_image_params": {
        "prompt": "a castle",
        "negativeprompt": "blurry",
        "model": "sd/real.safetensors",
        "seed": 42,
        "steps": 30,
        "cfgscale": 7.5,
        "width": 512,
        "height": 768,
        "sampler": "dpmpp_2m",
        "scheduler": "karras",
        "loras": ["ink"],
        "loraweights": ["0.7"],
        "clipstopatlayer": -2,
    }
}
FOOOCUS = {
    "prompt": "castle",
    "full_prompt": ["a castle", "cinematic"],
    "negative_prompt": "blurry",
    "full_negative_prompt": ["blurry", "photo"],
    "steps": 30,
    "resolution": "(896, 1152)",
    "guidance_scale": 4.0,
    "base_model": "real",
    "base_model_hash": "0123456789",
    "sampler": "dpmpp_2m_sde_gpu",
    "scheduler": "karras",
    "seed": "42",
    "loras": [["ink", 0.7, "abcdef"]],
    "clip_skip": 2,
}
NOVEL = {
    "prompt": "{{castle}}, [tree], plain (x)",
    "uc": "blurry",
    "steps": 28,
    "height": 768,
    "width": 512,
    "scale": 11.0,
    "seed": 42,
    "sampler": "k_euler_ancestral",
    "noise_schedule": "karras",
}
EASY = {
    "prompt": "a castle",
    "negative_prompt": "blurry",
    "seed": "42",
    "use_stable_diffusion_model": "real",
    "width": "512",
    "height": "768",
    "num_inference_steps": "30",
    "guidance_scale": "7.5",
    "sampler_name": "euler_a",
    "use_lora_model": "ink",
    "lora_alpha": "0.7",
}
CASES: dict[str, tuple[Mapping[str, str], str, str, Mapping[str, str]]] = {
    "ComfyUI": (
        {"prompt": json.dumps(COMFY), "workflow": "{}"},
        "a castle <lora:ink:0.7>",
        "blurry",
        {
            "Steps": "20",
            "Sampler": "Euler a",
            "Schedule type": "Karras",
            "CFG scale": "8.0",
            "Seed": "156680208700286",
            "Size": "512x768",
            "Model": "real",
        },
    ),
    "InvokeAI": (
        {"invokeai_metadata": json.dumps(INVOKE)},
        "a castle <lora:ink:0.7>",
        "blurry",
        {
            "Steps": "30",
            "Sampler": "DPM++ 2M",
            "Schedule type": "Karras",
            "Size": "512x768",
            "Model": "real",
            "Clip skip": "2",
            "Tiling": "Horizontal",
        },
    ),
    "SwarmUI": (
        {"parameters": json.dumps(SWARM)},
        "a castle <lora:ink:0.7>",
        "blurry",
        {"Steps": "30", "Sampler": "DPM++ 2M", "Model": "real", "Clip skip": "2"},
    ),
    "Fooocus": (
        {"parameters": json.dumps(FOOOCUS), "fooocus_scheme": "fooocus"},
        "a castle, cinematic <lora:ink:0.7>",
        "blurry, photo",
        {
            "Sampler": "DPM++ 2M SDE",
            "Size": "896x1152",
            "Model hash": "0123456789",
            "Model": "real",
            "Seed": "42",
        },
    ),
    "NovelAI": (
        {"Software": "NovelAI", "Comment": json.dumps(NOVEL), "Source": "Stable Diffusion 1234"},
        "(castle:1.103), (tree:0.9524), plain \\(x\\)",
        "blurry",
        {"Sampler": "Euler a", "Schedule type": "Karras", "CFG scale": "11.0"},
    ),
    "Easy Diffusion": (
        EASY,
        "a castle <lora:ink:0.7>",
        "blurry",
        {"Sampler": "Euler a", "Size": "512x768", "Model": "real", "Steps": "30"},
    ),
}


def png_with(texts: Mapping[str, str], image: Image.Image | None = None) -> bytes:
    info = PngInfo()
    for name, text in texts.items():
        info.add_text(name, text)
    file = io.BytesIO()
    (image or Image.new("RGB", (8, 8))).save(file, "PNG", pnginfo=info)
    return file.getvalue()


@pytest.mark.parametrize("generator", CASES)
def test_a_picture_tells_how_it_was_made(generator: str) -> None:
    texts, prompt, negative, settings = CASES[generator]
    told = read_told(png_with(texts)).told
    assert told.generator == generator
    assert (told.infotext.prompt, told.infotext.negative_prompt) == (prompt, negative)
    assert {key: told.infotext.settings.get(key) for key in settings} == settings


@pytest.mark.parametrize(
    ("line", "generator"),
    [
        ("Steps: 20, Sampler: Euler a, Seed: 1, Version: v1.10.1", "A1111"),
        ("Steps: 20, Sampler: Euler a, Seed: 1, Version: f2.0.1v1.10.1", "Forge"),
        ("Steps: 20, Sampler: Euler a, Seed: 1, App: SD.Next, Version: 1234", "SD.Next"),
        ("Steps: 20, Sampler: Euler a, Seed: 1, Version: Gesso 0.1.0", "Gesso"),
    ],
)
def test_programs_with_a1111s_text_are_told_apart(line: str, generator: str) -> None:
    told = read_told(png_with({"parameters": f"a castle\nNegative prompt: blurry\n{line}"})).told
    assert (told.generator, told.infotext.prompt) == (generator, "a castle")


def test_a_second_pass_of_a_graph_counts_not_the_first() -> None:
    graph: dict[str, Any] = json.loads(json.dumps(COMFY))
    second = json.loads(json.dumps(COMFY["3"]))
    second["inputs"] |= {"steps": 9, "denoise": 0.5, "latent_image": ["12", 0]}
    graph["11"] = second
    graph["12"] = {"class_type": "LatentUpscaleBy", "inputs": {"samples": ["3", 0]}}
    told = told_by({"prompt": json.dumps(graph)})
    assert told is not None
    assert told.infotext.settings["Steps"] == "9"
    assert told.infotext.settings["Denoising strength"] == "0.5"
    assert told.infotext.settings["Size"] == "512x768"


def test_a_graph_with_values_in_nodes_of_their_own() -> None:
    graph: dict[str, Any] = json.loads(json.dumps(COMFY))
    graph["3"]["inputs"]["seed"] = ["20", 0]
    graph["20"] = {"class_type": "PrimitiveInt", "inputs": {"value": 77}}
    graph["6"]["inputs"]["text"] = ["21", 0]
    graph["21"] = {"class_type": "String", "inputs": {"string": "a tower"}}
    told = told_by({"prompt": json.dumps(graph)})
    assert told is not None
    assert told.infotext.settings["Seed"] == "77"
    assert told.infotext.prompt.startswith("a tower")


def test_a_graph_that_bites_its_tail_ends() -> None:
    graph: dict[str, Any] = json.loads(json.dumps(COMFY))
    graph["5"]["inputs"]["width"] = ["3", 0]
    graph["4"]["inputs"]["ckpt_name"] = ["10", 0]
    assert told_by({"prompt": json.dumps(graph)}) is not None


@pytest.mark.parametrize("mode", ["RGBA", "RGB"])
@pytest.mark.parametrize("is_packed", [True, False])
def test_texts_hidden_in_pixels_are_found(mode: str, is_packed: bool) -> None:
    text = b"a castle\nSteps: 20, Sampler: Euler a, Seed: 5"
    data = gzip.compress(text) if is_packed else text
    kind = ("stealth_png" if mode == "RGBA" else "stealth_rgb") + ("comp" if is_packed else "info")
    bits = np.unpackbits(
        np.frombuffer(kind.encode() + (len(data) * 8).to_bytes(4, "big") + data, dtype=np.uint8)
    )
    pixels = np.asarray(Image.effect_noise((64, 40), 90).convert(mode)).copy()
    columns = pixels.transpose(1, 0, 2)
    channels = [3] if mode == "RGBA" else [0, 1, 2]
    flat = columns[..., channels].reshape(-1)
    flat[: len(bits)] = (flat[: len(bits)] & 254) | bits
    columns[..., channels] = flat.reshape(columns[..., channels].shape)
    told = read_told(png_with({}, Image.fromarray(columns.transpose(1, 0, 2).copy()))).told
    assert (told.infotext.prompt, told.infotext.settings["Seed"]) == ("a castle", "5")


def test_a_picture_that_says_nothing_is_told_so() -> None:
    with pytest.raises(UnreadablePicture, match="does not say how it was made"):
        read_told(png_with({}))


KEYS = (
    *("class_type", "inputs", "positive", "negative", "latent_image", "image", "prompt"),
    *("sui_image_params", "base_model", "sampler", "loras", "model", "3"),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@example({"invokeai_metadata": '{"positive_prompt": "", "loras": [null]}'}, False)
@given(
    st.dictionaries(
        st.sampled_from(
            ["prompt", "workflow", "parameters", "invokeai_metadata", "sd-metadata", "Comment"]
        ),
        json_values.map(json.dumps) | st.text(),
    ),
    st.booleans(),
)
def test_no_text_raises(texts: dict[str, str], is_novel: bool) -> None:
    told_by(texts | ({"Software": "NovelAI"} if is_novel else {}))
