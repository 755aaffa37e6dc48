"""Guidance that keeps colours, and a knob for detail. What happens at each step: engine.py."""

from webui.extend import Slider, Toggle

INPUTS = [
    Toggle("enabled", "Sharper guidance"),
    Slider("parallel", "Saturation", 0.0, help="How much of the guidance that only makes colours "
           "stronger is kept; 1 is plain guidance."),
    Slider("detail", "Detail", 0.0, low=-1.0, high=1.0, help="Above 0 the model is told of less "
           "noise than there is in the middle of the run, and paints more detail."),
]  # fmt: skip
