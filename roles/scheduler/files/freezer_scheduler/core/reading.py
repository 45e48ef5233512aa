# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Documents in files: JSON, or YAML with the types of JSON."""

from __future__ import annotations

import json
from typing import Any


class NotRead(ValueError):
    """A text is neither; the message is the end of a sentence after the name of its file."""


def parsed(text: str, name: str) -> Any:
    """The value of a text in JSON or YAML from the file ``name``. Raises NotRead with the line and the column."""
    try:
        return json.loads(text)
    except ValueError as error:
        problem = str(error)
    # Imported only if needed: it is slow, and most files are JSON.
    import yaml

    class Loader(yaml.SafeLoader):
        """Reads a date as a text, as in JSON."""

        yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
            for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    try:
        return yaml.load(text, Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if name.endswith(".json") or text.lstrip()[:1] in ("{", "["):
            raise NotRead(f"is no JSON: {problem}") from None
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) or str(error).partition("\n")[0]
        position = f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
        raise NotRead(f"is no YAML: {said}{position}") from None
