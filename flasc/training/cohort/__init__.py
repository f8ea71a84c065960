"""Trains cohorts of clients together; tests compare the results with `flasc.training.client`."""

from flasc.training.cohort.architectures import supported
from flasc.training.cohort.engine import Cohort

__all__ = ["Cohort", "supported"]
