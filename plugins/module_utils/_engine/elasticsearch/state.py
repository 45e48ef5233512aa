# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The state of the name of an index: the index behind it, its earlier versions, an unfinished copy.

``jobs`` is an alias of ``jobs-v1``, after the first copy of ``jobs-v2``, and so on. An unfinished copy has a
note in ``_meta`` of its own mapping, which later runs find there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from .client import SearchClient
from .errors import NotOurs

#: The key in ``_meta`` of an index that is being filled.
MIGRATION = "freezer_migration"


@dataclass(frozen=True)
class Index:
    """One index. ``settings`` are the explicit ones, ``defaults`` the values of all others."""

    name: str
    mapping: Mapping[str, Any]
    settings: Mapping[str, Any]
    defaults: Mapping[str, Any]
    aliases: Mapping[str, Any]

    @property
    def meta(self) -> Mapping[str, Any]:
        """The notes in its mapping."""
        meta = self.mapping.get("_meta")
        return meta if isinstance(meta, Mapping) else {}

    @property
    def migration(self) -> Mapping[str, Any] | None:
        """The note about the copy that it takes part in."""
        note = self.meta.get(MIGRATION)
        return note if isinstance(note, Mapping) else None

    @property
    def is_being_filled(self) -> bool:
        """Whether it is a copy that is not finished."""
        return "from" in (self.migration or {})

    @property
    def replaced_by(self) -> str | None:
        """The copy that replaces it, or will."""
        return (self.migration or {}).get("to")

    @property
    def shards(self) -> int:
        """The number of its shards."""
        return int(self.settings["index.number_of_shards"])

    @property
    def refuses_writes(self) -> bool:
        """Whether documents cannot be changed."""
        return str(self.settings.get("index.blocks.write")) == "true"

    def mapping_without_notes(self) -> dict[str, Any]:
        """The mapping without the notes of this program."""
        mapping = dict(self.mapping)
        meta = {key: value for key, value in self.meta.items() if key != MIGRATION}
        mapping.pop("_meta", None)
        return {**mapping, "_meta": meta} if meta else mapping


@dataclass(frozen=True)
class State:
    """The state of a name. ``index`` is None if the name does not exist.

    ``earlier`` are versions that a copy has replaced, ``unfinished`` is a copy that has not replaced anything yet.
    """

    name: str
    index: Index | None = None
    documents: int = 0
    earlier: tuple[str, ...] = ()
    unfinished: Index | None = None
    #: All numbers of versions that are taken.
    numbers: frozenset[int] = field(default_factory=frozenset)

    @property
    def is_alias(self) -> bool:
        """Whether the name is an alias, as it is of every index that this program has made."""
        return self.index is not None and self.index.name != self.name

    def version(self, number: int) -> str:
        """The name of a version."""
        return f"{self.name}-v{number}"

    @property
    def next_number(self) -> int:
        """A number of a version that is free, with all above it."""
        return max(self.numbers, default=0) + 1


def look_at(client: SearchClient, name: str) -> State:
    """The state of a name. Raises NotOurs if it is an alias of several indices, RestError."""
    # The name itself, which may be an alias, and everything that could be a version of it.
    path = f"/{quote(name, safe='')},{quote(name, safe='')}-v*"
    query = "?ignore_unavailable=true&allow_no_indices=true&expand_wildcards=all"
    answer = client.request("GET", f"{path}/_settings{query}&flat_settings=true&include_defaults=true").document
    if not answer:
        return State(name)
    mappings = client.request("GET", f"{path}/_mapping{query}").document
    aliases = client.request("GET", f"{path}/_alias{query}").document
    versions = re.compile(re.escape(name) + r"-v([1-9][0-9]*)\Z")
    found = {
        index: Index(index, mappings[index]["mappings"], said["settings"], said["defaults"], aliases[index]["aliases"])
        for index, said in answer.items()
        # An index that is deleted between the requests does not count.
        if index in mappings and index in aliases
    }
    named = [index for index in found.values() if index.name == name or name in index.aliases]
    if len(named) > 1:
        raise NotOurs(
            f"{name} is an alias of {len(named)} indices ({', '.join(sorted(index.name for index in named))}); only one "
            "index, or an alias of one, can be managed."
        )
    current = named[0] if named else None
    numbers = {int(match.group(1)): index for index in found if (match := versions.match(index))}
    others = [found[index] for _number, index in sorted(numbers.items()) if current is None or index != current.name]
    unfinished = [index for index in others if index.is_being_filled]
    return State(
        name,
        current,
        client.count(current.name) if current else 0,
        tuple(index.name for index in others if index.replaced_by is not None),
        unfinished[-1] if unfinished else None,
        frozenset(numbers),
    )
