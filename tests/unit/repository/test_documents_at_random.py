# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Manifest, details and what a host remembers of a set, at random: what is written is read back, all else has one error."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.media.known_sets import (
    KnownLevel,
    KnownSet,
    KnownSets,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository import shape
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.details import Details, parse_details
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import DamagedArchive
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.manifest import Parent, with_digest
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.public_manifest import (
    PACKED_SUFFIXES,
    SEALED_SUFFIXES,
    PublicManifest,
    SealedWith,
    parse_public,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.verified import (
    MOST_OBJECT_BYTES,
    StoredTree,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.errors import StorageError
from ansible_collections.freezer.backup.tests.support.sets import attempt
from ansible_collections.freezer.backup.tests.support.soak import SOAK, rounds

pytestmark = pytest.mark.rounds
quick = settings(
    max_examples=rounds(20),
    deadline=None,
    derandomize=not SOAK,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

digits = st.text("0123456789abcdef", min_size=64, max_size=64)
ids = st.text("0123456789abcdef", min_size=32, max_size=32)
#: As file names come from a host: any text, and bytes that are no UTF-8.
characters = st.characters(exclude_categories=["Cs"]) | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)
names = st.text(characters.filter(lambda one: one not in "/\0\n"), min_size=1, max_size=120).filter(
    lambda name: name[0] != "."
)
paths = st.text(characters.filter(lambda one: one != "\0"), max_size=60)
sizes = st.integers(0, shape.MOST_BYTES)
stored_sizes = st.integers(0, MOST_OBJECT_BYTES)
seconds = st.floats(0, shape.LATEST_SECONDS) | st.integers(0, shape.LATEST_SECONDS)
facts = st.none() | st.dictionaries(
    st.text(string.ascii_lowercase, max_size=9), st.none() | sizes | st.booleans() | paths | st.lists(paths, max_size=2)
)


@st.composite
def manifests(draw: st.DrawFn) -> PublicManifest:
    level, timestamp = draw(st.integers(0, 99)), draw(st.integers(1, shape.LATEST_SECONDS))
    parent = None
    if level:
        above = draw(st.integers(0, min(timestamp - 1, 10**12 - 1)))
        parent = Parent(f"{above}_{level - 1}", draw(ids), draw(digits))
    method = draw(st.sampled_from([None, "age", "aes-256-cfb"]))
    packed, sealed = draw(st.sampled_from(list(PACKED_SUFFIXES.values()))), SEALED_SUFFIXES[method]
    stems = [f"{stem}.{number:06d}{packed}" for stem in ("data", "blocks") for number in range(draw(st.integers(0, 3)))]
    stems += [f"catalogue{packed}", *([f"maps{packed}"] if draw(st.booleans()) else []), f"snar{packed}"]
    objects = [
        StoredTree(f"{stem}{sealed}", draw(stored_sizes), draw(digits)) for stem in (*stems, "frames", "details.json")
    ]
    return PublicManifest(
        draw(ids),
        draw(names),
        draw(names),
        timestamp,
        level,
        parent,
        draw(st.sampled_from(["success", "partial"])),
        draw(seconds),
        draw(seconds),
        None if method is None else SealedWith(method, draw(ids) if method == "age" else None),
        tuple(objects),
    )


details = st.builds(
    Details,
    backup_id=ids,
    path=paths,
    real_path=paths,
    single_file=st.none() | names,
    selection=st.fixed_dictionaries(
        {
            "exclude": st.lists(paths, max_size=3),
            "dereference": st.sampled_from(["none", "soft", "hard", "all"]),
            "one_file_system": st.booleans(),
        }
    ),
    codec=st.sampled_from(list(PACKED_SUFFIXES)),
    codec_level=st.integers(-7, 22),
    stream_bytes=sizes,
    block_stream_bytes=sizes,
    frame_bytes=st.just(1 << 20),
    block_bytes=st.just(1 << 20),
    block_hash=st.sampled_from(["sha256", "blake3"]),
    source_bytes=sizes,
    counts=st.dictionaries(st.text(string.ascii_lowercase, max_size=9), sizes, max_size=4),
    tar=st.fixed_dictionaries({"version": paths, "exit_status": st.integers(0, 1)}),
    host=st.fixed_dictionaries({"system": paths, "release": paths, "python": paths}),
    consistency=st.sampled_from(["crash", "fs", "app"]),
    snapshot=facts,
    hold=facts,
    unreadable=st.lists(st.fixed_dictionaries({"path": paths, "message": paths}), max_size=2),
    warnings=st.lists(st.fixed_dictionaries({"path": paths, "message": paths, "kind": paths}), max_size=2),
)
#: As stat(2) has them: an inode has 64 bits, and a time may be before 1970.
pass_files = st.tuples(
    st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1), st.integers(-(1 << 62), 1 << 62), sizes
).map(list)
known_sets = st.builds(
    KnownSet,
    recipient=st.none() | st.text(string.ascii_lowercase + string.digits, min_size=58, max_size=58).map("age1{}".format),
    forms=st.dictionaries(st.sampled_from(["passphrase.age", "recipients.age"]), digits),
    recipients=st.none() | st.lists(st.text(string.printable, max_size=80), max_size=3),
    pass_file=st.none() | pass_files,
    levels=st.lists(
        st.builds(
            KnownLevel,
            st.tuples(st.integers(0, 10**12 - 1), st.integers(0, 10**6 - 1)).map("{0[0]}_{0[1]}".format),
            digits,
            st.dictionaries(st.text(string.ascii_letters + string.digits + "+/", min_size=43, max_size=43), ids, max_size=3),
        ),
        max_size=4,
    ),
)  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@quick
@given(manifests())
def test_any_manifest_is_read_as_it_was_written(manifest):
    assert parse_public(manifest.to_bytes(), "it") == manifest


@quick
@given(details)
def test_any_details_are_read_as_they_were_written(one):
    assert parse_details(one.to_bytes(), one.backup_id, "it") == one


@quick
@given(known_sets)
def test_whatever_a_host_remembers_of_a_set_it_knows_again(tmp_path_factory, known):
    sets = KnownSets(str(tmp_path_factory.getbasetemp()))
    sets.put("container", "host_\udcff", known)
    assert sets.get("container", "host_\udcff") == known


def _places(value, place=()):
    """The places of all values in a document."""
    yield place
    if isinstance(value, (dict, list)):
        for name in value if isinstance(value, dict) else range(len(value)):
            yield from _places(value[name], (*place, name))


@st.composite
def changed(draw, document):
    """A document in which some values are others, are gone, or are new."""
    document = json.loads(json.dumps(document))
    for _change in range(draw(st.integers(1, 2))):
        *above, name = draw(st.sampled_from([place for place in _places(document) if place]))
        inside = document
        for step in above:
            inside = inside[step]
        how = draw(st.sampled_from(["other", "gone", "new"]))
        if how == "other":
            inside[name] = draw(values)
        elif how == "gone":
            del inside[name]
        elif isinstance(inside, dict):
            inside[draw(st.text(max_size=5))] = draw(values)
        else:
            inside.append(draw(values))
    return document


@quick
@given(st.data())
def test_a_manifest_with_other_values_is_one_that_would_be_written_so_or_is_refused(data):
    written = json.loads(data.draw(manifests()).to_bytes())
    document = data.draw(changed(written))
    heads = {key: document.pop(key) for key in ("format", "format_version") if key in document}
    document.pop("self_sha256", None)
    found, problem = attempt(parse_public, with_digest(heads, document), "it")
    if problem is None:
        assert parse_public(found.to_bytes(), "it") == found
    else:
        assert isinstance(problem, DamagedArchive)
        assert re.fullmatch(r"it is not .*\.", str(problem), re.DOTALL)


@quick
@given(st.data())
def test_details_with_other_values_are_such_that_would_be_written_or_are_refused(data):
    written = data.draw(details)
    document = data.draw(changed(json.loads(written.to_bytes())))
    found, problem = attempt(parse_details, json.dumps(document).encode(), written.backup_id, "it")
    if problem is None:
        assert parse_details(found.to_bytes(), found.backup_id, "it") == found
    else:
        assert isinstance(problem, DamagedArchive)
        assert re.fullmatch(r"it has .*\.", str(problem), re.DOTALL)


@quick
@given(st.data())
def test_what_a_host_remembers_with_other_values_is_known_or_refused_with_the_file(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp() / "remembered"
    sets = KnownSets(str(folder))
    sets.put("container", "set", data.draw(known_sets))
    file = next(path for path in Path(folder, "sets").glob("*.json") if b'"set": "set"' in path.read_bytes())
    document = data.draw(changed(json.loads(file.read_bytes())))
    file.write_text(json.dumps(document))
    found, problem = attempt(sets.get, "container", "set")
    if problem is None:
        sets.put("container", "again", found)
        assert sets.get("container", "again") == found
    else:
        assert isinstance(problem, StorageError)
        assert re.fullmatch(rf"{re.escape(str(file))} is not .* remove it\.", str(problem), re.DOTALL)


@quick
@given(
    st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-16", "surrogatepass"))
    | values.map(lambda value: json.dumps(value).encode())
)  # fmt: skip
def test_any_bytes_are_refused_as_a_document_in_one_way(tmp_path_factory, stored):
    for parse in (lambda: parse_public(stored, "it"), lambda: parse_details(stored, "a" * 32, "it")):
        with pytest.raises(DamagedArchive):
            parse()
    sets = KnownSets(str(tmp_path_factory.getbasetemp() / "odd"))
    sets.put("container", "set", KnownSet())
    (file,) = (tmp_path_factory.getbasetemp() / "odd" / "sets").glob("*.json")
    file.write_bytes(stored)
    found, problem = attempt(sets.get, "container", "set")
    assert found is None  # an empty object is one of nothing
    assert isinstance(problem, StorageError) or json.loads(stored) == {}
