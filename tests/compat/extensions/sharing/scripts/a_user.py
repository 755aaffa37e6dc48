"""Uses a neighbour in scripts/ and a package in the extension's folder."""

from scripts.b_neighbour import ANSWER
from sharing_lib import words

from modules import scripts


class User(scripts.Script):
    def title(self):
        return "User"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def process(self, p):
        p.extra_generation_params["Shared"] = f"{ANSWER} {words.SAID} {flag()}"


def flag():
    from modules.shared import cmd_opts

    return cmd_opts.sharing_flag
