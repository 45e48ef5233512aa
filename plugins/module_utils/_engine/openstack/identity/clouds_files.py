# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Which ``clouds.yaml`` and ``secure.yaml`` openstacksdk reads, and whether they have the shape that it takes for granted.

openstacksdk passes over a file that it cannot parse, and ends in an error of Python where a value has another shape than
it expects. Here each of these is a sentence that names the file, the cloud and the key.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ...http.errors import BadAddress
from .environment import CLOUDS_FILE_VARIABLE, SECURE_FILE_VARIABLE

#: What a key of a cloud has to be, in words and as types; every other one is a single value.
_MAPPING = ("a mapping of keys to values", (Mapping,))
_SHAPES: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "auth": _MAPPING,
    "regions": ("a list of regions", (list, tuple)),
    "interface": ("a text or a list of texts", (str, list, tuple)),
    "endpoint_type": ("a text or a list of texts", (str, list, tuple)),
    "auth_methods": ("a text or a list of texts", (str, list, tuple)),
}
_SINGLE = frozenset({"auth_type", "region_name", "cacert", "cert", "key", "verify", "insecure", "api_timeout", "cloud",
                     "backup_api_version", "backup_endpoint_override"})  # fmt: skip


class CloudsFile(NamedTuple):
    """A file that is read, and its clouds. Holds secrets."""

    path: str
    clouds: Mapping[str, Any]


def files_read(clouds_files: Sequence[str], secure_files: Sequence[str]) -> list[CloudsFile]:
    """The files that openstacksdk reads of those that it looks for, with the ones of the environment before them.

    Raises BadAddress if one cannot be read, has another shape, or is not where ``OS_CLIENT_CONFIG_FILE`` says.
    """
    named = os.environ.get(CLOUDS_FILE_VARIABLE)
    if named and not os.path.exists(named):
        raise BadAddress(f"The file {named}, which {CLOUDS_FILE_VARIABLE} names, is not there.")
    found = []
    for variable, paths in ((CLOUDS_FILE_VARIABLE, clouds_files), (SECURE_FILE_VARIABLE, secure_files)):
        named = os.environ.get(variable)
        for path in [named, *paths] if named else paths:
            # A file that this user cannot read, where openstacksdk looks by itself, is skipped as it skips it.
            if os.path.exists(path) and (path == named or os.access(path, os.R_OK)):
                found.append(_read(path))
                break
    return found


def check_cloud(said: Any, where: str) -> None:
    """Raise BadAddress if what is said of a cloud has another shape; ``where`` names the cloud, and its file if it has one."""
    _check(said, _MAPPING, where)
    for key, value in said.items():
        if value is None and key != "auth":
            continue
        if key in _SHAPES:
            _check(value, _SHAPES[key], f"{where}: {key}")
        elif key in _SINGLE and isinstance(value, (Mapping, list, tuple)):
            raise BadAddress(f"{where}: {key} is {_called(value)}; it must be a single value.")
        elif key == "profile":
            _check(value, ("the name of a profile", (str,)), f"{where}: {key}")
    for key, value in (said.get("auth") or {}).items():
        # An auth_type of its own may take a list, which these are not for.
        if isinstance(value, Mapping) or not isinstance(key, str):
            raise BadAddress(f"{where}: {key} in auth is {_called(value)}; it must be a single value.")


def clouds_in(files: Iterable[CloudsFile]) -> list[str]:
    """The names of all clouds that these files have."""
    return sorted({str(name) for file in files for name in file.clouds})


def _read(path: str) -> CloudsFile:
    yaml = importlib.import_module("yaml")
    try:
        with open(path, encoding="utf-8") as stream:
            document = json.load(stream) if path.endswith("json") else yaml.safe_load(stream)
        if _is_in_itself(document, set(), set()):
            raise BadAddress(f"The file {path} cannot be read: one of its aliases stands for what it is a part of.")
    except RecursionError as error:
        raise BadAddress(f"The file {path} cannot be read: too much of it is in one another.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadAddress(f"The file {path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    except ValueError as error:
        raise BadAddress(f"The file {path} cannot be read: it is no JSON: {error}.") from error
    except yaml.YAMLError as error:
        # Its own sentence shows the line, which may have a password in it.
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise BadAddress(f"The file {path} cannot be read: {place}{problem or 'it is no YAML'}.") from None
    if document is None:
        return CloudsFile(path, {})
    _check(document, ("a mapping with the key clouds", (Mapping,)), f"The file {path}")
    clouds = document.get("clouds", {})
    _check(clouds, ("a mapping of names to clouds", (Mapping,)), f"clouds in the file {path}")
    return CloudsFile(path, clouds)


def _is_in_itself(value: Any, above: set[int], done: set[int]) -> bool:
    """Whether a value has itself as a part, as aliases of YAML allow. ``above`` and ``done`` are ids of what was met."""
    if not isinstance(value, (Mapping, list)) or id(value) in done:
        return False
    if id(value) in above:
        return True
    above.add(id(value))
    parts = value.values() if isinstance(value, Mapping) else value
    found = any(_is_in_itself(part, above, done) for part in parts)
    above.remove(id(value))
    done.add(id(value))
    return found


def _check(value: Any, shape: tuple[str, tuple[type, ...]], where: str) -> None:
    words, types = shape
    if not isinstance(value, types):
        raise BadAddress(f"{where} is {_called(value)}; it must be {words}.")


def _called(value: Any) -> str:
    """What a value is, without the value, which may be a secret."""
    if value is None:
        return "empty"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, (list, tuple)) else "a text" if isinstance(value, str) else "a single value"
