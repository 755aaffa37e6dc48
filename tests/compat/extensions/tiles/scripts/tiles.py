"""Takes a job over: paints the quarters of an enlarged picture one by one."""

import gradio as gr
from modules import images, processing, scripts, shared
from modules.processing import Processed, fix_seed, process_images


class Tiles(scripts.Script):
    def title(self):
        return "Tiles"

    def show(self, is_img2img):
        return is_img2img

    def ui(self, is_img2img):
        scale = gr.Slider(1, 4, 2, label="Scale", elem_id=self.elem_id("scale"))
        names = [each.name for each in shared.sd_upscalers]
        upscaler = gr.Radio(names, value=names[1], type="index", label="Upscaler")
        return [scale, upscaler]

    def run(self, p, scale, upscaler):
        fix_seed(p)
        source = p.init_images[0]
        scaler = shared.sd_upscalers[upscaler].scaler
        large = scaler.upscale(source, scale, shared.sd_upscalers[upscaler].data_path)
        grid = images.split_grid(large, tile_w=source.width, tile_h=source.height, overlap=0)
        p.do_not_save_grid = True
        p.do_not_save_samples = True
        p.n_iter = 1
        p.batch_size = 1
        shared.state.job_count = grid.tile_count
        p.extra_generation_params["Tiles"] = grid.tile_count
        for y, _, row in grid.tiles:
            for each in row:
                if shared.state.interrupted:
                    break
                p.init_images = [each[2]]
                p.prompt = f"tile at {each[0]}, {y}"
                each[2] = process_images(p).images[0]
        result = images.combine_grid(grid)
        text = processing.create_infotext(p, p.all_prompts, p.all_seeds, p.all_subseeds)
        return Processed(p, [result], p.seed, text)
