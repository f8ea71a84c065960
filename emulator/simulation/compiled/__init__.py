"""Simulations by the compiled network; `emulator.simulation.rounds` is the reference."""
