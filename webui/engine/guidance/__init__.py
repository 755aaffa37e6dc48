"""What guides a run beside the scale: one file each, found by scanning this folder.

One call of the denoiser goes through these in the order of their numbers:

| order | file | what it does |
|---|---|---|
| 10 | skip_first, skip_below | leave the negative prompt out of this call |
| 20 | freeu | changes the network while it answers, all of this call's answers |
| – | (the denoiser) | base + sum of weight * scale * (positive - base) over the parts of AND |
| 30 | perturbed_attention | adds the way from a worse answer to the good one |
| 40 | self_attention | the same with a guess whose important parts are blurred |
| 50 | dynamic_thresholding | brings the range of the values back to that of a smaller scale |
| 60 | rescale | brings their spread back to that of the unguided guess |

So whatever adds comes before whatever limits, and a limit holds for all that was added. The prompts
are combined as the network answers them; everything after works on guesses of the clean latent, so
that it makes no difference whether a model answers noise or velocity.

A new one is a file with a `FEATURE`: its place in the order, and `begin`, which looks at the recipe
and gives an `Effect`, or None when it is switched off. None costs nothing.
"""

from typing import cast

import webui.engine.guidance
from webui.core.registry import Registry, discover
from webui.engine.guidance.feature import Feature


def load_features() -> Registry[Feature]:
    """The features that lie in this folder, in the order in which they are applied."""
    found = cast("list[Feature]", discover(webui.engine.guidance, "FEATURE"))
    return Registry(sorted(found, key=lambda feature: feature.order))
