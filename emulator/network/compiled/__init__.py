"""The network of `emulator.network.network`, compiled: whole client tasks, no SimPy.

`Network` and its flow engine are the reference; docs/background/simulation_engine.md compares them.
"""
