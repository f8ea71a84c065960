"""One error for all trainings of a run that failed."""

from collections.abc import Sequence

from emulator.common.errors import EmulationError, NotRecordedError
from emulator.common.text import counted, printable
from emulator.scenario.study import TrainingJob, titles
from emulator.simulation.target import LOSS
from flasc.common.errors import UserError


def summary(
    trainings: Sequence[TrainingJob], failures: Sequence[tuple[int, UserError]]
) -> EmulationError:
    """The error of a run with at least one failure: (index of the training, its error).

    If recordings ended before the target, it has the best score of each method.
    """
    _, first = failures[0]
    ended = [
        (trainings[index].method, error)
        for index, error in failures
        if isinstance(error, NotRecordedError) and error.missed
    ]
    if len(ended) == len(failures):
        best: dict[str, list[float]] = {}
        for method, error in ended:
            best.setdefault(method, []).append(error.best)
        of = min if ended[0][1].missed.startswith(LOSS) else max
        scores = ", ".join(f"{of(each):.3f} ({printable(name)})" for name, each in best.items())
        return EmulationError(
            f"not finished: {len(failures)} of {counted(len(trainings), 'training')}: target "
            f"{ended[0][1].missed} was not reached within the recording: best {scores}",
            first.hint,
        )
    names = titles(trainings)
    failed = "; ".join(names[index] for index, _ in failures)
    of_first = "; the first" if len(failures) > 1 else ""
    return EmulationError(f"not finished: {failed}{of_first}: {first.message}", first.hint)
