"""The scenario of message logs: the task and the methods are those of another program.

A scenario of this kind is made from logs (`emulator.runner.message_logs`) and kept in the ledger of
their run. Users cannot write one, because a scenario has no messages.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from emulator.scenario.scenario import Scenario, Training
from emulator.simulation.clients.links import Label
from emulator.simulation.settings import Target, short_target
from emulator.simulation.target import FALLING, Goal, Measure
from flasc.common.settings import NonNegativeFloat, PositiveInt, newer
from flasc.tasks.settings import TaskSettings
from flasc.training.settings import MethodSettings, TrainingSettings

KIND = "message_log"


class LoggedTask(TaskSettings):
    """The task of a log; `scored_by` is the metric, `direction` says which values are better."""

    name: Literal["message_log"]
    model: str = "not/known"  # a log does not name it
    clients: PositiveInt
    scored_by: str = "accuracy"
    direction: Literal["higher", "lower"] = "higher"

    @property
    def metric(self) -> str:  # type: ignore[override]  # other tasks have one metric per class
        """The name of the metric."""
        return self.scored_by


class LoggedMethod(MethodSettings):
    """The method of a log, whose content has the digest `log`; of several, {seed: digest}."""

    kind: Literal["message_log"]
    log: str | dict[str, str]

    def digest(self, seed: int) -> str:
        """The digest of the log with a seed; a log without others answers for any."""
        return self.log if isinstance(self.log, str) else self.log.get(str(seed), "")


class LoggedSettings(TrainingSettings):
    """What identifies the training of a log."""

    task: LoggedTask
    method: LoggedMethod


class LoggedScenario(Scenario):
    """The scenario of one or several message logs."""

    settings_type: ClassVar[type[TrainingSettings]] = LoggedSettings

    task: LoggedTask
    methods: Annotated[dict[Label, LoggedMethod], Field(min_length=1)]  # type: ignore[assignment]  # no others

    @override
    def target_problem(self, target: Target) -> str:
        if target.key == "accuracy":
            return ""
        return f"found {target.key}; allowed: accuracy, for a value of {self.task.metric}"


class FallingTarget(Target):
    """The value that a metric is to reach from above; the key is `loss`, whatever the metric."""

    loss: NonNegativeFloat | None = newer(None)

    @property
    @override
    def goal(self) -> Goal:
        return replace(super().goal, measure=FALLING)


class FallingTraining(Training):
    """The training of a log whose metric is to fall."""

    target: Annotated[FallingTarget | None, short_target("loss")] = None


class FallingScenario(LoggedScenario):
    """The scenario of message logs whose metric is to fall, like a perplexity."""

    training: FallingTraining

    @property
    @override
    def metric_measure(self) -> Measure:
        return FALLING

    @override
    def target_problem(self, target: Target) -> str:
        if target.key == "loss":
            return ""
        better = f"lower values of {self.task.metric} are better"
        return f"found {target.key}; allowed: loss, as {better}"


def logged_type(data: object) -> type[LoggedScenario] | None:
    """The type of plain data that are the scenario of message logs; None for other data."""
    task: Any = data.get("task") if isinstance(data, Mapping) else None
    if not isinstance(task, Mapping) or task.get("name") != KIND:
        return None
    return FallingScenario if task.get("direction") == "lower" else LoggedScenario
