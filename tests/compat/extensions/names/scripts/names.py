"""Uses the names of the first tier, as a job would."""

import os

from modules import (
    call_queue,
    devices,
    errors,
    images,
    paths,
    paths_internal,
    processing,
    script_callbacks,
    scripts,
    shared,
    timer,
)
from modules.options import categories
from modules.processing import (
    StableDiffusionProcessing,
    StableDiffusionProcessingImg2Img,
    StableDiffusionProcessingTxt2Img,
)
from PIL import Image

HOME = scripts.basedir()


class Names(scripts.Script):
    def title(self):
        return "Names"

    def ui(self, is_img2img):
        return []

    def run(self, p):
        assert isinstance(p, StableDiffusionProcessing)
        said = [check() for check in (self.places, self.pictures, self.options, self.small)]
        assert HOME.endswith("names"), HOME
        inner = StableDiffusionProcessingTxt2Img(
            sd_model=shared.sd_model, prompt=["one", "two"], batch_size=2, width=64, height=72,
            steps=2, sampler_name="Euler a", seed=11, do_not_save_grid=True,
            outpath_samples=p.outpath_samples, override_settings={"CLIP_stop_at_last_layers": 2},
        )  # fmt: skip
        first = processing.process_images(inner)
        assert first.all_seeds == [11, 12]
        assert '"all_seeds": [11, 12]' in first.js()
        assert first.infotext(inner, 1).startswith("two\nSteps: 2, Sampler: Euler a")
        mask = Image.new("L", (64, 72), 0)
        mask.paste(255, (16, 16, 48, 48))
        repaint = StableDiffusionProcessingImg2Img(
            init_images=first.images[:1], mask=mask, mask_blur=2, inpainting_fill=1,
            inpaint_full_res=False, denoising_strength=0.5, prompt="three", width=64, height=72,
            steps=2, sampler_name="Euler", seed=5,
        )  # fmt: skip
        second = processing.process_images(repaint)
        grid = images.image_grid([*first.images, *second.images], rows=1)
        path, _ = images.save_image(
            grid, p.outpath_grids, "grid", prompt="x", seed=7, info=second.info, grid=True
        )
        with Image.open(path) as saved:
            text, _ = images.read_info_from_image(saved)
        assert text == second.info, text
        pictures = [grid, *first.images, *second.images]
        return processing.Processed(p, pictures, 11, ", ".join(said), index_of_first_image=1)

    def places(self):
        assert os.path.isdir(paths.script_path)
        assert os.path.isfile(paths_internal.roboto_ttf_file)
        assert shared.cmd_opts.lora_dir.startswith(paths.models_path)
        return "places"

    def pictures(self):
        image = Image.new("RGB", (100, 50), "red")
        assert images.resize_image(1, image, 40, 40).size == (40, 40)
        assert images.flatten(Image.new("RGBA", (4, 4)), "#00ff00").getpixel((0, 0)) == (0, 255, 0)
        texts = [[images.GridAnnotation("a")], [images.GridAnnotation("b", False)]]
        wide = images.draw_grid_annotations(image, 50, 50, texts, [[images.GridAnnotation()]])
        assert wide.height > 50
        names = images.FilenameGenerator(None, 5, "a cat, sitting", image)
        assert names.apply("[seed]-[width]x[height]-[prompt_words]") == "5-100x50-a cat sitting"
        correction = processing.setup_color_correction(image)
        assert processing.apply_color_correction(correction, image).size == image.size
        return "pictures"

    def options(self):
        assert shared.opts.samples_format == "png"
        assert shared.opts.data_labels["n_rows"].default == -1
        seen = []
        shared.opts.onchange("n_rows", lambda: seen.append(shared.opts.n_rows), call=False)
        assert shared.opts.set("n_rows", 3)
        shared.opts.set("n_rows", -1)
        assert seen == [3, -1]
        categories.register_category("own", "Own")
        assert not hasattr(shared.opts, "no_such_option")
        return "options"

    def small(self):
        devices.torch_gc()
        assert issubclass(devices.NansException, Exception)
        timer.Timer().record("x")
        errors.run(lambda: 1 / 0, "dividing")
        assert call_queue.wrap_queued_call(lambda: 5)() == 5
        assert shared.listfiles(os.path.join(HOME, "scripts"))
        assert processing.get_fixed_seed(-1) >= 0
        shared.state.textinfo = "working"
        shared.total_tqdm.updateTotal(3)
        script_callbacks.on_image_saved(lambda params: None)
        return "small"
