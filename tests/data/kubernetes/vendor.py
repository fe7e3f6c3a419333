"""
Write `schemas.json` from the schemas that Kubernetes and the OpenTelemetry operator publish: see README.md beside this file.

Kept are the kinds below and what they refer to, without descriptions. A key that a schema does not know is made an error, as
`kubectl apply` makes it one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

KINDS = (
    "io.k8s.api.apps.v1.StatefulSet",
    "io.k8s.api.core.v1.ConfigMap",
    "io.k8s.api.core.v1.Namespace",
    "io.k8s.api.core.v1.Service",
    "io.k8s.api.core.v1.ServiceAccount",
    "io.k8s.api.networking.v1.NetworkPolicy",
    "io.k8s.api.policy.v1.PodDisruptionBudget",
)
RESOURCES = ("opentelemetrycollectors v1beta1", "instrumentations v1alpha1")
KEPT = {"additionalProperties", "anyOf", "enum", "items", "maximum", "minimum", "pattern", "type"}
INT_OR_STRING = {"type": ["integer", "string"]}


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what *schema* says of values, as JSON Schema has it."""
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    if schema.get("format") == "int-or-string" or schema.get("x-kubernetes-int-or-string"):
        return INT_OR_STRING
    kept = {key: schema[key] for key in sorted(KEPT & schema.keys())}
    for key in ("items", "additionalProperties"):
        if isinstance(kept.get(key), dict):
            kept[key] = strict(kept[key])
    if "properties" in schema:
        properties = schema["properties"].items()
        kept["properties"] = {key: strict(value) for key, value in properties}
        kept["required"] = schema.get("required", [])
        kept["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    return kept


def used_by(schema: Any, published: dict[str, Any], found: dict[str, Any]) -> None:
    """Add to *found* the definitions that *schema* refers to, and what these do."""
    if isinstance(schema, dict):
        name = str(schema.get("$ref", "")).removeprefix("#/definitions/")
        if name and name not in found:
            found[name] = strict(published[name])
            used_by(found[name], published, found)
    for part in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(part, dict | list):
            used_by(part, published, found)


def main(kubernetes: Path, operator: Path) -> None:
    """Write the file, from the two folders that `go mod download` has filled."""
    swagger = json.loads((kubernetes / "api" / "openapi-spec" / "swagger.json").read_text())
    kinds: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    for name in KINDS:
        (is_called,) = swagger["definitions"][name]["x-kubernetes-group-version-kind"]
        said = (is_called["group"], is_called["version"], is_called["kind"])
        kinds["/".join(filter(None, said))] = {"$ref": f"#/definitions/{name}"}
    used_by(kinds, swagger["definitions"], definitions)
    for resource in RESOURCES:
        plural, version = resource.split()
        path = operator / "config" / "crd" / "bases" / f"opentelemetry.io_{plural}.yaml"
        spec = yaml.safe_load(path.read_text())["spec"]
        (served,) = [one for one in spec["versions"] if one["name"] == version]
        schema = strict(served["schema"]["openAPIV3Schema"])
        schema["properties"]["metadata"] = {"$ref": f"#/definitions/{METADATA}"}
        kinds[f"{spec['group']}/{version}/{spec['names']['kind']}"] = schema
    written = {"definitions": definitions, "kinds": kinds}
    target = Path(__file__).with_name("schemas.json")
    target.write_text(json.dumps(written, sort_keys=True, separators=(",", ":")) + "\n")


METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
