"""
What can go wrong at start-up, and how it is said.

    OtelMlError
    ├── ConfigError     a file, a key or a value that the operator wrote: one line, exit code 2
    ├── ProfileError    a profile that is missing, unreadable or not ours: one line, exit code 2
    ├── TableError      a table that a profile cannot be built from: one line, exit code 2
    ├── OtlpFileError   a file that holds no telemetry (commands/otlp_files.py): one line, exit code 2
    ├── RefusedError    a collector's configuration that splicing would break (commands/splice/refusal.py): why, what to do, exit code 1
    └── UnusableFileError  a file of the state that cannot be used (state/sealed_file.py): set aside, counted, never fatal

Once the processor serves, nothing is raised at a caller: a request is answered with a gRPC status and a refusal is counted.
"""

from __future__ import annotations

__all__ = ["ConfigError", "OtelMlError", "ProfileError", "TableError"]


class OtelMlError(Exception):
    """A failure whose message is written for the person who can mend it."""


class ConfigError(OtelMlError):
    """A configuration that cannot be used; the message names file, path, expectation and finding."""


class ProfileError(OtelMlError):
    """A profile that cannot be used; the message names file, path, expectation and finding."""


class TableError(OtelMlError):
    """A table that no profile can be built from; the message names file and column."""
