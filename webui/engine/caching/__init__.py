"""Step caches: calls of a network that reuse what an earlier call of the same run worked out.

From one step to the next the inner layers of a network answer nearly the same. Two ways of leaving
them out, one for each kind of network:

| network | file | what is left out |
|---|---|---|
| UNets | deep_features | all but the first and the last layer, but for every n-th call |
| transformers | first_block | all blocks but the first, while that one's answer changes little |

Both decide row by row, by who a row belongs to: one text of one picture. So a picture never depends
on its batch, nor one prompt on the other. What was kept ends with the run: another pass, another
picture begins anew. Pictures change; so it is off unless a request asks for it.
"""
