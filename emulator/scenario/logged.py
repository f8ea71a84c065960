"""The scenario of message logs: the task and the methods are those of another program.

A scenario of this kind is made from logs (`emulator.runner.message_logs`) and kept in the ledger of
their run. Users cannot write one, because a scenario has no messages.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from emulator.scenario.scenario import Scenario
from emulator.simulation.clients.links import Label
from emulator.simulation.target import LOSS
from flasc.common.settings import PositiveInt
from flasc.tasks.settings import TaskSettings
from flasc.training.settings import MethodSettings, TrainingSettings

KIND = "message_log"


class LoggedTask(TaskSettings):
    """The task of a log; `scored_by` is the name of the metric."""

    name: Literal["message_log"]
    model: str = "not/known"  # a log does not name it
    clients: PositiveInt
    scored_by: str = "accuracy"

    @property
    def metric(self) -> str:  # type: ignore[override]  # other tasks have one metric per class
        """The name of the metric."""
        return self.scored_by


class LoggedMethod(MethodSettings):
    """The method of a log, whose content has the digest `log`."""

    kind: Literal["message_log"]
    log: str


class LoggedSettings(TrainingSettings):
    """What identifies the training of a log."""

    task: LoggedTask
    method: LoggedMethod


class LoggedScenario(Scenario):
    """The scenario of one or several message logs."""

    settings_type: ClassVar[type[TrainingSettings]] = LoggedSettings

    task: LoggedTask
    methods: Annotated[dict[Label, LoggedMethod], Field(min_length=1)]  # type: ignore[assignment]

    @model_validator(mode="after")
    def _has_a_target_of_its_metric(self) -> Self:
        if self.training.goal and self.training.goal.measure == LOSS:
            raise ValueError("found a target loss; allowed: a target of the metric of the logs")
        return self


def is_logged(data: object) -> bool:
    """Whether plain data are the scenario of message logs."""
    task: Any = data.get("task") if isinstance(data, Mapping) else None
    return isinstance(task, Mapping) and task.get("name") == KIND
