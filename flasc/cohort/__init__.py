"""Cohorts of clients trained together, with a lean forward pass; proven equal to `flasc.client`."""

from flasc.cohort.encoder import supported
from flasc.cohort.engine import Cohort

__all__ = ["Cohort", "supported"]
