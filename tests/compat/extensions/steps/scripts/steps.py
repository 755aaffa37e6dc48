"""Takes part in each call of the network, in the ways that scripts of A1111's do."""

import gradio as gr
import torch
from modules import prompt_parser, script_callbacks, scripts, sd_hijack, sd_samplers, shared
from modules.sd_samplers_kdiffusion import KDiffusionSampler

seen = []


class Steps(scripts.Script):
    def title(self):
        return "Steps"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        return [gr.Textbox("", label="Way")]

    def process(self, p, way):
        seen.clear()
        self.way = way
        script_callbacks.remove_current_script_callbacks()
        before = getattr(self, f"begin_{way}", None)
        if before is not None:
            before(p)

    def postprocess(self, p, processed, way):
        after = getattr(self, f"end_{way}", None)
        if after is not None:
            after(p)
        if seen:
            p.extra_generation_params["Seen"] = seen[0]

    def begin_look(self, p):
        script_callbacks.on_cfg_denoiser(self.look)

    def look(self, params):
        assert params.x.shape[0] == params.sigma.shape[0] == 2
        assert params.text_cond.shape == params.text_uncond.shape
        assert params.denoiser.steps == params.total_sampling_steps
        seen.append(f"{params.denoiser.step} of {params.total_sampling_steps}")

    def begin_sigma(self, p):
        script_callbacks.on_cfg_denoiser(self.change_all)

    def change_all(self, params):
        params.sigma *= 0.9

    def begin_cond(self, p):
        script_callbacks.on_cfg_denoiser(self.change_one)

    def change_one(self, params):
        params.sigma[0] *= 0.9

    def begin_words(self, p):
        script_callbacks.on_cfg_denoiser(self.change_words)

    def change_words(self, params):
        params.text_cond = torch.zeros_like(params.text_cond)

    def begin_after(self, p):
        script_callbacks.on_cfg_after_cfg(self.after_cfg)

    def after_cfg(self, params):
        params.x = params.x * 0.9
        params.output_altered = True

    def begin_denoised(self, p):
        script_callbacks.on_cfg_denoised(self.denoised)

    def denoised(self, params):
        params.x[0] *= 0.9

    def begin_callback(self, p):
        self.own = KDiffusionSampler.callback_state

        def callback_state(sampler, d):
            assert sampler.p is p
            d["denoised"] *= 0.95
            return self.own(sampler, d)

        KDiffusionSampler.callback_state = callback_state

    def end_callback(self, p):
        KDiffusionSampler.callback_state = self.own

    def begin_combine(self, p):
        self.own = sd_samplers.create_sampler

        def create_sampler(name, model):
            sampler = self.own(name, model)
            plain = sampler.model_wrap_cfg.combine_denoised
            sampler.model_wrap_cfg.combine_denoised = lambda *a: plain(*a) * 0.95
            return sampler

        sd_samplers.create_sampler = create_sampler

    def end_combine(self, p):
        sd_samplers.create_sampler = self.own

    def begin_parser(self, p):
        self.own = prompt_parser.get_learned_conditioning

        def get_learned_conditioning(model, prompts, *rest):
            other = prompt_parser.SdConditioning(["a forest"] * len(prompts), copy_from=prompts)
            return self.own(model, other, *rest)

        prompt_parser.get_learned_conditioning = get_learned_conditioning

    def end_parser(self, p):
        prompt_parser.get_learned_conditioning = self.own

    def process_before_every_sampling(self, p, way, x, noise, c, uc):
        if way == "noise":
            p.modified_noise = noise.flip(-1)

    def post_sample(self, p, ps, way):
        if way == "latents":
            ps.samples = ps.samples.flip(-1)

    def before_hr(self, p, way):
        if way == "hires":
            seen.append("before_hr")

    def begin_layers(self, p):
        for layer in sd_hijack.model_hijack.layers:
            if type(layer) is torch.nn.Conv2d and layer.kernel_size == (3, 3):
                layer._conv_forward = _roll.__get__(layer, torch.nn.Conv2d)

    def end_layers(self, p):
        own = torch.nn.Conv2d._conv_forward
        for layer in sd_hijack.model_hijack.layers:
            layer._conv_forward = own.__get__(layer, torch.nn.Conv2d)

    def begin_model(self, p):
        model = shared.sd_model
        told = model.get_learned_conditioning(["a cat", "a dog"])
        assert told.shape[0] == 2
        latent = model.get_first_stage_encoding(model.encode_first_stage(torch.zeros(1, 3, 64, 64)))
        assert latent.shape[1:] == (4, 8, 8)
        pixels = model.decode_first_stage(latent)
        assert pixels.shape == (1, 3, 64, 64)
        assert abs(float(pixels.mean())) < 0.3
        answer = model.apply_model(latent, torch.tensor([500]), told[:1])
        assert answer.shape == latent.shape
        assert model.alphas_cumprod.shape == (1000,)
        assert model.parameterization in ("eps", "v")
        seen.append("model")


def _roll(self, input, weight, bias):
    both = torch.nn.functional.pad(input, (1, 1, 0, 0), mode="circular")
    both = torch.nn.functional.pad(both, (0, 0, 1, 1))
    return torch.nn.functional.conv2d(both, weight, bias, self.stride, 0, self.dilation)
