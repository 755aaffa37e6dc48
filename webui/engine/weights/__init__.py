"""Brings models' weights to where they work, and keeps there what has room.

One mechanism for loading, switching and streaming. A file's bytes go from the operating system's
page cache through a small ring of pinned memory to the device; what has no room there lies in
pinned memory and is copied in again in each forward, ahead of its use. Nothing else is kept: the
page cache is the copy in RAM from which a model that was released comes back.
"""
