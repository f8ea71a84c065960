"""flasc-emu: what a federated fine-tuning method costs over real networks.

`emulator` keeps time and knows no gradient; `flasc` learns and knows no clock.
"""

__version__ = "0.1.0"
