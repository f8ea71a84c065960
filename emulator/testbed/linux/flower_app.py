"""A Flower app that sends messages of given sizes to every node and back.

`emulator.testbed.linux.flower` copies this file into an app of its own, so it imports only Flower
and NumPy. The run config has the `plan`, a path to JSON: {"rounds", "arrays": how many arrays a
message has, "down", "up": bytes by client, "out": path for what the clients noted}.
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


@server.main()  # type: ignore[untyped-decorator]
def serve(grid: Grid, context: Context) -> None:
    """Asks each node for its number, then sends and receives the messages of each round."""
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
        sent = [
            _message(node, plan["down"][i], plan["up"][i], plan["arrays"], number)
            for node, i in numbers.items()
        ]
        start_s = time.monotonic()
        replies = list(grid.send_and_receive(sent))
        spans = {numbers[r.metadata.src_node_id]: dict(r.content["spans"]) for r in replies}
        rounds.append({"start_s": start_s, "finish_s": time.monotonic(), "clients": spans})
    done = Path(plan["out"])
    done.with_suffix(".part").write_text(json.dumps(rounds))
    done.with_suffix(".part").rename(done)


def _message(node: int, down: int, up: int, arrays: int, number: int) -> Message:
    config = ConfigRecord({"up": up, "arrays": arrays, "server-round": number + 1})
    return Message(RecordDict({"arrays": filled(down, arrays), "config": config}), node, "train")


@client.query()  # type: ignore[untyped-decorator]
def say_number(message: Message, context: Context) -> Message:
    """The number of this node."""
    number = ConfigRecord({"partition": int(context.node_config["partition-id"])})
    return Message(RecordDict({"numbers": number}), reply_to=message)


@client.train()  # type: ignore[untyped-decorator]
def answer(message: Message, _: Context) -> Message:
    """As many bytes as asked for, and when the app had the message and when it answered."""
    got_s = time.monotonic()
    config = message.content["config"]
    arrays = filled(int(config["up"]), int(config["arrays"]))
    spans = ConfigRecord({"got_s": got_s, "answered_s": time.monotonic()})
    return Message(RecordDict({"arrays": arrays, "spans": spans}), reply_to=message)
