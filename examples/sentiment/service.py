"""
Is a review friendly? A Flask service that explains itself.

The prediction itself needs no line of telemetry: started with `opentelemetry-instrument flask --app service run` every request is
one trace. The three lines that say `otel_ml` add what no instrumentor can know: which words decided, under which id the answer can be
talked about later, and what somebody said of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask, jsonify, request
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import otel_ml

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

REVIEWS = [
    ("a warm and funny film", "friendly"),
    ("wonderful actors, wonderful story", "friendly"),
    ("I laughed and cried, see it", "friendly"),
    ("the best evening of the year", "friendly"),
    ("a dull and noisy film", "unfriendly"),
    ("terrible actors, terrible story", "unfriendly"),
    ("I slept and left, avoid it", "unfriendly"),
    ("the worst evening of the year", "unfriendly"),
]


def trained() -> Pipeline:
    """Return a model of how words make a review friendly."""
    texts, labels = zip(*REVIEWS, strict=True)
    return make_pipeline(TfidfVectorizer(), LogisticRegression(C=10.0)).fit(texts, labels)


def contributions(model: Pipeline, text: str) -> dict[str, float]:
    """Return what each word of *text* adds to the log-odds of the model's second class."""
    words, classifier = model[0], model[-1]
    weights = words.transform([text]).tocoo()
    names = words.get_feature_names_out()
    return {
        str(names[word]): float(weight * classifier.coef_[0][word])
        for word, weight in zip(weights.col, weights.data, strict=True)
    }


app = Flask(__name__)
model = trained()
otel_ml.register_model(model, name="review-sentiment", version="1")


@app.post("/sentiment")
def sentiment() -> Any:
    """Answer `{"text": ...}` with the sentiment, how sure it is, and the id for feedback."""
    text = str(request.get_json()["text"])
    probabilities = model.predict_proba([text])[0]
    label = str(model.classes_[probabilities.argmax()])
    prediction = otel_ml.current_prediction_id()
    otel_ml.record_explanation(contributions(model, text), target=model.classes_[1])
    return jsonify(
        sentiment=label, confidence=round(float(probabilities.max()), 4), prediction=prediction
    )


@app.post("/feedback")
def feedback() -> Any:
    """Take `{"prediction": ..., "sentiment": ...}`: what a reader thinks that it was."""
    said = request.get_json()
    otel_ml.record_feedback(said["prediction"], label=said["sentiment"], source="human")
    return "", 204
