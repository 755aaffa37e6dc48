"""Model families: how to tell one, what it does best, how to load it. One file each."""

from webui.families.family import Families, LoadableFamily, load_families

__all__ = ["Families", "LoadableFamily", "load_families"]
