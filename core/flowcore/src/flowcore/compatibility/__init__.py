"""Whether the values of one JSON Schema fit another: what connections are checked with. Pure."""

from flowcore.compatibility.comparing import compare
from flowcore.compatibility.describing import describe
from flowcore.compatibility.fit import FITS, Answer, Fit

__all__ = ["FITS", "Answer", "Fit", "compare", "describe"]
