# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Bech32 (BIP 173), in which keys of age are written; without its limit of 90 characters.

The data are groups of five bits, each a character of _ALPHABET; six more are a checksum that finds typing errors.
"""

from __future__ import annotations

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LENGTH = 6
#: The longest key of age, a post-quantum recipient, has 2,000 characters.
_LONGEST = 4096


def encode(prefix: str, data: bytes) -> str:
    """The text of data, in lower case, with a prefix in lower case."""
    groups = _regroup(data, 8, 5, fill=True)
    checksum = _polymod([*_expanded(prefix), *groups, *[0] * _CHECKSUM_LENGTH]) ^ 1
    groups += [checksum >> 5 * (_CHECKSUM_LENGTH - 1 - place) & 31 for place in range(_CHECKSUM_LENGTH)]
    return f"{prefix}1{''.join(_ALPHABET[group] for group in groups)}"


def decode(text: str) -> tuple[str, bytes]:
    """The prefix, in lower case, and the data of a text. Raises ValueError with a reason that repeats nothing of it."""
    if len(text) > _LONGEST:
        raise ValueError("it is too long")
    if text not in (text.lower(), text.upper()):
        raise ValueError("it mixes lower and upper case")
    prefix, separator, rest = text.lower().rpartition("1")
    if not separator or not prefix or len(rest) < _CHECKSUM_LENGTH or not all("!" <= one <= "~" for one in prefix):
        raise ValueError("it is no key of age")
    try:
        groups = [_ALPHABET.index(one) for one in rest]
    except ValueError:
        raise ValueError("it has a character that no key has") from None
    if _polymod([*_expanded(prefix), *groups]) != 1:
        raise ValueError("its checksum is wrong: it is mistyped or incomplete")
    return prefix, bytes(_regroup(groups[:-_CHECKSUM_LENGTH], 5, 8, fill=False))


def _expanded(prefix: str) -> list[int]:
    return [*[ord(one) >> 5 for one in prefix], 0, *[ord(one) & 31 for one in prefix]]


def _polymod(groups: list[int]) -> int:
    checksum = 1
    for group in groups:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ group
        for place, generator in enumerate(_GENERATOR):
            if top >> place & 1:
                checksum ^= generator
    return checksum


def _regroup(values: bytes | list[int], from_bits: int, to_bits: int, fill: bool) -> list[int]:
    """The same bits in groups of another size; with ``fill`` zeros complete the last one, else less than one may be left."""
    waiting, bits, groups = 0, 0, []
    for value in values:
        waiting = waiting << from_bits | value
        bits += from_bits
        while bits >= to_bits:
            bits -= to_bits
            groups.append(waiting >> bits & (1 << to_bits) - 1)
        waiting &= (1 << bits) - 1
    if fill and bits:
        groups.append(waiting << to_bits - bits)
    elif not fill and (bits >= from_bits or waiting):
        raise ValueError("it does not end at a whole byte")
    return groups
