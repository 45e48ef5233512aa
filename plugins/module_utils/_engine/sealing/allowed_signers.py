# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Who may sign: a list in the format of ``allowed_signers`` of OpenSSH (ssh-keygen(1)), as ``ssh-keygen -Y verify -f`` reads it.

A line has names (patterns), options, and a public key. What cannot be honoured is refused, not passed over: a list that says
less than its author meant would be believed for the wrong reason.
"""

from __future__ import annotations

import calendar
import re
import time
from typing import NamedTuple

from . import ssh_keys, ssh_signature
from .errors import NotBelieved, UnusableKey
from .ssh_keys import PublicKey
from .ssh_signature import NAMESPACE

#: In bytes. A line of the usual kind has 120.
LIMIT = 1 << 20
_KIND = re.compile(r"(sk-)?(ssh|ecdsa)-[a-z0-9@.-]+$")
_OPTION = re.compile(r'([A-Za-z-]+)(?:="((?:[^"\\]|\\.)*)")?(?:,(?=.)|$)')
_TIME = re.compile(r"(\d{8}|\d{12}|\d{14})(Z|UTC)?", re.IGNORECASE)


def principal_of(hostname: str) -> str:
    """A host as a line names it; what would be a pattern there stands for one character."""
    return "".join("?" if one in ' \t\r\n"#,*!\\' else one for one in hostname)


class Signer(NamedTuple):
    """A line of the list: who signs with a key, for what, and when. Times are seconds since 1970, both of them included."""

    principals: str
    key: PublicKey
    namespaces: str | None = None
    valid_after: float | None = None
    valid_before: float | None = None

    @property
    def line(self) -> str:
        """The line, which ``AllowedSigners.parsed`` and ssh-keygen read."""
        times = (("valid-after", self.valid_after), ("valid-before", self.valid_before))
        options = [f'namespaces="{self.namespaces}"'] if self.namespaces is not None else []
        options += [
            f'{name}="{time.strftime("%Y%m%d%H%M%SZ", time.gmtime(at))}"' for name, at in times if at is not None
        ]
        return " ".join([self.principals, *([",".join(options)] if options else []), self.key.line])

    def is_named(self, principal: str) -> bool:
        """Whether the line is for one of this name."""
        return matches(principal, self.principals)

    def why_not(self, namespace: str, at: float) -> str | None:
        """Why its key does not count for a namespace at a time; None if it does."""
        if self.namespaces is not None and not matches(namespace, self.namespaces):
            return f"its key may not sign for {namespace}"
        if self.valid_after is not None and at < self.valid_after:
            return "its key is not valid yet at that time"
        if self.valid_before is not None and at > self.valid_before:
            return "its key is no longer valid at that time"
        return None


class AllowedSigners:
    """A list of those whose signatures are believed."""

    def __init__(self, signers: list[Signer], what: str) -> None:
        self.signers = signers
        self._what = what

    @classmethod
    def parsed(cls, data: bytes, what: str) -> AllowedSigners:
        """The list that a file has; ``what`` names it in messages. Raises UnusableKey with the number of the line."""
        if len(data) > LIMIT:
            raise UnusableKey(f"{what} is no list of signers: it has more than {LIMIT} bytes.")
        signers = []
        for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
            try:
                signer = _signer(line.strip())
            except (ValueError, UnusableKey) as error:
                raise UnusableKey(f"{what}, line {number}: {str(error).rstrip('.')}.") from None
            if signer is not None:
                signers.append(signer)
        if not signers:
            raise UnusableKey(f"{what} names no signer; put lines such as 'web1 ssh-ed25519 AAAA...' into it.")
        return cls(signers, what)

    def verify(
        self,
        message: bytes,
        signature: bytes,
        subject: str,
        at: float,
        namespace: str = NAMESPACE,
        principal: str | None = None,
    ) -> Signer:
        """The signer of a message, who may sign for ``namespace`` at the time ``at`` (seconds since 1970).

        With ``principal`` it has to be one of that name. ``subject`` names the message in messages. Raises NotBelieved and
        MissingLibrary.
        """
        key = ssh_signature.verified(message, signature, subject, namespace)
        reasons = ["its key is not in the list"]
        for signer in self.signers:
            if signer.key.blob != key.blob:
                continue
            why = signer.why_not(namespace, at)
            if why is None and principal is not None and not signer.is_named(principal):
                why = f"its key is that of {signer.principals}, not of {principal}"
            if why is None:
                return signer
            reasons = [*reasons[1:], why]
        raise NotBelieved(
            f"{subject} is signed with the key {key.fingerprint}, which {self._what} does not allow: {reasons[0]}. "
            "If the signer is to be believed, put its key into that list; else use another copy."
        )


def matches(name: str, patterns: str) -> bool:
    """Whether a name is in a list of patterns with ``*`` and ``?``, separated by commas; one with ``!`` takes it out again."""
    positive = False
    for pattern in patterns.split(","):
        negated = pattern.startswith("!")
        if _fits(name, pattern[negated:]):
            if negated:
                return False
            positive = True
    return positive


def _fits(name: str, pattern: str) -> bool:
    """Whether a name fits one pattern, in a time that grows with the length of each only."""
    at = star = 0
    last_star = -1
    place = 0
    while place < len(name):
        if at < len(pattern) and pattern[at] != "*" and pattern[at] in ("?", name[place]):
            at += 1
            place += 1
        elif at < len(pattern) and pattern[at] == "*":
            last_star, star = at, place
            at += 1
        elif last_star >= 0:
            star += 1
            at, place = last_star + 1, star
        else:
            return False
    return not pattern[at:].strip("*")


def _signer(line: str) -> Signer | None:
    """The signer of a line; None for an empty one and a comment. Raises ValueError and UnusableKey with a reason."""
    if not line or line.startswith("#"):
        return None
    if len(line) > ssh_keys.LINE_LIMIT:
        raise ValueError(f"it has more than {ssh_keys.LINE_LIMIT} characters")
    principals, _space, rest = line.replace("\t", " ").partition(" ")
    if not rest or principals.startswith('"'):
        raise ValueError("it is not a name, options and a public key")
    options = ""
    if not _KIND.match(rest.lstrip().partition(" ")[0]):
        options, rest = _options_before(rest.lstrip())
    namespaces, after, before = _parsed_options(options)
    return Signer(principals, ssh_keys.public_key(rest), namespaces, after, before)


def _options_before(rest: str) -> tuple[str, str]:
    """The options, which have spaces within quotes only, and what follows them."""
    quoted = False
    for place, character in enumerate(rest):
        if character == '"' and rest[place - 1 : place] != "\\":
            quoted = not quoted
        elif character == " " and not quoted:
            return rest[:place], rest[place:].lstrip()
    raise ValueError("it has no public key")


def _parsed_options(options: str) -> tuple[str | None, float | None, float | None]:
    found: dict[str, str] = {}
    place = 0
    while place < len(options):
        option = _OPTION.match(options, place)
        name = option[1].lower() if option else ""
        if option is None or name not in ("cert-authority", "namespaces", "valid-after", "valid-before"):
            raise ValueError("it has an option that is not known; namespaces, valid-after and valid-before are")
        if name == "cert-authority":
            raise ValueError(
                "certificates are not supported; list the keys themselves that may sign, without cert-authority"
            )
        if option[2] is None or name in found:
            raise ValueError(f'the option {name} has to be there once, as {name}="..."')
        found[name] = option[2].replace('\\"', '"')
        place = option.end()
    after, before = (_seconds(found[name], name) if name in found else None for name in ("valid-after", "valid-before"))
    if after is not None and before is not None and before <= after:
        raise ValueError("valid-before is not later than valid-after")
    return found.get("namespaces"), after, before


def _seconds(text: str, option: str) -> float:
    """The time of YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, in UTC with a Z behind it, else of this host's time zone."""
    found = _TIME.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        parts = time.strptime(found[1], {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}[len(found[1])])
        return float(calendar.timegm(parts)) if found[2] else time.mktime(parts)
    except (ValueError, OverflowError):
        raise ValueError(f"{option} is no time such as 20261130 or 202611302359Z") from None
