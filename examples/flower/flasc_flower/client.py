"""The client app: one epoch of local training, and an answer in the form of the request."""

from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from emulator.integrations.flower import timed
from flasc_flower import task, wire

app = ClientApp(mods=[timed])  # tells the recorder the seconds of the client


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train on the client's documents. With `up` in the config, answer with a sparse update."""
    examples = task.of_client(int(context.node_config["partition-id"]))
    received = wire.vector_in(message.content["arrays"])
    config = message.content["config"]
    model = task.trained(received, examples, seed=int(config["server-round"]))
    up = config.get("up")
    arrays = wire.dense(model) if up is None else wire.sparse(model - received, up)
    metrics = MetricRecord({"num-examples": len(examples.labels)})
    return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Score the model on the client's documents."""
    examples = task.of_client(int(context.node_config["partition-id"]))
    scores = task.scored(wire.vector_in(message.content["arrays"]), examples)
    metrics = MetricRecord({"num-examples": len(examples.labels), **scores})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)
