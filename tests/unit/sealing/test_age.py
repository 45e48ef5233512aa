# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Objects in the format of age: sealed in pieces, read as a whole and in part, refused where they are not what was written."""

from __future__ import annotations

import io
import os
import sys

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing import age, age_header, armor, chunks
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.errors import (
    Damaged,
    MissingLibrary,
    NoKeyFits,
    UnusableKey,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.identities import (
    ScryptIdentity,
    X25519Identity,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.passphrase import Passphrase
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.recipients import (
    Recipient,
    ScryptRecipient,
    recipient,
)

CHUNK = chunks.PLAIN_BYTES
SEALED = chunks.SEALED_BYTES
#: Around the borders of chunks, and of the batches in which they are sealed.
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 16 * CHUNK - 1, 16 * CHUNK, 16 * CHUNK + 1, 33 * CHUNK + 7]


class Grease(Recipient):
    """A stanza of a kind that no reader knows."""

    def wrap(self, file_key):
        return age_header.Stanza("something.example/new", ("x", "~!"), b"\0" * 100)


def plain_of(size):
    return (b"0123456789abcdef" * (size // 16 + 1))[:size]


def cut(data, size):
    return [data[at : at + size] for at in range(0, len(data), size)]


def check_end(stored, identity):
    age.Payload(stored, len(stored), [identity]).check_end(lambda first, after: stored[first:after])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("piece", [1000, CHUNK, 3 * CHUNK + 5, 1 << 30])
def test_what_is_sealed_in_pieces_of_any_size_is_read_in_pieces_of_any_size(identity, size, piece):
    plain = plain_of(size)
    stored = []
    with age.Sealer(stored.append, [identity.recipient]) as sealer:
        for part in cut(plain, piece):
            sealer.write(part)
    whole = b"".join(stored)
    assert (sealer.plain_bytes, sealer.stored_bytes) == (size, len(whole))
    assert age.stored_bytes(len(sealer.head), size) == len(whole)
    assert whole.startswith(sealer.head)
    assert b"".join(age.open_stream(io.BytesIO(whole), [identity])) == plain
    opened = age.open_stream(io.BytesIO(whole), [identity])
    assert b"".join(iter(lambda: opened.read(piece), b"")) == plain
    assert opened.read(5) == b""
    assert age.opened(whole, [identity]) == plain


@pytest.mark.parametrize("size", SIZES)
def test_any_range_is_read_from_its_own_chunks_only(identity, size):
    plain = plain_of(size)
    stored = age.sealed(plain, [identity.recipient])
    head = age.head_bytes(stored)
    payload = age.Payload(stored[:head], len(stored), [identity])
    assert payload.plain_bytes == size
    payload.check_end(lambda first, after: stored[first:after])
    asked = []

    def fetch(first, after):
        asked.append((first, after))
        return stored[first:after]

    edges = sorted(
        {
            place
            for place in (0, 1, 5, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, size // 2, size - 1, size)
            if 0 <= place <= size
        }
    )
    for begin in edges:
        for end in (place for place in edges if place >= begin):
            assert payload.read(fetch, begin, end) == plain[begin:end]
    for first, after in asked:
        assert (first - head) % SEALED == 0
        assert (after - head) % SEALED == 0 or after == len(stored)
    assert payload.stored_range(0, min(size, 1)) == (head, min(head + SEALED, len(stored)) if size else head)


def test_what_was_handed_on_stays_as_it_is(identity):
    """The receiver may keep what it gets, and send it later."""
    stored, copies = [], []
    with age.Sealer(lambda piece: (stored.append(piece), copies.append(bytes(piece))), [identity.recipient]) as sealer:
        for _time in range(5):
            sealer.write(os.urandom(20 * CHUNK))
    assert [bytes(piece) for piece in stored] == copies


def test_a_buffer_that_is_used_again_changes_nothing(identity):
    stored = []
    buffer = bytearray(b"a" * 100_000)
    with age.Sealer(stored.append, [identity.recipient]) as sealer:
        sealer.write(memoryview(buffer))
        buffer[:] = b"b" * 100_000
        sealer.write(buffer)
    assert age.opened(b"".join(stored), [identity]) == b"a" * 100_000 + b"b" * 100_000


def test_two_seals_of_the_same_have_nothing_in_common(identity):
    one, other = (age.sealed(b"the same", [identity.recipient]) for _time in range(2))
    assert age.head_bytes(one) == age.head_bytes(other)
    assert one[age.head_bytes(one) :] != other[age.head_bytes(other) :]
    assert one.splitlines()[1] != other.splitlines()[1]


def test_each_recipient_opens_it_and_no_other_key_does(identity):
    second, foreign = X25519Identity.generate(), X25519Identity.generate()
    stored = age.sealed(b"plain", [identity.recipient, Grease(), second.recipient])
    assert age.opened(stored, [foreign, identity]) == b"plain"
    assert age.opened(stored, [second]) == b"plain"
    with pytest.raises(
        NoKeyFits, match=r"^The manifest cannot be opened with the keys at hand. It is sealed for keys of age; give"
    ):
        age.opened(stored, [foreign], "The manifest")


def test_a_passphrase_opens_what_it_sealed():
    stored = age.sealed(b"secret half", [ScryptRecipient(Passphrase(b"six words"), work=4)])
    assert age.opened(stored, [ScryptIdentity(Passphrase(b"six words"))]) == b"secret half"
    with pytest.raises(NoKeyFits, match="sealed for a passphrase; give one"):
        age.opened(stored, [ScryptIdentity(Passphrase(b"six word"))])


def test_a_passphrase_stands_alone(identity):
    both = [identity.recipient, ScryptRecipient(Passphrase(b"six words"), work=4)]
    with pytest.raises(UnusableKey, match="cannot be combined with other recipients in one object"):
        age.sealed(b"", both)


def test_more_work_than_is_allowed_is_refused_before_it_is_done():
    stored = age.sealed(b"x", [ScryptRecipient(Passphrase(b"p"), work=12)])
    with pytest.raises(Damaged, match=r"asks for 2\^12 rounds of scrypt, and at most 2\^10 are done"):
        age.opened(stored, [ScryptIdentity(Passphrase(b"p"), most_work=10)])


@pytest.mark.parametrize("number", [0, 65])
def test_no_recipient_and_too_many_are_refused(identity, number):
    written = []
    with pytest.raises(UnusableKey, match=f"There (is no recipient|are {number} recipients)"):
        age.Sealer(written.append, [identity.recipient] * number)
    assert written == []


def test_as_many_recipients_as_there_may_be_are_read_again(identity, ssh_keys):
    stored = age.sealed(b"x", [recipient(ssh_keys["rsa"].line)] * 63 + [identity.recipient])
    assert age.opened(stored, [identity]) == b"x"


def test_an_object_that_is_cut_off_anywhere_is_refused(identity):
    stored = age.sealed(plain_of(2 * CHUNK + 10), [identity.recipient])
    head = age.head_bytes(stored)
    borders = {head + border + near for border in (0, 16, SEALED, 2 * SEALED) for near in (-1, 0, 1)}
    for length in sorted({*borders, 0, 1, 22, 50, head - 16, len(stored) - 1}):
        given = []
        with pytest.raises(
            Damaged, match="^The segment (is empty|ends before|is cut off|has a chunk|is not encrypted)"
        ):
            given.extend(age.open_stream(io.BytesIO(stored[:length]), [identity], "The segment"))
        assert plain_of(2 * CHUNK).startswith(b"".join(given))
        with pytest.raises(Damaged):
            age.opened(stored[:length], [identity])
        with pytest.raises(Damaged):
            check_end(stored[:length], identity)


def test_a_range_that_a_storage_cut_off_is_refused(identity):
    stored = age.sealed(plain_of(3 * CHUNK), [identity.recipient])
    payload = age.Payload(stored[:400], len(stored), [identity], "data.000001")
    with pytest.raises(Damaged, match="^data.000001 is cut off: 65551 of 65552 bytes at"):
        payload.read(lambda first, after: stored[first : after - 1], 0, 10)


def test_a_chunk_of_another_place_or_object_is_refused(identity):
    plain = plain_of(4 * CHUNK)
    stored, foreign = (age.sealed(plain, [identity.recipient]) for _time in range(2))
    head = age.head_bytes(stored)
    one, two = slice(head, head + SEALED), slice(head + SEALED, head + 2 * SEALED)
    swapped = stored[:head] + stored[two] + stored[one] + stored[two.stop :]
    exchanged = stored[:head] + foreign[one] + stored[one.stop :]
    twice = stored[: two.stop] + stored[one] + stored[two.stop :]
    left_out = stored[:head] + stored[two.start :]
    for changed in (swapped, exchanged, twice, left_out):
        with pytest.raises(Damaged, match=r"has a chunk \(number [02]\) that was changed, or that belongs elsewhere"):
            age.opened(changed, [identity])
    payload = age.Payload(stored, len(stored), [identity])
    with pytest.raises(Damaged, match=r"has a chunk \(number 0\)"):
        payload.read(lambda first, after: swapped[first:after], 0, 1)


def test_a_header_of_another_object_does_not_open_this_one(identity):
    one, other = (age.sealed(plain_of(10), [identity.recipient]) for _time in range(2))
    head = age.head_bytes(one)
    with pytest.raises(Damaged):
        age.opened(other[:head] + one[head:], [identity])


def test_a_recipient_that_was_added_to_a_header_is_noticed(identity):
    """Who can write the storage cannot see to it that the next reader's object has one more recipient."""
    stored = age.sealed(b"x", [identity.recipient])
    first, rest = stored.split(b"\n---", 1)
    with pytest.raises(Damaged, match="has a header that was changed after it was written"):
        age.opened(first + b"\n-> added\n\n---" + rest, [identity])


def test_an_endless_header_is_refused(identity):
    class Endless:
        def __init__(self):
            self.given = 0

        def read(self, size):
            self.given += size
            return (
                b"age-encryption.org/v1\n" + b"-> x\n" * (size // 5) if self.given == size else b"-> x\n" * (size // 5)
            )

    endless = Endless()
    with pytest.raises(Damaged, match="has a header that does not end within 65536 bytes"):
        age.open_stream(endless, [identity])
    assert endless.given < 80_000


def test_something_else_is_refused_by_name(identity):
    for start in (b"\x28\xb5\x2f\xfd" + bytes(100), b"Salted__", b"age-encryption.org/w", b""):
        with pytest.raises(Damaged, match=r"^The object is (not encrypted in the format of age|empty)"):
            age.open_stream(io.BytesIO(start), [identity])
    with pytest.raises(Damaged, match="of another version of the format of age"):
        age.open_stream(io.BytesIO(b"age-encryption.org/v2\n"), [identity])


def test_a_context_that_ends_with_an_error_makes_no_whole_object(identity):
    stored = []

    def write(piece):
        if len(stored) == 1:
            raise OSError("disk full")
        stored.append(piece)

    with pytest.raises(OSError, match="disk full"), age.Sealer(write, [identity.recipient]) as sealer:
        sealer.write(plain_of(3 * CHUNK))
    with pytest.raises(Damaged, match="ends before its first chunk"):
        age.opened(b"".join(stored), [identity])


def test_a_small_object_as_text_is_the_same_object(identity):
    for size in (0, 1, 100, 5000):
        stored = age.sealed(plain_of(size), [identity.recipient])
        text = armor.armored(stored)
        assert armor.is_armored(text.encode())
        assert not armor.is_armored(stored)
        assert armor.unarmored(text.encode()) == stored
        with pytest.raises(Damaged, match="^The export is damaged text"):
            armor.unarmored(text.encode()[:-20], "The export")


def test_a_host_without_the_library_is_told_its_name(monkeypatch, identity):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.x25519", None)
    with pytest.raises(
        MissingLibrary, match=r"need the Python library cryptography .*python3-cryptography.*-m pip install"
    ):
        age.sealed(b"x", [identity.recipient])


def test_an_older_library_that_has_no_buffers_seals_the_same(monkeypatch, identity):
    class Older:
        """Releases of cryptography before 46."""

        def __init__(self, cipher):
            self.encrypt = cipher.encrypt
            self.decrypt = cipher.decrypt

    usual = chunks.chacha20_poly1305
    stored = age.sealed(plain_of(3 * CHUNK), [identity.recipient])
    monkeypatch.setattr(chunks, "chacha20_poly1305", lambda key: Older(usual(key)))
    assert age.opened(stored, [identity]) == plain_of(3 * CHUNK)
    older = age.sealed(plain_of(3 * CHUNK), [identity.recipient])
    with pytest.raises(Damaged):
        age.opened(older[:-1] + bytes([older[-1] ^ 1]), [identity])
    monkeypatch.undo()
    assert age.opened(older, [identity]) == plain_of(3 * CHUNK)
