"""Sends messages over real TCP, one connection each, as `emulator.network.tcp` models them.

A download consists of connect, a request of 16 bytes, and the bytes; an upload of connect and the
bytes, and it ends when the receiver has the last byte. In several requests, each part of a download
is requested after the part before it, and each part of an upload follows the answer, 8 bytes, to
the part before it. All namespaces share one clock
(CLOCK_MONOTONIC).
"""

import contextlib
import socket
import threading
import time
from collections.abc import Sequence

from emulator.testbed.linux import netns
from emulator.testbed.linux.netns import RefusedError
from emulator.testbed.linux.topology import SERVER, Topology, client_address
from emulator.testbed.schedule import Message

PORT = 7000
FIRST_CLIENT_PORT = 10_000  # message n uses this + n, by which the server identifies it
REQUEST_B, ANSWER_B = 16, 8
CHUNK = memoryview(bytes(2**18))
HEAD_START_S = 0.1  # time for threads to start


def carry(
    topology: Topology, messages: Sequence[Message], congestion: str
) -> list[tuple[float, float]]:
    """(start, finish) of each message, seconds since time 0. Raises RefusedError, OSError."""
    with netns.inside(topology.server):
        listening = _socket(congestion)
        listening.bind((SERVER, PORT))
        listening.listen(len(messages))
    run = _Run(messages, topology, congestion)
    threading.Thread(target=run.serve, args=(listening,), daemon=True).start()
    threads = [
        threading.Thread(target=run.send, args=(number,), daemon=True)
        for number in range(len(messages))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if run.errors:
        raise run.errors[0]
    return [(start - run.zero_s, finish - run.zero_s) for start, finish in run.times]


class _Run:
    """State that the threads of one measurement share."""

    def __init__(self, messages: Sequence[Message], topology: Topology, congestion: str) -> None:
        self.messages, self.topology, self.congestion = messages, topology, congestion
        self.over = [threading.Event() for _ in messages]
        self.times = [(0.0, 0.0) for _ in messages]
        self.received_s = [0.0 for _ in messages]
        self.errors: list[Exception] = []
        self.zero_s = time.monotonic() + HEAD_START_S

    def serve(self, listening: socket.socket) -> None:
        """Answers each connection in its own thread."""
        while True:
            connection, (_, port) = listening.accept()
            number = port - FIRST_CLIENT_PORT
            threading.Thread(target=self._answer, args=(connection, number), daemon=True).start()

    def _answer(self, connection: socket.socket, number: int) -> None:
        message = self.messages[number]
        with contextlib.suppress(OSError), connection:
            _send_at_once(connection, message)
            if message.direction == "down":
                for nbytes in message.parts:
                    _receive(connection, REQUEST_B)
                    _send(connection, nbytes)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(1)  # the client closes first, so that no byte is lost
            else:
                *before, last = message.parts
                for nbytes in before:
                    _receive(connection, nbytes)
                    _send(connection, ANSWER_B)
                _receive(connection, last)
                self.received_s[number] = time.monotonic()

    def send(self, number: int) -> None:
        """Sends one message from its client's namespace; then starts the messages after it."""
        message = self.messages[number]
        try:
            netns.enter(self.topology.clients[message.client])
            if message.after is None:
                time.sleep(max(0.0, self.zero_s + message.start_s - time.monotonic()))
            else:
                self.over[message.after].wait()
                time.sleep(message.start_s)
            self.times[number] = self._carried(number)
        except Exception as error:
            self.errors.append(error)
        finally:
            self.over[number].set()

    def _carried(self, number: int) -> tuple[float, float]:
        message = self.messages[number]
        with _socket(self.congestion) as connection:
            connection.bind((client_address(message.client), FIRST_CLIENT_PORT + number))
            _send_at_once(connection, message)
            start_s = time.monotonic()
            connection.connect((SERVER, PORT))
            if message.direction == "down":
                for nbytes in message.parts:
                    _send(connection, REQUEST_B)
                    _receive(connection, nbytes)
                return start_s, time.monotonic()
            *before, last = message.parts
            for nbytes in before:
                _send(connection, nbytes)
                _receive(connection, ANSWER_B)
            _send(connection, last)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)  # the server has received all bytes
        return start_s, self.received_s[number]


def _socket(congestion: str) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, congestion.encode())
    except OSError as error:
        made.close()
        raise RefusedError(f"no congestion control {congestion} ({error.strerror})") from error
    return made


def _send_at_once(connection: socket.socket, message: Message) -> None:
    """Lets the last segment of a part pass before those before it are acknowledged."""
    if message.requests > 1:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _send(connection: socket.socket, nbytes: int) -> None:
    for sent in range(0, nbytes, len(CHUNK)):
        connection.sendall(CHUNK[: nbytes - sent])


def _receive(connection: socket.socket, nbytes: int) -> None:
    """Reads `nbytes`. Raises ConnectionError if the connection ends before."""
    left, into = nbytes, memoryview(bytearray(2**18))
    while left:
        # MSG_WAITALL: woken for every segment, Python would delay the relay.
        got = connection.recv_into(into[:left], 0, socket.MSG_WAITALL)
        if not got:
            raise ConnectionError(f"{left} of {nbytes} bytes did not arrive")
        left -= got
