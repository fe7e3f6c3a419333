"""
Will this flight arrive late? A model behind HTTP, as anybody would write it.

It knows nothing of telemetry: started with `uvicorn service:app` it answers, started with `opentelemetry-instrument uvicorn
service:app` it answers the same and is watched.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
import pandas as pd
from fastapi import FastAPI, Request
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_NAN = float("nan")


class Flight(BaseModel):
    """One departure; weather and aircraft may be unknown."""

    dep_delay: float
    hour: int
    distance: float
    temp: float | None = None
    dewp: float | None = None
    humid: float | None = None
    wind_speed: float | None = None
    precip: float | None = None
    visib: float | None = None
    pressure: float | None = None
    plane_year: float | None = None
    plane_seats: float | None = None
    carrier: str
    origin: str
    dest: str
    plane_engine: str | None = None


class Answer(BaseModel):
    """Whether the flight is expected to land more than 15 minutes late, and how probable that is."""

    late: bool
    probability: float


@asynccontextmanager
async def _load_model(app: FastAPI) -> AsyncIterator[None]:
    app.state.model = joblib.load(Path(os.environ.get("MODEL_FILE", "model.joblib")))
    yield


app = FastAPI(title="Late arrivals", lifespan=_load_model)


@app.post("/predict")
def predict(flight: Flight, request: Request) -> Answer:
    """Return the model's answer for one flight."""
    known = pd.DataFrame({name: [_NAN if value is None else value] for name, value in flight})
    late = request.app.state.model.predict_proba(known)[0, 0]  # sorted classes: late, on_time
    return Answer(late=bool(late >= 0.5), probability=float(late))


@app.get("/healthz")
def healthy() -> dict[str, str]:
    """Answer as soon as the model is loaded."""
    return {"status": "ok"}
