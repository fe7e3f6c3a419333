"""What can be wrong with the registry: the rules by name, and a finding as one line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Rule(str, Enum):
    """The name of a rule, as it stands in a finding."""

    # One file: judged where it is read.
    YAML = "yaml"
    """A file is UTF-8, YAML without anchors, not empty, and neither huge nor a tower."""
    FILE_FORMAT = "file-format"
    """The first line of a definition file names its format."""
    TEXT = "text"
    """Every character can be seen."""
    UNKNOWN_FIELD = "unknown-field"
    """The syntax has no such field here."""
    MISSING_FIELD = "missing-field"
    """The syntax asks for a field that is not there."""
    DUPLICATE_FIELD = "duplicate-field"
    """A field is given once."""
    WRONG_TYPE = "wrong-type"
    """A value is of the type, or one of the words, that its field takes."""

    # Names.
    NAMING = "naming"
    """Names are lower-case words joined by dots and underscores."""
    ROOT = "root"
    """What we define stands in our namespace."""
    DUPLICATE = "duplicate"
    """A name is defined once."""
    NAMESPACE = "namespace"
    """A name is not also the beginning of another."""
    CONSTANT = "constant"
    """Two names are not one constant in code."""

    # What refers to what.
    UNRESOLVED = "unresolved"
    """What is referred to exists."""
    GROUP_COLLISION = "group-collision"
    """Two groups on one signal share no attribute."""
    UNUSED = "unused"
    """An attribute is on a signal."""
    UPSTREAM = "upstream"
    """What is copied comes from the version that the manifest depends on."""

    # What is said of a name.
    BRIEF = "brief"
    """A brief ends with a period."""
    EXAMPLES = "examples"
    """There is an example, and it is of the type."""
    ENUM = "enum"
    """An enumeration has members, each once."""
    ANNOTATION = "annotation"
    """An annotation is one that has an effect."""

    # How strongly an attribute is asked for, and where.
    SIGNAL_LEVEL = "signal-level"
    """A signal says whether it is on by default."""
    REQUIREMENT = "requirement"
    """A reference has a level, and its condition is a sentence."""
    ANY = "any"
    """Values without a fixed type stay on spans and events."""
    CARDINALITY = "cardinality"
    """What has many values is opt-in on metrics."""
    SENSITIVITY = "sensitivity"
    """What may be personal is opt-in everywhere."""

    # One kind of signal.
    VALUE_TYPE = "value-type"
    """A metric says whether its points are integers or doubles."""
    BUCKETS = "buckets"
    """A histogram has rising, finite boundaries, and nothing else has any."""
    UNIT = "unit"
    """A unit becomes a good name in Prometheus."""
    EMITTED_BY = "emitted-by"
    """A signal says who writes it."""
    SEVERITY = "severity"
    """An event says how severe it is."""
    IDENTITY = "identity"
    """An entity is identified by attributes that are always there."""

    # How names age.
    STABILITY = "stability"
    """Nothing is more stable than what it rests on."""
    DEPRECATED = "deprecated"
    """What is deprecated says why, and its successor can take its place."""
    SCHEMA_URL = "schema-url"
    """The schema URL ends in a version, and both its ends name the stability."""

    # Beside the last release.
    RELEASE = "release"
    """A released registry can be read and is of the version of its folder."""
    VERSION = "version"
    """What differs from the last release has a greater version."""
    REMOVED = "removed"
    """A released name stays."""
    CHANGED = "changed"
    """A released name means on the wire what it meant."""
    LOWERED = "lowered"
    """A promise of stability is not taken back."""
    STABLE_SIGNAL = "stable-signal"
    """A stable signal keeps its attributes and how strongly it asks for them."""

    # What is generated.
    STALE = "stale"
    """The generated files are what the registry gives."""


@dataclass(frozen=True, order=True)
class Place:
    """A line of a file of the registry, the file relative to the repository."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong with the registry, and where."""

    place: Place
    rule: Rule
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.rule.value}: {self.message}"
