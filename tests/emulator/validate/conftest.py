import pytest

from emulator.errors import SupportError
from emulator.network.transport import Tcp
from emulator.transfers.schedule import Message, Star
from emulator.transfers.simulate import simulate
from emulator.validate import enact
from emulator.validate.plan import Case


@pytest.fixture(scope="session")
def real():
    """Skips where this machine cannot re-enact networks."""
    try:
        enact.ceiling()
    except SupportError as error:
        pytest.skip(error.message)


@pytest.fixture
def case():
    """Two clients, 7 and 9, that download and upload; nothing is recorded anywhere."""
    rates = [2.5e6, 2.5e6]
    star = Star(rates, rates, [0.02, 0.02], [0.0, 0.0], 1.25e8, 1.25e8)
    messages = [
        Message(0, "down", 100_000),
        Message(0, "up", 30_000, 0.0, 0),
        Message(1, "down", 100_000),
        Message(1, "up", 30_000, 0.1, 2),
    ]
    simulated = simulate(star, messages, Tcp())
    return Case("LoRA", "fast", 0, 1, [7, 9], star, messages, Tcp(), simulated)
