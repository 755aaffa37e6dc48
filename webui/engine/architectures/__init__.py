"""How each kind of denoising network is asked, and how words become what it listens to."""

from webui.engine.architectures.architecture import Architecture, Architectures, load_architectures

__all__ = ["Architecture", "Architectures", "load_architectures"]
