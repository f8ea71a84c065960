"""A round re-enacted over this machine's real TCP, to hold simulated times against.

`stage` is a process of its own. Its network namespaces have no names: file descriptors keep them,
so that the kernel removes them, and all that is in them, when the last process that has one ends,
however it ends.
"""
