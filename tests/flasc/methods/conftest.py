import pytest

COHORTS = [[1, 2], [4, 0, 1], [2, 3], [1, 4]]


@pytest.fixture
def play():
    """Rounds of a trainer, by cohorts; every message in its order."""

    def rounds(trainer, cohorts=COHORTS):
        messages = []
        for cohort in cohorts:
            downloads = [trainer.download(c) for c in cohort]
            uploads = trainer.train(downloads)
            trainer.aggregate(uploads, [1 / len(cohort)] * len(cohort))
            messages += [*downloads, *uploads]
        return messages

    return rounds
