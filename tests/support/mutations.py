# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What somebody does to a container who can write to it and has no key, at random: files by their paths become others."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.manifest import digest, with_digest
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.public_manifest import parse_public
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.trees import TreeHash
from ansible_collections.freezer.backup.tests.support.sets import attempt

#: The files of a container by their paths below it.
State = dict[str, bytes]
#: It changes a state, and says what it has done.
Mutation = Callable[[State, random.Random, list[State]], str]

#: Values that a document may have in place of others.
ODD = [
    None, True, 0, -1, 1, 1 << 62, 1 << 64, 1e308, "", "x", "..", "/etc/passwd", "../../x", "\0", "\udcff", "a" * 5000, [], {}, [[]],
    {"a": {}}, "00000000000000000000000000000000", "17_0", 0.5,
]  # fmt: skip


def read(folder: Path) -> State:
    """The files below a folder, those of locks left out."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def write(folder: Path, state: State) -> None:
    """Make the files below a folder these, and no others."""
    for path in sorted(folder.rglob("*"), reverse=True):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() and not path.is_symlink():
            if not any(one.startswith(f"{name}/") for one in state):
                for left in path.iterdir():
                    left.unlink()
                path.rmdir()
        elif name not in state and path.name != ".lock":
            path.unlink()
    for name, content in state.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def backups(state: State) -> list[str]:
    """The folders of all backups."""
    return sorted({name.rpartition("/")[0] for name in state if name.endswith("/manifest.json")})


def _whole(state: State) -> list[str]:
    """Those whose manifest can be read."""
    return [
        folder
        for folder in backups(state)
        if attempt(parse_public, state[f"{folder}/manifest.json"], folder)[1] is None  # type: ignore[arg-type]
    ]


def refit(state: State, folder: str, change: Callable[[dict[str, Any]], None] = lambda _document: None) -> None:
    """Make the hashes of a manifest those of what is stored, its own included; the signature stays as it is."""
    document = json.loads(state[f"{folder}/manifest.json"])
    leaves = b""
    for entry in document["objects"]:
        tree = TreeHash()
        tree.update(state.get(f"{folder}/{entry['name']}", b""))
        entry["bytes"], entry["tree"] = len(state.get(f"{folder}/{entry['name']}", b"")), tree.hexdigest()
        leaves += tree.leaves()
    state[f"{folder}/leaves"] = leaves
    change(document)
    heads = {key: document.pop(key) for key in ("format", "format_version") if key in document}
    document.pop("self_sha256", None)
    state[f"{folder}/manifest.json"] = with_digest(heads, document)


def put_odd_value(document: Any, choose: random.Random) -> str:
    """Put an odd value into a document, take one out, or add one."""
    places: list[tuple[Any, Any]] = []

    def look(value: Any) -> None:
        for name in value if isinstance(value, dict) else range(len(value)):
            places.append((value, name))
            if isinstance(value[name], (dict, list)):
                look(value[name])

    look(document)
    inside, name = choose.choice(places)
    how = choose.randrange(5)
    if how == 0:
        del inside[name]
    elif how == 1 and isinstance(inside, dict):
        inside["more"] = choose.choice(ODD)
    else:
        inside[name] = choose.choice(ODD)
    return f"{name} {('gone', 'more')[how] if how < 2 else 'other'}"


#: What tar gets comes from these.
_STREAMS = ("/data.", "/blocks.")


def _some(state: State, choose: random.Random, most: int = 1) -> list[str]:
    names = sorted(name for name in state if state[name])
    streams = [name for name in names if any(part in name for part in _STREAMS)]
    return choose.sample(streams if len(streams) >= most and choose.random() < 0.4 else names, most)


def _flip(state: State, choose: random.Random, _earlier: list[State]) -> str:
    (name,) = _some(state, choose)
    content = bytearray(state[name])
    for _bit in range(choose.choice([1, 1, 1, 2, 9])):
        # Half of them near the beginning, where headers are.
        place = choose.randrange(min(len(content), choose.choice([200, len(content)])))
        content[place] ^= 1 << choose.randrange(8)
    state[name] = bytes(content)
    return f"bits of {name}"


def _cut(state: State, choose: random.Random, _earlier: list[State]) -> str:
    (name,) = _some(state, choose)
    state[name] = state[name][: choose.randrange(len(state[name]))]
    return f"{name} cut to {len(state[name])}"


def _add(state: State, choose: random.Random, _earlier: list[State]) -> str:
    (name,) = _some(state, choose)
    state[name] += choose.choice([b"\0", b"\n", choose.randbytes(100), state[name]])
    return f"more at the end of {name}"


def _overwrite(state: State, choose: random.Random, _earlier: list[State]) -> str:
    """A piece of one object in another, or of the same elsewhere."""
    name, other = choose.choice([_some(state, choose, 2), _some(state, choose) * 2])
    begin = choose.randrange(len(state[other]))
    piece = state[other][begin : begin + choose.choice([1, 16, 64, 512, 70_000])]
    place = choose.randrange(len(state[name]) + 1)
    over = choose.choice([0, len(piece)])
    state[name] = state[name][:place] + piece + state[name][place + over :]
    return f"{len(piece)} bytes of {other} at {place} in {name}"


def _remove(state: State, choose: random.Random, _earlier: list[State]) -> str:
    (name,) = _some(state, choose)
    del state[name]
    return f"{name} gone"


def _alike(state: State, choose: random.Random) -> list[str]:
    """Two objects of one kind in two places."""
    (name,) = _some(state, choose)
    kind = name.rpartition("/")[2].split(".")[0]
    others = sorted(one for one in state if one != name and one.rpartition("/")[2].split(".")[0] == kind)
    return [name, choose.choice(others or sorted(state))]


def _swap(state: State, choose: random.Random, _earlier: list[State]) -> str:
    name, other = choose.choice([_alike(state, choose), _some(state, choose, 2)])
    state[name], state[other] = state[other], state[name]
    return f"{name} and {other} swapped"


def _take(state: State, choose: random.Random, _earlier: list[State]) -> str:
    name, other = choose.choice([_alike(state, choose), _some(state, choose, 2)])
    state[name] = state[other]
    return f"{other} in place of {name}"


def _take_folder(state: State, choose: random.Random, _earlier: list[State]) -> str:
    """A backup in the place of another one, or under a new name, whole or without its leaves and signature."""
    folder, place = choose.choice(backups(state)), choose.choice(backups(state))
    if choose.random() < 0.5:
        when, level = place.rpartition("/")[2].split("_")
        name = f"{int(when) + choose.choice([-1, 1, 10**6])}_{choose.choice([level, '0', str(int(level) + 1)])}"
        place = f"{place.rpartition('/')[0]}/{name}"
    content = {name: state[name] for name in state if name.startswith(f"{folder}/")}
    for name in [name for name in state if name.startswith(f"{place}/")]:
        del state[name]
    for name, stored in content.items():
        state[f"{place}/{name.rpartition('/')[2]}"] = stored
    return f"{folder} as {place}"


def _remove_folder(state: State, choose: random.Random, _earlier: list[State]) -> str:
    folder = choose.choice(backups(state))
    for name in [name for name in state if name.startswith(f"{folder}/")]:
        del state[name]
    return f"{folder} gone"


def _roll_back(state: State, choose: random.Random, earlier: list[State]) -> str:
    """The container, or files of it, as they were before."""
    number = choose.randrange(len(earlier))
    if choose.random() < 0.5:
        state.clear()
        state.update(earlier[number])
        return f"the container as it was after {number + 1} backups"
    taken = [name for name in earlier[number] if choose.random() < 0.3]
    for name in taken:
        state[name] = earlier[number][name]
    gone = [name for name in state if name not in earlier[number] and choose.random() < 0.3]
    for name in gone:
        del state[name]
    return f"{', '.join(gone) or 'nothing'} gone, as after {number + 1} backups"


def _other_manifest(state: State, choose: random.Random, _earlier: list[State]) -> str:
    folder = choose.choice(_whole(state))
    said: list[str] = []
    refit(state, folder, lambda document: said.append(put_odd_value(document, choose)))
    return f"a manifest of {folder} that is whole by itself: {said}"


def _fitting(state: State, choose: random.Random, earlier: list[State]) -> str:
    """Another change, and a manifest that fits it, in all levels."""
    before = dict(state)
    said = choose.choice([_flip, _cut, _add, _overwrite, _swap, _take])(state, choose, earlier)
    for folder in _whole(state):
        if any(before.get(name) != content for name, content in state.items() if name.startswith(f"{folder}/")):
            refit(state, folder)
    return f"{said}, and the manifest fits"


def _head_of_age(state: State, choose: random.Random, _earlier: list[State]) -> str:
    """Lines of the header of a sealed object: exchanged, doubled, left out, of another object, or with other words."""
    sealed = sorted(name for name in state if state[name].startswith(b"age-encryption.org/"))
    if not sealed:
        return _flip(state, choose, _earlier)
    name, other = choose.choice(sealed), choose.choice(sealed)
    head, mark, body = state[name].partition(b"\n---")
    lines, others = head.split(b"\n"), state[other].partition(b"\n---")[0].split(b"\n")
    how, place = choose.randrange(7), choose.randrange(1, len(lines))
    if how == 0:
        del lines[place]
    elif how == 1:
        lines[place:place] = choose.choice(
            [lines[1:], others[1:], others[1:] * 40, [b"-> x y", b""], [b""], [b"-> scrypt AAAA 30", b"AA"]]
        )
    elif how == 2:
        lines[1:] = others[1:]
    elif how == 3:
        lines[place] = choose.choice(
            [lines[place] + b" ", lines[place] + b"=", lines[place][:-1], lines[place].lower(), b"-> " + b"A" * 70_000]
        )
    elif how == 4:
        lines[0] = choose.choice([b"age-encryption.org/v2", b"age-encryption.org/v1 ", b"", b"age-encryption.org/v1\r"])
    elif how == 5:
        mark = choose.choice([b"\n--", b"\n---\n", b"\n--- " + b"A" * 43, b""])
    else:
        body = state[other].partition(b"\n---")[2]
    state[name] = b"\n".join(lines) + mark + body
    return f"the header of {name} ({how})"


def _signature(state: State, choose: random.Random, _earlier: list[State]) -> str:
    name = choose.choice([f"{folder}/manifest.json.sig" for folder in backups(state)])
    state[name] = choose.choice(
        [
            b"", b"hmac-sha256 ", b"hmac-sha256 pbkdf2-sha256 1 %b %b\n" % (b"0" * 32, b"0" * 64),
            b"-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n", choose.randbytes(300), b"A" * 300_000,
            state.get(name, b"").replace(b"\n", b"\r\n"), state.get(name, b"") * 2,
        ]
    )  # fmt: skip
    return f"another {name}"


MUTATIONS: list[Mutation] = [
    _flip, _flip, _flip, _cut, _add, _overwrite, _overwrite, _remove, _swap, _take, _take_folder, _remove_folder, _roll_back, _roll_back,
    _other_manifest, _other_manifest, _fitting, _fitting, _head_of_age, _head_of_age, _signature,
]  # fmt: skip


def mutated(state: State, choose: random.Random, earlier: list[State]) -> tuple[State, str]:
    """A state after one to three mutations, and what they were. `earlier` are states that the container had before."""
    state, said = dict(state), []
    for _mutation in range(choose.choice([1, 1, 1, 1, 2, 3])):
        if _whole(state):
            said.append(choose.choice(MUTATIONS)(state, choose, earlier))
    return state, "; ".join(said)


def changed_and_fitting(state: State, choose: random.Random, *chain: str) -> tuple[State, str]:
    """Objects of a chain changed as they are stored, and all manifests made to fit them and each other."""
    state, before = dict(state), state
    objects = {name: state[name] for name in state if name.startswith(chain) and "/manifest.json" not in name}
    said = choose.choice([_flip, _flip, _cut, _add, _overwrite, _overwrite, _swap, _take, _head_of_age, _head_of_age])(
        objects, choose, []
    )
    state.update(objects)
    parent = None
    for folder in chain:
        if parent is not None:
            fits = digest(state[f"{parent}/manifest.json"])
            refit(state, folder, lambda document, fits=fits: document["parent"].update(manifest_sha256=fits))  # type: ignore[misc]
        elif any(before[name] != state[name] for name in objects if name.startswith(folder)):
            refit(state, folder)
        parent = folder
    return state, said
