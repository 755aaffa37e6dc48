"""Raises in every hook."""

from modules import scripts

HOOKS = """setup before_process process before_process_batch after_extra_networks_activate
    process_batch postprocess_batch postprocess_batch_list postprocess_image
    postprocess_image_after_composite postprocess""".split()


def raising(hook):
    def fail(self, p, *args, **kwargs):
        raise SystemExit(f"no {hook}") if hook == "process_batch" else RuntimeError(f"no {hook}")

    return fail


for name in HOOKS:

    class Raising(scripts.Script):
        own_hook = name

        def title(self):
            return f"Raising in {self.own_hook}"

        def show(self, is_img2img):
            return scripts.AlwaysVisible

    setattr(Raising, name, raising(name))
    globals()[f"Raising_{name}"] = Raising
