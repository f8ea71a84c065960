"""A mod of a ClientApp that tells the recorder of the server what only the client knows."""

import time
from collections.abc import Callable
from typing import Any

from flwr.app import ConfigRecord

from emulator.integrations.flower.contents import NOTES


def timed(message: Any, context: Any, call_next: Callable[[Any, Any], Any]) -> Any:
    """The answer of the app with the seconds that it took, and the client's `partition-id`.

    They travel in a ConfigRecord, since strategies allow one ArrayRecord and one MetricRecord.
    """
    started = time.perf_counter()
    answer = call_next(message, context)
    if answer.has_content():
        notes: dict[str, float | int] = {"seconds": time.perf_counter() - started}
        if (partition := context.node_config.get("partition-id")) is not None:
            notes["partition"] = int(partition)
        answer.content[NOTES] = ConfigRecord(notes)
    return answer
