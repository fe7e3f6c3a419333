"""
Types of the entities of the conventions, and what identifies each.

Generated from conventions/model by `python -m conventions.generate write`; what is edited here
is overwritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


ENTITY_ML_ENVIRONMENT: Final = "ml.environment"
"""
The software that a model runs in.

Identified by `ml.environment.hash`.
"""


ENTITY_ML_MODEL: Final = "ml.model"
"""
A model, as a resource of a process that serves no other.

A process that serves several models MUST NOT put any of them on its resource; each span says
its own.

Identified by `ml.model.name` and `ml.model.version`.
"""


IDENTITY: Final[Mapping[str, tuple[str, ...]]] = {
    ENTITY_ML_ENVIRONMENT: ("ml.environment.hash",),
    ENTITY_ML_MODEL: ("ml.model.name", "ml.model.version",),
}
"""Keys of the attributes that together identify an entity, by its type."""
