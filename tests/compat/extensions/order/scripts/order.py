"""Notes the order of all hooks of a job."""

from modules import scripts

HOOKS = """before_process process before_process_batch after_extra_networks_activate process_batch
    postprocess_batch postprocess_batch_list postprocess_image postprocess_image_after_composite
    postprocess""".split()


class Order(scripts.Script):
    def title(self):
        return "Order"

    def show(self, is_img2img):
        return scripts.AlwaysVisible


def noting(hook):
    def note(self, p, *args, **kwargs):
        number = kwargs.get("batch_number", "")
        seen = p.extra_generation_params.setdefault("Order", "")
        p.extra_generation_params["Order"] = f"{seen} {hook}{number}".strip()
        if hook == "postprocess_batch":
            kwargs["images"][:, 0] = 1.0  # all red
        if hook == "postprocess_batch_list":
            args[0].images.append(args[0].images[0].flip(2))
        if hook == "postprocess_image":
            args[0].image.putpixel((0, 0), (1, 2, 3))

    return note


for hook in HOOKS:
    setattr(Order, hook, noting(hook))
