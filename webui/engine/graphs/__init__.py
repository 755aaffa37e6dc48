"""How a network is run: eagerly, or by replaying what the GPU was told before.

A runner belongs to one loaded model and is asked once per call of the denoiser. It never changes
what comes out, only how long it takes: a replay does the very kernels of the eager call.
"""
