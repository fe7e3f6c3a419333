"""
Types of the spans of the conventions.

Generated from conventions/model by `python -m conventions.generate write`; what is edited here
is overwritten.
"""

from __future__ import annotations

from typing import Final


SPAN_ML_INFERENCE: Final = "ml.inference"
"""
One call of a model, whatever number of samples it holds.

Only the outermost call is a span; calls that the model makes of its own parts are not. An
exception that leaves the call sets the status to error, without a description. Verdicts are
added by a processor that annotates in line.

Name: `{ml.operation.name} {ml.model.name}`. Kind: internal.
"""


SPAN_ML_VERDICT: Final = "ml.verdict"
"""
What a processor that cannot touch the original span says about one flagged inference.

A child of the inference span, in its trace, that starts and ends when the inference ended.

Name: `verdict {ml.model.name}`. Kind: internal.
"""
