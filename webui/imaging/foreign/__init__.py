"""What other programs write into their pictures, told in A1111's words: one file each."""

from webui.imaging.foreign.reader import Told, told_by

__all__ = ["Told", "told_by"]
