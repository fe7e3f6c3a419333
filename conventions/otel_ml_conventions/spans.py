"""
Types of the spans of the conventions.

Generated from conventions/model by `python -m conventions.generate write`; what is edited here
is overwritten.
"""

from __future__ import annotations

from typing import Final


SPAN_ML_VERDICT: Final = "ml.verdict"
"""
What a processor that cannot touch the original span says about one flagged inference.

A child of the inference span, in its trace, that starts and ends when the inference ended.

Name: `verdict {ml.model.name}`. Kind: internal.
"""


SPAN_ML_EVALUATION: Final = "ml.evaluation"
"""
Scoring a model on labelled samples.

What came out is told by events `ml.evaluation.result` within it.

Name: `evaluate {ml.model.name}`. Kind: internal.
"""


SPAN_ML_EXPLAIN: Final = "ml.explain"
"""
Finding out what predictions are attributed to.

What was found is told by the event `ml.explanation`. Calls that the explainer makes of the
model are no inferences.

Name: `explain {ml.model.name}`. Kind: internal.
"""


SPAN_ML_FEEDBACK: Final = "ml.feedback"
"""
Feedback on a prediction, where only traces are carried.

It says what the event `ml.feedback` says and stands in for it; never write both. At least one
of label, value, score and correct MUST be there. It MUST link to the span of the inference if
its context is known.

Name: `feedback {ml.model.name}`. Kind: internal.
"""


SPAN_ML_INFERENCE: Final = "ml.inference"
"""
One call of a model, whatever number of samples it holds.

Only the outermost call is a span; calls that the model makes of its own parts are not. An
exception that leaves the call sets the status to error, without a description unless messages
of exceptions are asked for. A call that serves several requests at once SHOULD link to the span
of each. Verdicts are added by a processor that annotates in line.

Name: `{ml.operation.name} {ml.model.name}`. Kind: internal.
"""


SPAN_ML_MODEL_LOAD: Final = "ml.model.load"
"""
Reading a model from storage.

From the call that asks for the model to the model being ready to answer, whether it is read
from a file, a registry or an archive.

Name: `load {ml.model.name}`. Kind: internal.
"""


SPAN_ML_PIPELINE_STEP: Final = "ml.pipeline.step"
"""
One step of a pipeline, inside or around the call of the model.

A child of the span of the call that it belongs to. Preparing inputs and turning outputs into
the answer are steps too, with the operations `preprocess` and `postprocess`.

Name: `{ml.operation.name} {ml.pipeline.step.name}`. Kind: internal.
"""


SPAN_ML_TRAINING: Final = "ml.training"
"""
Training of a model.

Only the outermost call is a span; the fits of its parts, of folds and of candidates are not.

Name: `fit {ml.model.name}`. Kind: internal.
"""
