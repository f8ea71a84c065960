"""The message log: the messages and scores of a federated training that another program ran.

Format: docs/reference/message_log.md. `read` parses and validates a file; `Writer` writes one.
"""

from emulator.integrations.message_log.reader import is_log, read
from emulator.integrations.message_log.records import (
    ClientInfo,
    Header,
    MessageLog,
    Program,
    Score,
    Untimed,
    Visit,
)
from emulator.integrations.message_log.writer import Writer

__all__ = [
    "ClientInfo", "Header", "MessageLog", "Program", "Score", "Untimed", "Visit", "Writer",
    "is_log", "read",
]  # fmt: skip
