"""
Names of the events of the conventions.

Generated from conventions/model by `python -m conventions.generate write`; what is edited here
is overwritten.
"""

from __future__ import annotations

from typing import Final


EVENT_ML_DRIFT_DETECTED: Final = "ml.drift.detected"
"""
A stream changed its state of drift.

One log record per model, window and change of state, with the features that drift most. Score,
p-value and threshold are those of the first of them.

Severity: WARN.
"""


EVENT_ML_EVALUATION_RESULT: Final = "ml.evaluation.result"
"""
A score of a model.

Severity: INFO.
"""


EVENT_ML_EXPLANATION: Final = "ml.explanation"
"""
What one prediction is attributed to.

Its trace context is that of the inference if that is known, however long ago it ended.

Severity: INFO.
"""


EVENT_ML_FEEDBACK: Final = "ml.feedback"
"""
What was learned about a prediction after it was made.

At least one of label, value, score and correct MUST be there. Its trace context is that of the
inference if that is known, however long ago it ended.

Severity: INFO.
"""


EVENT_ML_INFERENCE_EXCEPTION: Final = "ml.inference.exception"
"""
An exception left the call of a model.

Message and stack quote what the model was given, so they are only written when asked for.

Severity: WARN.
"""


EVENT_ML_INTERNAL: Final = "ml.internal"
"""
A summary of attention, activations or embeddings inside the model.

Severity: DEBUG.
"""


EVENT_ML_PREDICTION_DETAILS: Final = "ml.prediction.details"
"""
What a model was given and what it answered.

For back ends that keep content apart from traces: it carries what is captured of one call, in
the context of the span of that call.

Severity: DEBUG.
"""


EVENT_ML_TRAINING_EPOCH: Final = "ml.training.epoch"
"""
Training went through the data once more.

One per epoch and score; without a score, one per epoch.

Severity: DEBUG.
"""


EVENT_ML_VALIDATION_FAILURE: Final = "ml.validation.failure"
"""
An input or output of a call breaks a rule.

One per call, feature and rule, however many samples break it, and at most 16 per call;
`ml.validation.failure.count` on the span is the whole number.

Severity: WARN.
"""
