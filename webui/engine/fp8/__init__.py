"""Matrices in 8 bits: a network's large linear layers multiply them in less time than in 16.

Weights are brought to float8_e4m3fn once, when a model is loaded, with a scale for each row; what
comes into a layer at each call, with a scale for each of its rows. It costs a little of the
picture, so a person has to ask for it when the studio starts (setting `fp8_matmul`).
"""
