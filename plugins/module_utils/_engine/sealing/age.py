# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Objects in the format of age, version 1 (https://c2sp.org/age), which ``age -d`` opens: written, read, and read in part.

To seal needs public keys only. The head of an object, that is its header and a nonce, says who opens it; the payload is
chunks of 64 KiB, of which a reader can open those that it needs. No byte of a chunk is given out before it is known to be
authentic and at its place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType

from . import age_header, chunks
from .chunks import NONCE_BYTES, PLAIN_BYTES, SEALED_BYTES, TAG_BYTES, ChunkCipher
from .errors import Damaged, UnusableKey
from .identities import Identity, file_key
from .recipients import Recipient
from .streams import Readable

#: The longest head, in bytes. Usual ones have 200 for each recipient.
HEAD_LIMIT = age_header.LIMIT + NONCE_BYTES
#: How many chunks are sealed or opened before they are handed on: 1 MiB.
_BATCH = 16
_FIRST_READ = 4096
_READ = 128 * 1024


class Sealer:
    """Seals what is written to it, and hands sealed pieces of about 1 MiB to ``write``.

    As a context it finishes the object, unless there was an error: then what was handed on is no whole object.
    """

    def __init__(self, write: Callable[[memoryview], object], recipients: Sequence[Recipient]) -> None:
        """Write the head. Raises UnusableKey if these recipients cannot be together or are too many, and MissingLibrary."""
        new_key, nonce = os.urandom(age_header.FILE_KEY_BYTES), os.urandom(NONCE_BYTES)
        #: Header and nonce, as they were written: what a reader needs before it can open parts of the object.
        self.head = _header(recipients, new_key) + nonce
        #: The key of this object, for who has to open it again without a key of a recipient.
        self.file_key = new_key
        self.plain_bytes = 0
        self.stored_bytes = 0
        self._cipher = ChunkCipher(new_key, nonce)
        self._write = write
        self._number = 0
        self._waiting = bytearray()
        self._finished = False
        self._hand_on(memoryview(self.head))

    @property
    def share(self) -> str:
        """What tells the first stanza of this object from all others: the public share, which is used once."""
        return age_header.parsed(self.head[:-NONCE_BYTES]).stanzas[0].arguments[0]

    def write(self, plain: bytes | bytearray | memoryview) -> None:
        """Seal more. It keeps nothing of ``plain`` but a copy of the last bytes."""
        if self._finished:
            raise ValueError("the object is finished")
        view = memoryview(plain).cast("B")
        self.plain_bytes += len(view)
        # A full chunk waits until more follows it: the last one is marked.
        if self._waiting:
            missing = PLAIN_BYTES - len(self._waiting)
            if len(view) <= missing:
                self._waiting += view
                return
            full, self._waiting = self._waiting, bytearray()
            full += view[:missing]
            view = view[missing:]
            self._seal(memoryview(full))
        whole = max(0, (len(view) - 1) // PLAIN_BYTES) * PLAIN_BYTES
        self._seal(view[:whole])
        self._waiting += view[whole:]

    def finish(self) -> None:
        """Seal the last chunk. Nothing can be written afterwards."""
        if self._finished:
            return
        self._finished = True
        sealed = bytearray(len(self._waiting) + TAG_BYTES)
        self._cipher.seal(self._number, True, memoryview(self._waiting), memoryview(sealed))
        self._hand_on(memoryview(sealed))

    def __enter__(self) -> Sealer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()

    def _seal(self, plain: memoryview) -> None:
        """Seal whole chunks, none of which is the last."""
        for begin in range(0, len(plain), _BATCH * PLAIN_BYTES):
            batch = plain[begin : begin + _BATCH * PLAIN_BYTES]
            # A new buffer each time: what receives it may keep it, or send it from another thread.
            sealed = memoryview(bytearray(len(batch) // PLAIN_BYTES * SEALED_BYTES))
            for place in range(len(batch) // PLAIN_BYTES):
                one = batch[place * PLAIN_BYTES : (place + 1) * PLAIN_BYTES]
                self._cipher.seal(self._number, False, one, sealed[place * SEALED_BYTES : (place + 1) * SEALED_BYTES])
                self._number += 1
            self._hand_on(sealed)

    def _hand_on(self, sealed: memoryview) -> None:
        self.stored_bytes += len(sealed)
        self._write(sealed)


class OpenedStream:
    """The plain bytes of an object, from its beginning to its end. Iterating gives pieces of 1 MiB or less.

    What was given out is authentic, but an object that was cut off is known as such at its end only: both ways of reading
    raise Damaged then.
    """

    def __init__(self, readable: Readable, start: bytes, cipher: ChunkCipher, what: str) -> None:
        """``start`` is what was read of the payload already."""
        self._readable = readable
        self._cipher = cipher
        self._what = what
        self._start = memoryview(start)
        #: A batch and one byte more: where that byte is, what comes before it is not the last chunk.
        self._sealed = memoryview(bytearray(_BATCH * SEALED_BYTES + 1))
        self._filled = 0
        self._number = 0
        self._error: Damaged | None = None
        self._ended = False
        self._left = memoryview(b"")

    def __iter__(self) -> Iterator[memoryview]:
        if self._left:
            left, self._left = self._left, memoryview(b"")
            yield left
        while piece := self._next():
            yield piece

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, all if it is negative; none at the end only. Raises Damaged."""
        if size < 0:
            return b"".join(self)
        if not self._left:
            self._left = self._next()
        given, self._left = self._left[:size], self._left[size:]
        return bytes(given)

    def _next(self) -> memoryview:
        """The next piece; an empty one at the end. Raises Damaged."""
        if self._error is not None:
            raise self._error
        if self._ended:
            return memoryview(b"")
        self._fill()
        self._ended = self._filled < len(self._sealed)
        length = self._filled if self._ended else self._filled - 1
        plain = memoryview(bytearray(length))
        done = 0
        for begin in range(0, length, SEALED_BYTES):
            one = self._sealed[begin : min(begin + SEALED_BYTES, length)]
            done += self._open(one, self._ended and begin + SEALED_BYTES >= length, plain[done:])
            if self._error is not None:
                break
        if not length:
            self._error = _damage(self._what, "ends before its first chunk")
        self._sealed[:1] = self._sealed[-1:]
        self._filled = 1
        if self._error is not None and not done:
            raise self._error
        return plain[:done]

    def _open(self, sealed: memoryview, last: bool, into: memoryview) -> int:
        """How many plain bytes of a chunk were written; what is wrong with it is raised after they are given out."""
        number = self._number
        self._number += 1
        size = len(sealed) - TAG_BYTES
        if size < 0 or (not size and number):
            self._error = _damage(self._what, f"is cut off in or before its chunk {number}")
            return 0
        if self._cipher.open(number, last, sealed, into[:size]):
            return size
        if size == PLAIN_BYTES and self._cipher.open(number, not last, sealed, into[:size]):
            self._error = _damage(
                self._what, "is cut off: its last chunk is missing" if last else "goes on after its last chunk"
            )
            return size
        self._error = _damage(self._what, f"has a chunk (number {number}) that was changed, or that belongs elsewhere")
        return 0

    def _fill(self) -> None:
        """Read a batch and one byte more, or all that is left."""
        while self._filled < len(self._sealed):
            # Small ones are taken from memory that the process has; large ones would come from the system, page by page.
            wanted = min(len(self._sealed) - self._filled, _READ)
            piece = self._start[:wanted] or self._readable.read(wanted)
            if not piece:
                return
            self._start = self._start[len(piece) :]
            self._sealed[self._filled : self._filled + len(piece)] = piece
            self._filled += len(piece)


class Payload:
    """Parts of an object of which the head has been read: where they are stored, and what they say."""

    def __init__(
        self, start: bytes, stored_bytes: int, identities: Iterable[Identity], what: str = "The object"
    ) -> None:
        """``start`` begins with the whole head (see ``head_bytes``), ``stored_bytes`` is the length of the whole object.

        That length is only as trustworthy as its source, until ``check_end`` or a read of the last bytes has passed. ``what``
        names the object in messages. Raises Damaged, NoKeyFits and MissingLibrary.
        """
        self._what = what
        self._head_bytes, self._cipher = _cipher_of(start, identities, what)
        plain = chunks.plain_bytes(stored_bytes - self._head_bytes)
        if plain is None:
            raise _damage(what, f"has {stored_bytes} bytes, which is no length of a whole object")
        self._stored_bytes = stored_bytes
        self.plain_bytes = plain

    def stored_range(self, begin: int, end: int) -> tuple[int, int]:
        """Where the chunks are stored that hold the plain bytes from ``begin`` up to ``end``: first byte, and the one after."""
        if not 0 <= begin <= end <= self.plain_bytes:
            raise ValueError(f"there are {self.plain_bytes} bytes, and {begin} to {end} are not among them")
        first = begin // PLAIN_BYTES * SEALED_BYTES
        after = -(-end // PLAIN_BYTES) * SEALED_BYTES if end > begin else first
        return self._head_bytes + first, min(self._head_bytes + after, self._stored_bytes)

    def open(self, stored: bytes | bytearray | memoryview, begin: int, end: int) -> memoryview:
        """The plain bytes from ``begin`` up to ``end``, of what is stored in their ``stored_range``. Raises Damaged."""
        first, after = self.stored_range(begin, end)
        sealed = memoryview(stored).cast("B")
        if len(sealed) != after - first:
            raise _damage(self._what, f"is cut off: {len(sealed)} of {after - first} bytes at {first} are there")
        number = begin // PLAIN_BYTES
        plain = memoryview(bytearray(len(sealed)))
        done = 0
        for at in range(0, len(sealed), SEALED_BYTES):
            one = sealed[at : at + SEALED_BYTES]
            size = len(one) - TAG_BYTES
            if not self._cipher.open(
                number, first + at + len(one) == self._stored_bytes, one, plain[done : done + size]
            ):
                reason = (
                    f"has a chunk (number {number}) that was changed, belongs elsewhere, or after which it was cut off"
                )
                raise _damage(self._what, reason)
            number += 1
            done += size
        skipped = begin % PLAIN_BYTES
        return plain[skipped : skipped + end - begin]

    def read(self, fetch: Callable[[int, int], bytes], begin: int, end: int) -> memoryview:
        """The plain bytes from ``begin`` up to ``end``; ``fetch(first, after)`` returns that range of the stored bytes."""
        return self.open(fetch(*self.stored_range(begin, end)), begin, end) if end > begin else memoryview(b"")

    def check_end(self, fetch: Callable[[int, int], bytes]) -> None:
        """Prove that the object ends where ``stored_bytes`` says. Raises Damaged."""
        if self.plain_bytes:
            self.read(fetch, self.plain_bytes - 1, self.plain_bytes)
        else:
            only = memoryview(fetch(self._head_bytes, self._stored_bytes))
            if len(only) != TAG_BYTES or not self._cipher.open(0, True, only, memoryview(bytearray())):
                raise _damage(self._what, "has an end that was changed, or is cut off")


def head_bytes(start: bytes, what: str = "The object") -> int | None:
    """How long the head is with which an object begins; None if ``start`` is not all of it. Raises Damaged."""
    try:
        length = age_header.length(start)
    except ValueError as error:
        raise _damage(what, str(error)) from None
    return None if length is None or len(start) < length + NONCE_BYTES else length + NONCE_BYTES


def stored_bytes(head: int, plain_bytes: int) -> int:
    """The length of an object with a head of so many bytes and with so many plain bytes."""
    return head + chunks.stored_bytes(plain_bytes)


def open_stream(readable: Readable, identities: Iterable[Identity], what: str = "The object") -> OpenedStream:
    """The plain bytes of an object; ``what`` names it in messages. Raises Damaged, NoKeyFits and MissingLibrary."""
    start = b""
    while head_bytes(start, what) is None:
        piece = readable.read(_FIRST_READ)
        if not piece:
            break
        start += piece
    length, cipher = _cipher_of(start, identities, what)
    return OpenedStream(readable, start[length:], cipher, what)


def sealed(plain: bytes, recipients: Sequence[Recipient]) -> bytes:
    """A small object as a whole. Raises UnusableKey and MissingLibrary."""
    pieces: list[memoryview] = []
    with Sealer(pieces.append, recipients) as sealer:
        sealer.write(plain)
    return b"".join(pieces)


def opened(stored: bytes, identities: Iterable[Identity], what: str = "The object") -> bytes:
    """What is in a small object. Raises Damaged, NoKeyFits and MissingLibrary; then nothing of it is given out."""
    head, cipher = _cipher_of(stored, identities, what)
    return OpenedStream(_Nothing(), stored[head:], cipher, what).read()


def _damage(what: str, reason: str) -> Damaged:
    return Damaged(f"{what} {reason}. Use another copy of it.")


class _Nothing:
    def read(self, _size: int, /) -> bytes:
        return b""


def _header(recipients: Sequence[Recipient], new_key: bytes) -> bytes:
    if not recipients:
        raise UnusableKey("There is no recipient to seal for; name one at least.")
    if len(recipients) > 1 and any(one.alone for one in recipients):
        raise UnusableKey("A passphrase cannot be combined with other recipients in one object; seal it once for each.")
    if len(recipients) > age_header.MOST_STANZAS:
        raise UnusableKey(
            f"There are {len(recipients)} recipients, and an object takes {age_header.MOST_STANZAS} at most."
        )
    return age_header.written([one.wrap(new_key) for one in recipients], new_key)


def _cipher_of(start: bytes, identities: Iterable[Identity], what: str) -> tuple[int, ChunkCipher]:
    head = head_bytes(start, what)
    if head is None:
        raise _damage(what, "ends before its header does" if start else "is empty")
    try:
        header = age_header.parsed(start[: head - NONCE_BYTES])
    except ValueError as error:
        raise _damage(what, str(error)) from None
    return head, ChunkCipher(file_key(header, identities, what), start[head - NONCE_BYTES : head])
