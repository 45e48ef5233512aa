# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Change the mapping of an index by a copy: its documents move to a new index, and the name is switched to that.

1. The next version is made, with a note that it is being filled, and an alias of its own. The old index gets a note too.
2. Writes to the old one are refused from now on; writers get an error, and try again later. Reads go on.
3. Documents are copied. The sequence number of the last change of every shard is in the note: if it has changed, there was
   a write in spite of that, and the copy begins again.
4. Both are counted. In one atomic step the name and all other aliases are switched from the old index to the new one.
5. The note is removed. The old index stays as it is, without a name, and refuses writes.

Readers of the name see the complete old index or the complete new one. A run that fails undoes everything. If it is killed, or
the servers no longer answer, the notes have its progress: the next run resumes it, and ``roll_back`` undoes it.

The alias of a copy works as its lock: the step that switches the name removes that alias, and so does a deletion. So of two
simultaneous runs none can delete an index that the other has put into service.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable
from urllib.parse import quote

from ..http.errors import NotFound, RestError
from . import fields
from .client import SearchClient
from .errors import CopyInterrupted, DocumentsDoNotFit, SearchError
from .settings import differences as setting_differences
from .state import MIGRATION, Index, State, look_at

#: Gets the number of copied documents, and of all documents.
Progress = Callable[[int, int], None]

#: The most documents that do not fit before the copy stops.
NAMED_AT_MOST = 20

_CREATED, _THERE_ALREADY = 201, 409

_NO_REFRESH = "-1"
_CLONE_TIMEOUT = "60s"


@dataclass
class Copied:
    """The result of a copy. ``left_out`` has the ids of documents that did not fit, each with the reason."""

    documents: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Target:
    """The desired state of the new index. ``removed`` are the paths of removed fields."""

    mapping: Mapping[str, Any]
    settings: Mapping[str, Any]
    removed: Sequence[str] = ()


@dataclass(frozen=True)
class Done:
    """What became of an index: the one behind the name now, the one that a copy has replaced, and the copy."""

    index: str
    old: str | None = None
    copied: Copied = field(default_factory=Copied)


class Migration:
    """The move of a name from its index to a new one. ``leaves_out``: documents that do not fit may be lost."""

    def __init__(
        self,
        client: SearchClient,
        state: State,
        target: Target,
        leaves_out: bool = False,
        progress: Progress | None = None,
    ) -> None:
        if state.index is None:
            raise SearchError(f"There is no index {state.name} to copy.")
        self._client = client
        self._state = state
        self._source: Index = state.index
        self._target = target
        self._leaves_out = leaves_out
        self._progress = progress

    def run(self) -> Done:
        """Run or resume the migration. Raises SearchError, RestError; WouldLose after everything was undone."""
        try:
            filled = self._resumed() or self._begun()
            copied = self._fill(filled, dict(filled.migration or {}))
            old = self._swap(filled)
        except BaseException:
            # Also after an interrupt, so that writers do not have to wait for the next run.
            with contextlib.suppress(RestError, SearchError):
                roll_back(self._client, look_at(self._client, self._state.name))
            raise
        finish(self._client, filled)
        return Done(filled.name, old, copied)

    def _resumed(self) -> Index | None:
        """The copy of an earlier run, if it is of this index and mapping, and nothing was written since."""
        left = self._state.unfinished
        if left is None:
            return None
        note = left.migration or {}
        if (
            note.get("from") == self._source.name
            and note.get("alias") in left.aliases
            and self._is_like_target(left)
            and self._is_untouched_since(note)
        ):
            return left
        _discard(self._client, left)
        return None

    def _is_like_target(self, left: Index) -> bool:
        mapping = left.mapping_without_notes()
        # Documents may have added fields.
        others = [one for one in fields.differences(self._target.mapping, mapping) if one.what != "extra"]
        settings = {key: value for key, value in self._target.settings.items() if key != "index.refresh_interval"}
        return (
            not others
            and not set(self._target.removed) & set(fields.flat(mapping))
            and not setting_differences(settings, left.settings, left.defaults)
        )

    def _is_untouched_since(self, note: Mapping[str, Any]) -> bool:
        seen = note.get("last_changes")
        if seen is None:
            # It had not begun to copy.
            return True
        return self._source.refuses_writes and self._client.last_changes(self._source.name) == seen

    def _begun(self) -> Index:
        """Make an empty new version with the note, which no name refers to yet."""
        number = self._state.next_number
        keep_as = None
        if not self._state.is_alias:
            # Its own name becomes an alias.
            keep_as, number = self._state.version(number), number + 1
        name = self._state.version(number)
        settings = dict(self._target.settings)
        alias = f"{name}-copy-{uuid.uuid4().hex[:8]}"
        note = {
            "from": self._source.name,
            "keep_as": keep_as,
            "alias": alias,
            "refresh_interval": settings.get("index.refresh_interval"),
        }
        settings["index.refresh_interval"] = _NO_REFRESH
        meta = {**(self._target.mapping.get("_meta") or {}), MIGRATION: note}
        mapping = {**self._target.mapping, "_meta": meta}
        self._client.create(name, mapping, settings, [alias])
        return Index(name, mapping, settings, {}, {alias: {}})

    def _fill(self, filled: Index, note: dict[str, Any]) -> Copied:
        source = self._source.name
        if note.get("last_changes") is None:
            if self._source.replaced_by is None:
                put_note(self._client, self._source, {"to": filled.name, "was_blocked": self._source.refuses_writes})
            # Returns after every earlier write has succeeded or was refused.
            self._client.request("PUT", f"/{quote(source, safe='')}/_block/write")
            note["last_changes"] = self._client.last_changes(source)
            put_note(self._client, filled, note)
        self._client.refresh(source)
        total = self._client.count(source)
        copied = copy_documents(
            self._client, self._source, note["alias"], total, self._target.removed, self._leaves_out, self._progress
        )
        self._client.refresh(filled.name)
        there = self._client.count(filled.name)
        if self._client.last_changes(source) != note["last_changes"]:
            raise CopyInterrupted(f"{source} was written to although it was blocked; copy it again.")
        if there + len(copied.left_out) != total:
            raise CopyInterrupted(
                f"{source} has {total} documents, and its copy {filled.name} has {there}; the copy is not used. Run it "
                "again to go on with it, or roll it back."
            )
        refresh = note["refresh_interval"]
        self._client.put_settings(filled.name, {"index.refresh_interval": refresh})
        return copied

    def _swap(self, filled: Index) -> str | None:
        """Switch the name to the new index; return the present name of the old one."""
        note = filled.migration or {}
        source, name = self._source, self._state.name
        actions: list[dict[str, Any]] = [{"remove": {"index": filled.name, "alias": note["alias"], "must_exist": True}}]
        old = source.name
        if self._state.is_alias:
            # Fails if another run was faster.
            actions += [
                {"remove": {"index": source.name, "alias": alias, "must_exist": True}} for alias in source.aliases
            ]
        else:
            old = self._kept_as(note["keep_as"])
            actions.append({"remove_index": {"index": source.name}})
        aliases = {**source.aliases, name: source.aliases.get(name, {})}
        actions += [{"add": {"index": filled.name, "alias": alias, **said}} for alias, said in aliases.items()]
        self._client.change_aliases(actions)
        return old

    def _kept_as(self, name: str) -> str:
        """The old index under the name of a version, since its own becomes an alias. It costs no space."""
        made = self._client.found(f"/{quote(name, safe='')}/_settings?flat_settings=true")
        if made is not None:
            resized_from = made[name]["settings"].get("index.resize.source.name")
            if resized_from != self._source.name:
                raise SearchError(f"There is an index {name}, which would be the name of the old {self._source.name}.")
            self._client.delete(name)
        path = f"/{quote(self._source.name, safe='')}/_clone/{quote(name, safe='')}"
        self._client.request("PUT", f"{path}?wait_for_active_shards=1&timeout={_CLONE_TIMEOUT}", {}, repeatable=False)
        self._client.request("GET", f"/_cluster/health/{quote(name, safe='')}?wait_for_status=yellow&timeout=60s")
        if self._client.count(name) != self._client.count(self._source.name):
            raise CopyInterrupted(f"{name}, which was to keep the old {self._source.name}, is not complete yet.")
        return name


def finish(client: SearchClient, index: Index) -> None:
    """Remove the note from an index that is in service."""
    put_note(client, index, None)


def roll_back(client: SearchClient, state: State) -> bool:
    """Undo an unfinished copy: delete it, and let the old index accept writes again.

    Returns whether there was one. Raises RestError.
    """
    if state.unfinished is not None:
        _discard(client, state.unfinished)
    index = state.index
    if index is not None and index.replaced_by is not None:
        # Only now: no run can switch the name to the copy any more.
        if not (index.migration or {}).get("was_blocked"):
            client.put_settings(index.name, {"index.blocks.write": None})
        put_note(client, index, None)
        return True
    return state.unfinished is not None


def put_note(client: SearchClient, index: Index, note: Mapping[str, Any] | None) -> None:
    """Write the note about a copy into the mapping of an index, or remove it."""
    meta = {key: value for key, value in index.meta.items() if key != MIGRATION}
    client.put_mapping(index.name, {"_meta": {**meta, MIGRATION: dict(note)} if note is not None else meta})


def _discard(client: SearchClient, left: Index) -> None:
    """Delete a copy. Raises RestError or SearchError if another run has put it into service."""
    alias = (left.migration or {}).get("alias")
    if alias in left.aliases:
        try:
            client.change_aliases([{"remove": {"index": left.name, "alias": alias, "must_exist": True}}])
        except NotFound as error:
            raise CopyInterrupted(f"Another run has just finished or removed the copy {left.name}.") from error
    client.delete(left.name)


# ---------------------------------------------------------------------- the copy


def copy_documents(
    client: SearchClient,
    source: Index,
    alias: str,
    total: int,
    removed: Iterable[str] = (),
    leaves_out: bool = False,
    progress: Progress | None = None,
) -> Copied:
    """Copy every missing document to the index of an alias; an earlier copy may have been interrupted at any point.

    They go through this process, because a server may lack the module of ``_reindex``.

    ``removed`` are paths of removed fields. With ``leaves_out`` they are removed from documents too, and a document that
    still cannot be stored is left out; without it DocumentsDoNotFit is raised, which names some of them.
    """
    copied = Copied()
    paths = [path.split(".") for path in removed] if leaves_out else []
    done = 0
    for hits in client.documents(source.name, source.shards):
        operations = [_operation(source, hit, paths) for hit in hits]
        for hit, result in zip(hits, client.bulk(alias, operations)):
            if result["status"] in (_CREATED, _THERE_ALREADY):
                copied.documents += 1
            elif result["status"] == 400:  # about this document: a full or blocked server says 403 or 429
                copied.left_out.append((hit["_id"], _reason(result)))
            else:
                raise SearchError(f"The document {hit['_id']} cannot be written to {alias}: {_reason(result)}.")
        if copied.left_out and not leaves_out and len(copied.left_out) >= NAMED_AT_MOST:
            break
        done += len(hits)
        if progress is not None:
            progress(done, total)
    if copied.left_out and not leaves_out:
        raise _do_not_fit(source.name, copied)
    return copied


def _operation(source: Index, hit: Mapping[str, Any], paths: list[list[str]]) -> tuple[dict[str, Any], Any]:
    document = hit.get("_source")
    if document is None:
        raise SearchError(f"{source.name} keeps no _source, so its documents cannot be copied.")
    for path in paths:
        _remove(document, path)
    create = {"_id": hit["_id"]}
    if "_routing" in hit:
        create["routing"] = hit["_routing"]
    return {"create": create}, document


def _remove(document: Any, path: list[str]) -> None:
    if isinstance(document, list):
        for element in document:
            _remove(element, path)
    elif isinstance(document, dict):
        # A name may have its dots in one key.
        for length in range(1, len(path) + 1):
            key = ".".join(path[:length])
            if key in document:
                if length == len(path):
                    del document[key]
                else:
                    _remove(document[key], path[length:])


def _reason(result: Mapping[str, Any]) -> str:
    error = result.get("error") or {}
    cause = error.get("caused_by") or {}
    parts = [str(part) for part in (error.get("reason"), cause.get("reason")) if part]
    return ": ".join(parts).rstrip(".") or f"status {result['status']}"


def _do_not_fit(index: str, copied: Copied) -> DocumentsDoNotFit:
    first_id, reason = copied.left_out[0]
    count = len(copied.left_out)
    some = "At least one document" if count == 1 else f"At least {count} documents"
    return DocumentsDoNotFit(
        f"{some} of {index} cannot be stored with the new mapping, the first is {first_id}: {reason}. Everything is as "
        "it was. Change them, or the mapping, or accept their loss with erase.",
        values={"do_not_fit": [{"id": name, "reason": why} for name, why in copied.left_out]},
    )
