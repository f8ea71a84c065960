"""Cohorts of clients trained together, with a lean forward pass; proven equal to
`flasc.training.client`."""

from flasc.training.cohort.encoder import supported
from flasc.training.cohort.engine import Cohort

__all__ = ["Cohort", "supported"]
