"""The server app: FedAvg with dense messages or FLASC with sparse ones. Both are recorded."""

from collections.abc import Iterable

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from emulator.integrations.flower import Recorder
from flasc_flower import task, wire

app = ServerApp()
SHARES = {"fraction_train": 0.25, "fraction_evaluate": 0.1}  # of the clients, per round


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train with the method of the run config and write the log that it names."""
    config = context.run_config
    method = str(config["method"])
    if method == "sparse":
        strategy = Flasc(float(config["down"]), float(config["up"]), **SHARES)
    else:
        strategy = FedAvg(**SHARES)
    recorder = Recorder(  # the recorder stands where the grid stood
        grid, str(config["log"]), run="flower", method=method, clients=task.CLIENTS, target=0.5,
        examples_key="num-examples",  # one epoch
    )  # fmt: skip
    strategy.start(
        grid=recorder,
        initial_arrays=wire.dense(np.zeros(task.SIZE, np.float32)),
        num_rounds=int(config["rounds"]),
        evaluate_fn=recorder.scored(evaluate),
    )


def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
    """Accuracy and loss of the global model."""
    return MetricRecord(task.scored(wire.vector_in(arrays), task.validation()))


class Flasc(FedAvg):
    """Clients get the largest values of the model and send the largest values of their updates.

    They train all values in between. The server adds the mean of the sparse updates to its model.
    """

    def __init__(self, down: float, up: float, **more: float) -> None:
        super().__init__(**more)
        self._down, self._up = down, up
        self._model = np.zeros(task.SIZE, np.float32)

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Requests with a sparse model."""
        self._model = wire.vector_in(arrays)
        config["up"] = self._up
        sparse = wire.sparse(self._model, self._down)
        return super().configure_train(server_round, sparse, config, grid)

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Requests with a sparse model."""
        sparse = wire.sparse(wire.vector_in(arrays), self._down)
        return super().configure_evaluate(server_round, sparse, config, grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """The model plus the mean update, weighted by examples."""
        answered = [reply.content for reply in replies if not reply.has_error()]
        if not answered:
            return None, None
        updates = [wire.vector_in(content["arrays"]) for content in answered]
        weights = [content["metrics"]["num-examples"] for content in answered]
        mean = np.average(updates, axis=0, weights=weights).astype(np.float32)
        return wire.dense(self._model + mean), None
