"""Uses the names of the second and third tier that need no tensors, each class in a check."""

import os

import launch
import modules.scripts as scripts
from modules import (
    cache,
    deepbooru,
    extensions,
    extra_networks,
    extras,
    face_restoration,
    hashes,
    interrogate,
    launch_utils,
    localization,
    lowvram,
    masking,
    memmon,
    modelloader,
    patches,
    progress,
    prompt_parser,
    sd_hijack,
    sd_models,
    sd_models_config,
    sd_samplers,
    sd_samplers_common,
    sd_samplers_kdiffusion,
    sd_samplers_timesteps,
    sd_schedulers,
    sd_vae,
    shared,
    styles,
    sysinfo,
    txt2img,
    upscaler,
)
from modules.api import api, models
from modules.hypernetworks import hypernetwork
from modules.textual_inversion import autocrop, textual_inversion
from PIL import Image, ImageDraw, ImageFont


class Tag(extra_networks.ExtraNetwork):
    """<loud:words> puts words behind the prompt."""

    said = []

    def activate(self, p, params_list):
        Tag.said = [params.positional for params in params_list]
        for params in params_list:
            p.extra_generation_params["Loud"] = " ".join(params.positional)

    def deactivate(self, p):
        Tag.said = None


extra_networks.register_extra_network(Tag("loud"))


class Tables(scripts.Script):
    def title(self):
        return "Tables"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        return []

    def process(self, p):
        checks = [name for name in dir(self) if name.startswith("check_")]
        for name in checks:
            getattr(self, name)(p)
        p.extra_generation_params["Checks"] = len(checks)

    def check_checkpoints(self, p):
        (title, *_) = sd_models.checkpoint_tiles()
        info = sd_models.checkpoints_list[title]
        assert os.path.exists(info.filename)
        assert sd_models.get_closet_checkpoint_match(info.name_for_extra) is info
        assert sd_models.get_closet_checkpoint_match("no such thing") is None
        assert sd_models.select_checkpoint().filename == shared.sd_model.filename
        assert sd_models.checkpoint_alisases is sd_models.checkpoint_aliases
        assert shared.list_checkpoint_tiles() == sd_models.checkpoint_tiles()
        assert len(sd_models.model_hash(__file__)) == 8
        assert sd_models.reload_model_weights(info=info) is not None
        assert sd_models_config.find_checkpoint_config(None, info).endswith(".yaml")

    def check_model(self, p):
        model = shared.sd_model
        assert model.is_sd1
        assert not model.is_sdxl
        assert model.sd_checkpoint_info.model_name
        assert sd_models.model_data.get_sd_model() is model
        assert not hasattr(model, "network_layer_mapping")  # and it is noted
        assert lowvram.is_enabled(model) is False

    def check_vaes(self, p):
        sd_vae.refresh_vae_list()
        assert sd_vae.resolve_vae("nothing.safetensors").vae is None
        sd_vae.reload_vae_weights()

    def check_tokens(self, p):
        count, room = sd_hijack.model_hijack.get_prompt_lengths("a cat on a mat")
        assert (count, room) == (5, 75), (count, room)
        clip = shared.sd_model.cond_stage_model
        (ids,) = clip.tokenize(["a cat"])
        assert clip.tokenizer.decode(ids) == "a cat"
        chunks, count = sd_hijack.model_hijack.clip.tokenize_line("(cat:1.5) " + "dog " * 80)
        assert (len(chunks), count) == (2, 81), (len(chunks), count)
        assert chunks[0].multipliers[1] == 1.5
        assert sd_hijack.model_hijack.embedding_db.word_embeddings == {}
        assert sd_hijack.model_hijack.layers == []  # no real engine here
        assert textual_inversion.list_textual_inversion_templates() == {}

    def check_prompts(self, p):
        pieces = prompt_parser.parse_prompt_attention("a (red:1.5) [cat] BREAK mat")
        assert [round(weight, 2) for _, weight in pieces] == [1.0, 1.5, 1.0, 0.91, -1, 1.0], pieces
        (stages,) = prompt_parser.get_learned_conditioning_prompt_schedules(["[a:b:0.5] c"], 10)
        assert stages == [[5, "a c"], [10, "b c"]], stages
        places, flat, _ = prompt_parser.get_multicond_prompt_list(["a AND b :0.5", "a"])
        assert [text.strip() for text in flat[:2]] == ["a", "b"]
        assert [weight for _, weight in places[0]] == [1.0, 0.5]
        sized = prompt_parser.SdConditioning(["a"], is_negative_prompt=True, width=64, height=72)
        again = prompt_parser.SdConditioning(["b"], copy_from=sized)
        assert (again.is_negative_prompt, again.width) == (True, 64)

    def check_encodings(self, p):
        class Encoder:
            def get_learned_conditioning(self, texts):
                return [f"<{text.strip()}>" for text in texts]

        (stages,) = prompt_parser.get_learned_conditioning(Encoder(), ["[a:b:2]"], 4)
        assert [(each.end_at_step, each.cond) for each in stages] == [(2, "<a>"), (4, "<b>")]
        made = prompt_parser.get_multicond_learned_conditioning(Encoder(), ["a AND b :2"], 4)
        assert [part.weight for part in made.batch[0]] == [1.0, 2.0]

    def check_tags(self, p):
        text, found = extra_networks.parse_prompt("a <loud:very:well> cat <lora:x:0.5:lbw=1>")
        assert text == "a  cat "
        assert found["lora"][0].named == {"lbw": "1"}
        texts, found = extra_networks.parse_prompts(["<loud:one>", "<loud:two>"])
        assert (texts, found["loud"][0].positional) == (["", ""], ["one"])

    def check_samplers(self, p):
        names = [each.name for each in sd_samplers.samplers]
        assert {"Euler a", "DPM++ 2M", "DDIM"} <= set(names)
        assert sd_samplers.samplers_map["euler a"] == "Euler a"
        assert sd_samplers.all_samplers_map["Heun"].total_steps(10) == 20
        made = sd_samplers.create_sampler("Euler a", shared.sd_model)
        assert isinstance(made, sd_samplers_kdiffusion.KDiffusionSampler)
        assert made.config.name == "Euler a"
        assert {name for name, *_ in sd_samplers_timesteps.samplers_timesteps} >= {"DDIM", "PLMS"}
        both = sd_samplers.get_sampler_and_scheduler("DPM++ 2M Karras", "Automatic")
        assert both == ("DPM++ 2M", "Karras"), both
        assert "karras" in [each.name for each in sd_schedulers.schedulers]
        p.denoising_strength, before = 0.5, p.denoising_strength
        assert sd_samplers_common.setup_img2img_steps(p, 10) == (20, 9)
        p.denoising_strength = before
        try:
            made.sample(p, None)
        except NotImplementedError as refusal:
            assert "process_images" in str(refusal)

    def check_files(self, p):
        folder = os.path.join(p.outpath_samples, "tables")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, "a.bin")
        with open(path, "wb") as file:
            file.write(b"abc")
        digest = hashes.sha256(path, "tables/a")
        assert digest.startswith("ba7816bf")
        assert hashes.sha256_from_cache(path, "tables/a") == digest
        asked = []
        for _ in range(2):
            value = cache.cached_data_for_file("tables", "a", path, lambda: asked.append(1) or 7)
        assert (value, asked) == (7, [1])
        assert modelloader.load_models(folder, ext_filter=[".bin"]) == [path]
        assert modelloader.load_models(folder, model_url="http://x/y", ext_filter=[".no"]) == []

    def check_masks(self, p):
        mask = Image.new("L", (100, 80))
        mask.paste(255, (40, 30, 60, 50))
        assert masking.get_crop_region_v2(mask) == (40, 30, 60, 50)
        assert masking.get_crop_region(mask, 5) == (35, 25, 65, 55)
        box = masking.expand_crop_region((40, 30, 60, 50), 128, 64, 100, 80)
        assert (box[2] - box[0], box[3] - box[1]) == (40, 20), box

    def check_patches(self, p):
        before = patches.patch("tables", self, "title", lambda: "Other")
        assert self.title() == "Other"
        patches.undo("tables", self, "title")
        assert before() == self.title() == "Tables"

    def check_launcher(self, p):
        assert launch.is_installed("numpy")
        assert not launch.is_installed("no-such-package-at-all")
        assert launch.git_tag().startswith("v1.")
        assert launch.args is shared.cmd_opts
        for refused in (launch.run_pip, launch_utils.run):
            try:
                refused("install nothing", "nothing")
            except RuntimeError as refusal:
                assert "requirements.txt" in str(refusal)
            else:
                raise AssertionError("something was run")

    def check_extensions(self, p):
        (own,) = [each for each in extensions.active() if each.path == scripts_dir()]
        assert own.name == "tables"
        assert extensions.find_extension(__file__) is own
        assert own.list_files("scripts", ".py")[0].filename == "tables.py"
        assert "tables" in sysinfo.get()
        localization.list_localizations()

    def check_upscalers(self, p):
        names = [each.name for each in shared.sd_upscalers]
        assert names[:3] == ["None", "Lanczos", "Nearest"], names
        data = shared.sd_upscalers[2]
        larger = data.scaler.upscale(Image.new("RGB", (64, 64)), 2, data.data_path)
        assert larger.size == (128, 128)

        class Own(upscaler.Upscaler):
            name = "Own"

            def do_upscale(self, img, selected_model):
                return img.resize((img.width * 2, img.height * 2))

        assert Own().upscale(Image.new("RGB", (64, 64)), 3).size == (192, 192)
        assert [each.name for each in modelloader_upscalers()] == names

    def check_api(self, p):
        text = api.encode_pil_to_base64(Image.new("RGB", (8, 8), "red"))
        assert api.decode_base64_to_image(text.decode()).getpixel((0, 0)) == (255, 0, 0)
        asked = models.StableDiffusionTxt2ImgProcessingAPI(prompt="a", steps=3)
        assert (asked.prompt, asked.steps, asked.alwayson_scripts) == ("a", 3, {})
        assert models.InterrogateRequest(image="x").model == "clip"
        assert "init_images" in models.StableDiffusionImg2ImgProcessingAPI.model_fields

    def check_tasks(self, p):
        id = progress.create_task_id("tables")
        progress.add_task_to_queue(id)
        progress.start_task(id)
        assert progress.progressapi(progress.ProgressRequest(id_task=id)).active
        progress.finish_task(id)
        assert progress.current_task is None
        assert memmon.MemUsageMonitor("x").read() == {}
        assert txt2img.txt2img is not None

    def check_what_is_not_built_in(self, p):
        for refused in (
            lambda: interrogate.InterrogateModels("x").interrogate(None),
            lambda: deepbooru.model.tag(None),
            lambda: hypernetwork.load_hypernetwork("x"),
            lambda: extras.run_modelmerger(None),
            autocrop.download_and_cache_models,
        ):
            try:
                refused()
            except NotImplementedError as refusal:
                assert str(refusal).endswith(".")
            else:
                raise AssertionError("it did something")
        assert deepbooru.re_special.sub(r"\\\1", "a (b)") == r"a \(b\)"
        assert face_restoration.restore_faces("picture") == "picture"

    def check_drift(self, p):
        import numpy as np
        from distutils.util import strtobool

        import pkg_resources

        draw = ImageDraw.Draw(Image.new("RGB", (50, 50)))
        assert draw.textsize("ab", ImageFont.load_default(10))[0] > 0
        assert ImageFont.load_default(10).getsize("ab")[1] > 0
        assert Image.ANTIALIAS == Image.Resampling.LANCZOS
        assert np.float is float
        assert issubclass(np.VisibleDeprecationWarning, UserWarning)
        assert strtobool("yes") == 1
        assert pkg_resources.get_distribution("numpy").version == np.__version__

    def check_axes(self, p):
        (data,) = [d for d in scripts.scripts_data if os.path.basename(d.path) == "xyz_grid.py"]
        assert data.script_class.__module__ == "xyz_grid.py"
        grid = data.module
        own = grid.AxisOption("[Tables] Steps", int, grid.apply_field("steps"))
        grid.axis_options.append(own)
        own.apply(p, own.type("2"), [])
        assert p.steps == 2
        assert own.format_value(p, own, 2) == "[Tables] Steps: 2"

    def check_styles(self, p):
        assert styles.merge_prompts("{prompt}, oil", "cat") == "cat, oil"


def scripts_dir():
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def modelloader_upscalers():
    modelloader.load_upscalers()
    return shared.sd_upscalers
