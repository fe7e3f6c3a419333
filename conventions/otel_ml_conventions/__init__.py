"""
The names that otel-ml writes on the wire.

`attributes`, `metrics`, `spans`, `events`, `entities` and `schema` hold constants,
`registry.json` everything about them. Nothing is imported here.

Generated from conventions/model by `python -m conventions.generate write`; what is edited here
is overwritten.
"""
