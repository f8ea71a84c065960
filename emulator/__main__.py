"""`python -m emulator` is `flasc-emu`."""

from emulator.cli import main

main(prog_name="flasc-emu")
