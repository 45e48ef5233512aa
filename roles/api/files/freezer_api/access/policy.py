# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Authorization: oslo.policy with the rules in ``policies``, which policy.yaml overrides.

A rule says which roles may do something in a project. Which documents a request is about is in ``context``.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from oslo_config import cfg

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.account import NODE

from ..errors import ForbiddenError, UnavailableError
from .context import Context

if TYPE_CHECKING:
    from oslo_policy.policy import Enforcer

LOG = logging.getLogger("freezer_api")

#: How long a decision is cached, and so how late a change of policy.yaml may take effect.
_REMEMBER_SECONDS = 1.0
_REMEMBER_MOST = 4096


class PolicyError(Exception):
    """The policy files cannot be used; the message is a sentence for the operator."""


@dataclass(frozen=True)
class RuleInForce:
    """A rule that applies: its check, its default if policy.yaml overrides it, and what it is for."""

    name: str
    check: str
    default: str | None
    description: str
    operations: tuple[str, ...]


class Policy:
    """Decides by the policy files that the options name, or by the defaults alone without options.

    The rules are loaded for the first decision, which takes a tenth of a second.
    """

    def __init__(self, options: cfg.ConfigOpts | None = None) -> None:
        self._options = options
        self._lock = threading.RLock()
        self._loaded: Enforcer | None = None
        self._known: dict[tuple[Context, str, str], bool] = {}
        self._known_until = 0.0

    def check(self) -> None:
        """Load the rules now if there can be policy files, to find errors in them. Raises PolicyError."""
        if self._options is not None and not self._enforcer().check_rules():
            raise PolicyError("the policy files name rules that do not exist, or that refer to each other in a circle")

    def authorize(self, context: Context, rule: str, project_id: str) -> None:
        """Raise ForbiddenError unless a rule lets the sender of a request act in a project."""
        if self.allows(context, rule, project_id):
            return
        if project_id != context.project_id:
            raise ForbiddenError(f"You are not in the project {project_id}, which the policy {rule} requires")
        roles = ", ".join(sorted(context.roles)) or "none"
        raise ForbiddenError(f"The policy {rule} does not allow this to your roles ({roles})")

    def allows(self, context: Context, rule: str, project_id: str) -> bool:
        """Whether a rule lets the sender of a request act in a project. Raises UnavailableError."""
        key = (context, rule, project_id)
        now = time.monotonic()
        if now >= self._known_until or len(self._known) > _REMEMBER_MOST:
            self._known = {}
            self._known_until = now + _REMEMBER_SECONDS
        known = self._known
        if key not in known:
            try:
                known[key] = self._decide(*key)
            except PolicyError as error:
                LOG.error("%s", error)
                # The new rules may forbid what the earlier ones allowed.
                raise UnavailableError("The policy files cannot be read now") from error
        return known[key]

    def rules(self) -> list[RuleInForce]:
        """All rules, in the order in which ``policies`` has them. Raises PolicyError."""
        enforcer = self._enforcer()
        found = []
        for name, rule in enforcer.registered_rules.items():
            over = enforcer.file_rules.get(name)
            operations = tuple(f"{one['method']} {one['path']}" for one in getattr(rule, "operations", ()))
            found.append(
                RuleInForce(
                    name,
                    over.check_str if over else rule.check_str,
                    rule.check_str if over else None,
                    rule.description or "",
                    operations,
                )
            )
        for name, rule in enforcer.file_rules.items():
            if name not in enforcer.registered_rules:
                found.append(RuleInForce(name, rule.check_str, None, "", ()))
        return found

    def _decide(self, context: Context, rule: str, project_id: str) -> bool:
        # Without a client the role node does not count.
        roles = context.roles if context.client_id else context.roles - {NODE}
        credentials: dict[str, Any] = {**asdict(context), "roles": sorted(roles)}
        target = {"project_id": project_id, "user_id": context.user_id}
        with self._lock:
            enforcer = self._enforcer()
            try:
                # Files that have changed are read again here.
                return bool(enforcer.authorize(rule, target, credentials))
            except Exception as error:
                # The library would go on with the earlier rules.
                self._loaded = None
                raise _unreadable(error) from error

    def _enforcer(self) -> Enforcer:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def _load(self) -> Enforcer:
        from oslo_policy import policy

        from .policies import list_rules

        options = self._options
        if options is None:
            options = cfg.ConfigOpts()
            options([], default_config_files=[], default_config_dirs=[])
        rules = list_rules()
        if self._options is None:
            # Policy files of this machine are read only if a configuration file is.
            defaults = policy.Rules.from_dict({rule.name: rule.check_str for rule in rules})
            enforcer = policy.Enforcer(options, rules=defaults, use_conf=False)
        else:
            enforcer = policy.Enforcer(options)
        enforcer.register_defaults(rules)
        location = options.get_location("policy_file", "oslo_policy")
        named = options.oslo_policy.policy_file
        if location is not None and location.location is cfg.Locations.user and options.find_file(named) is None:
            raise PolicyError(f"the policy file {named}, which [oslo_policy] names, does not exist")
        try:
            enforcer.load_rules()
        except Exception as error:
            raise _unreadable(error) from error
        return enforcer


def _unreadable(error: Exception) -> PolicyError:
    # The library has many forms of this message.
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return PolicyError(f"the policy files cannot be read: {reason}")
