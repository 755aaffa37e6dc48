"""The layer in which scripts written for AUTOMATIC1111's web UI run, unchanged.

Sealed: nothing here is imported by name but through factories, and only when such an extension is
on. `root/` is put on the path of imports; what lies there has the names that such scripts import.
"""
