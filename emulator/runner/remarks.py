"""What a scenario leaves unsaid although its times hang on it. No error: it may be meant."""

from emulator.scenario.document import printable
from emulator.scenario.scenario import Scenario
from emulator.scenario.study import Study


def round_trips(study: Study) -> str:
    """Whose RTT is 0 because nobody gave one, in a sentence; '' where everybody's is given."""
    silent = {label: _silent(variant) for label, variant in study.variants.items()}
    groups = dict.fromkeys(name for names in silent.values() for name in names)
    if not groups:
        return ""
    whose = f" for {', '.join(map(printable, groups))}" if study.scenario.network.groups else ""
    found, whole = sum(map(bool, silent.values())), len(silent)
    where = "" if found == whole else f" in {found} of {whole} variants"
    return f"RTT 0 ms (not given){whose}{where}: handshakes and slow start take no time"


def _silent(scenario: Scenario) -> list[str]:
    """The groups of clients without a word on their RTT; a preset has one."""
    accesses = scenario.network.accesses.items()
    return [name for name, access in accesses if "rtt" not in access.model_fields_set]
