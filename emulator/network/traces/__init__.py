"""Trace files: one file per format, each a function from text to samples.

`emulator.network.traces.formats` has the table of all formats.
"""
