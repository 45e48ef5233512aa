# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Mappings compared field by field: what would be added, what can be changed in place, and what needs a new index.

A server returns a mapping in another form than it was given: booleans and numbers have types of their own, keys with dots have
become objects, and defaults are left out. None of that is a difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Mapped = Mapping[str, Any]

#: Parameters of fields that a server changes in an index that has documents.
CHANGED_IN_PLACE = frozenset(
    {"boost", "coerce", "copy_to", "depth_limit", "dynamic", "eager_global_ordinals", "fielddata", "ignore_above"}
    | {"ignore_malformed", "meta", "search_analyzer", "search_quote_analyzer", "split_queries_on_whitespace"}
)

#: What is said about a whole mapping, beside its fields, and can be changed in place.
ROOT_CHANGED_IN_PLACE = frozenset(
    {"_meta", "date_detection", "dynamic", "dynamic_date_formats", "dynamic_templates", "numeric_detection", "runtime"}
)

_NO_LIMIT = 2147483647
_DEFAULTS: Mapped = {
    "boost": 1,
    "coerce": True,
    "copy_to": [],
    "depth_limit": 20,
    "doc_values": True,
    "eager_global_ordinals": False,
    "enabled": True,
    "fielddata": False,
    "ignore_above": _NO_LIMIT,
    "ignore_malformed": False,
    "include_in_parent": False,
    "include_in_root": False,
    "index": True,
    "index_phrases": False,
    "meta": {},
    "position_increment_gap": 100,
    "similarity": "BM25",
    "split_queries_on_whitespace": False,
    "store": False,
    "subobjects": True,
    "term_vector": "no",
}
_DEFAULTS_OF_TYPE: Mapping[str, Mapped] = {
    "date": {"format": "strict_date_optional_time||epoch_millis"},
    "date_nanos": {"format": "strict_date_optional_time_nanos||epoch_millis"},
    "flattened": {"index_options": "docs"},
    "keyword": {"index_options": "docs", "norms": False},
    "text": {"analyzer": "default", "index_options": "positions", "norms": True},
}
#: Parameters that say nothing about documents that are there: in an object, silence leaves them as they are.
_SILENCE_KEEPS = frozenset({"dynamic"})


@dataclass(frozen=True)
class Difference:
    """One field, or one setting of a whole mapping, that differs from the desired state.

    ``what`` is ``added``, ``changed`` (in place), ``conflict`` (a new index is needed) or ``extra`` (it exists, and
    is not desired). ``before`` and ``after`` are None where it does not exist.
    """

    path: str
    what: str
    before: Any
    after: Any

    def sentence(self) -> str:
        """The difference, for people."""
        if self.what == "added":
            return f"{self.path} would be added as {described(self.after)}"
        if self.what == "extra":
            return f"{self.path} is an extra field"
        place = "in place" if self.what == "changed" else "only with a copy into a new index"
        return f"{self.path} would change from {described(self.before)} to {described(self.after)}, {place}"


def described(value: Any) -> str:
    """A field in a few words: ``keyword, ignore_above 256``."""
    if not isinstance(value, Mapping):
        return str(value)
    parts = [str(value["type"])] if "type" in value else []
    parts += [f"{key} {worded(said)}" for key, said in sorted(value.items()) if key != "type"]
    return ", ".join(parts) or "nothing"


def worded(value: Any) -> str:
    """A single value as a server writes it: ``true``."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def plain(value: Any) -> Any:
    """A value without what depends on how it was written: ``"true"`` is True, ``"5"`` is 5."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, str):
        return _from_text(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _from_text(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text) if text == str(int(text)) else text
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if str(number) == text else text


def nested(properties: Mapped) -> dict[str, Any]:
    """Fields with each dot in a name as an object, as a server keeps them."""
    tree: dict[str, Any] = {}
    for name, field in properties.items():
        keys = str(name).split(".")
        place = tree
        for key in keys[:-1]:
            place = place.setdefault(key, {}).setdefault("properties", {})
        known = place.setdefault(keys[-1], {})
        inner = nested(field.get("properties") or {})
        known.update({key: value for key, value in field.items() if key != "properties"})
        if inner:
            _merge_fields(known.setdefault("properties", {}), inner)
    return tree


def _merge_fields(into: dict[str, Any], fields: Mapped) -> None:
    for name, field in fields.items():
        if name in into and "properties" in field:
            _merge_fields(into[name].setdefault("properties", {}), field["properties"])
            into[name].update({key: value for key, value in field.items() if key != "properties"})
        else:
            into[name] = field


def flat(mapping: Mapped) -> dict[str, dict[str, Any]]:
    """Every field of a mapping by its path, with what is said about it beyond the defaults.

    A field below ``fields`` has a path too: ``name.raw``.
    """
    return dict(_walk("", nested(mapping.get("properties") or {})))


def _walk(prefix: str, properties: Mapped) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in properties.items():
        path = prefix + name
        yield path, _parameters(field)
        yield from _walk(path + ".", field.get("properties") or {})
        yield from _walk(path + ".", field.get("fields") or {})


def _parameters(field: Mapped) -> dict[str, Any]:
    said = plain({key: value for key, value in field.items() if key not in ("properties", "fields")})
    said.setdefault("type", "object")
    defaults = {**_DEFAULTS, **_DEFAULTS_OF_TYPE.get(str(said["type"]), {})}
    if isinstance(said.get("copy_to"), str):
        said["copy_to"] = [said["copy_to"]]
    return {key: value for key, value in said.items() if key not in defaults or defaults[key] != value}


def differences(wanted: Mapped, existing: Mapped) -> list[Difference]:
    """How an existing mapping differs from the wanted one, in the order of the fields.

    What is extra in it is listed, and is no reason to change anything.
    """
    found = list(_root_differences(wanted, existing))
    new, old = flat(wanted), flat(existing)
    for path, after in new.items():
        if path not in old:
            found.append(Difference(path, "added", None, after))
        elif _changed_keys(old[path], after):
            found.append(Difference(path, _kind_of_change(old[path], after), old[path], after))
    found += [Difference(path, "extra", before, None) for path, before in old.items() if path not in new]
    return found


def _root_differences(wanted: Mapped, existing: Mapped) -> Iterator[Difference]:
    for key, value in wanted.items():
        if key == "properties":
            continue
        after, before = plain(value), plain(existing.get(key))
        if key == "_meta" and isinstance(after, Mapping) and isinstance(before, Mapping):
            # Others may keep notes there too.
            before = {name: before[name] for name in after if name in before}
        if before is None and _ROOT_DEFAULTS.get(key) == after:
            continue
        if after != before:
            what = ("changed" if before is not None else "added") if key in ROOT_CHANGED_IN_PLACE else "conflict"
            yield Difference(f"({key})", what, before, after)


_ROOT_DEFAULTS: Mapped = {
    "_routing": {"required": False},
    "_source": {"enabled": True},
    "date_detection": True,
    "dynamic": True,
    "dynamic_templates": [],
    "numeric_detection": False,
    "runtime": {},
    "_meta": {},
}


def _changed_keys(before: Mapped, after: Mapped) -> set[str]:
    changed = {key for key in (*before, *after) if before.get(key) != after.get(key)}
    return {key for key in changed if key in after or key not in _SILENCE_KEEPS}


def _kind_of_change(before: Mapped, after: Mapped) -> str:
    changed = _changed_keys(before, after)
    if changed == {"norms"} and after.get("norms") is False:
        return "changed"
    return "changed" if changed <= CHANGED_IN_PLACE else "conflict"


def completed(wanted: Mapped, existing: Mapped, kept: Mapped) -> dict[str, Any]:
    """The wanted mapping with what an existing one has besides: what it says as a whole, and the fields in ``kept``.

    ``kept`` has paths as keys, as ``differences`` gives them for extra fields.
    """
    mapping = {key: value for key, value in existing.items() if key != "properties"}
    mapping.update({key: value for key, value in wanted.items() if key != "properties"})
    if isinstance(existing.get("_meta"), Mapping) or isinstance(wanted.get("_meta"), Mapping):
        mapping["_meta"] = {**(existing.get("_meta") or {}), **(wanted.get("_meta") or {})}
    fields = nested(wanted.get("properties") or {})
    _complete(fields, nested(existing.get("properties") or {}), kept, "")
    if fields:
        mapping["properties"] = fields
    return mapping


def _complete(fields: dict[str, Any], existing: Mapped, kept: Mapped, prefix: str) -> None:
    for name, field in existing.items():
        path = prefix + name
        if name not in fields:
            if path in kept:
                fields[name] = field
            continue
        for inner in ("properties", "fields"):
            if inner in field:
                below = dict(fields[name].get(inner) or {})
                _complete(below, field[inner], kept, path + ".")
                if below:
                    fields[name] = {**fields[name], inner: below}


def removable(wanted: Mapped, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Of extra fields, those that nothing brings back: where documents may add fields, they do."""
    fields = nested(wanted.get("properties") or {})
    return {path: field for path, field in extra.items() if _dynamic_at(wanted, fields, path) in ("strict", False)}


def _dynamic_at(wanted: Mapped, fields: Mapped, path: str) -> Any:
    """What the wanted mapping says about new fields at the place of a path."""
    dynamic = plain(wanted.get("dynamic", True))
    for key in path.split(".")[:-1]:
        field = fields.get(key)
        if field is None:
            break
        if "fields" in field:
            # Nothing in a document can add a field below a field.
            return False
        dynamic = plain(field.get("dynamic", dynamic))
        fields = field.get("properties") or {}
    return dynamic
