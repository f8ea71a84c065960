"""A Flower app that sends messages of given sizes to every node and back.

`emulator.testbed.linux.flower` copies this file into an app of its own, so it imports only Flower
and NumPy. The run config has the `plan`, a path to JSON: {"rounds", "arrays": how many arrays a
message has, "down", "up": bytes by client, "gap_s": between two clients, "out": path for what was
noted: per round and client when its message was given to Flower, when its app had it, and when it
answered}.
"""

import json
import time
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

POLL_S = 0.5  # between two looks at how many nodes there are

server = ServerApp()
client = ClientApp()


def filled(nbytes: int, arrays: int) -> ArrayRecord:
    """`nbytes` random bytes in so many arrays. Equal objects would be sent once."""
    noise = np.random.default_rng()
    sizes = [nbytes * (i + 1) // arrays - nbytes * i // arrays for i in range(arrays)]
    parts = [noise.integers(0, 256, size, dtype=np.uint8) for size in sizes]
    return ArrayRecord({f"part {i}": Array(part) for i, part in enumerate(parts)})


@server.main()  # type: ignore[untyped-decorator]  # mypy does not follow flwr
def serve(grid: Grid, context: Context) -> None:
    """Asks each node for its number, then sends and receives the messages of each round.

    One client after the other: each would have cores of its own, which here all share.
    """
    plan = json.loads(Path(str(context.run_config["plan"])).read_text())
    while len(nodes := list(grid.get_node_ids())) < len(plan["down"]):
        time.sleep(POLL_S)
    asked = [
        Message(RecordDict({"config": ConfigRecord({"wait_s": 0.0})}), node, "query")
        for node in nodes
    ]
    numbers = {
        reply.metadata.src_node_id: int(reply.content["numbers"]["partition"])
        for reply in grid.send_and_receive(asked)
    }
    rounds = []
    for number in range(plan["rounds"]):
        given_s, open_ids = {}, set()
        for node, i in numbers.items():
            message = _message(node, plan["down"][i], plan["up"][i], plan["arrays"], number)
            given_s[i] = time.monotonic()
            open_ids.update(grid.push_messages([message]))
            time.sleep(plan["gap_s"])
        clients = {}
        while open_ids:
            for reply in grid.pull_messages(open_ids):
                open_ids.discard(reply.metadata.reply_to_message_id)
                i = numbers[reply.metadata.src_node_id]
                clients[i] = {"given_s": given_s[i], **reply.content["spans"]}
            time.sleep(POLL_S)
        rounds.append({"finish_s": time.monotonic(), "clients": clients})
    done = Path(plan["out"])
    done.with_suffix(".part").write_text(json.dumps(rounds))
    done.with_suffix(".part").rename(done)


def _message(node: int, down: int, up: int, arrays: int, number: int) -> Message:
    config = ConfigRecord({"up": up, "arrays": arrays, "server-round": number + 1})
    return Message(RecordDict({"arrays": filled(down, arrays), "config": config}), node, "train")


@client.query()  # type: ignore[untyped-decorator]  # mypy does not follow flwr
def say_number(message: Message, context: Context) -> Message:
    """The number of this node."""
    number = ConfigRecord({"partition": int(context.node_config["partition-id"])})
    return Message(RecordDict({"numbers": number}), reply_to=message)


@client.train()  # type: ignore[untyped-decorator]  # mypy does not follow flwr
def answer(message: Message, _: Context) -> Message:
    """As many bytes as asked for, and when the app had the message and when it answered."""
    got_s = time.monotonic()
    config = message.content["config"]
    arrays = filled(int(config["up"]), int(config["arrays"]))
    spans = ConfigRecord({"got_s": got_s, "answered_s": time.monotonic()})
    return Message(RecordDict({"arrays": arrays, "spans": spans}), reply_to=message)
