"""Raises when it takes a job over."""

from modules import scripts


class Running(scripts.Script):
    def title(self):
        return "Running"

    def run(self, p):
        raise ValueError("can't run")
