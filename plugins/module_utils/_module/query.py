# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option C(query) of the C(*_info) modules: JMESPath, where its library is installed."""

from __future__ import annotations

import traceback
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    import jmespath
    import jmespath.exceptions
except ImportError:
    jmespath = None
    JMESPATH_IMPORT_ERROR = traceback.format_exc()
else:
    JMESPATH_IMPORT_ERROR = None

LIBRARY_URL = "https://jmespath.org"


def compiled_query(module: AnsibleModule, expression: str) -> Callable[[Any], Any]:
    """A function that answers the query for a list; fails the module where there can be none."""
    if jmespath is None:
        message = missing_required_lib("jmespath", reason="for the option query", url=LIBRARY_URL)
        module.fail_json(msg=message, exception=JMESPATH_IMPORT_ERROR)
    try:
        compiled = jmespath.compile(expression)
    except jmespath.exceptions.JMESPathError as error:
        module.fail_json(msg=_sentence(expression, error))

    def answer(documents: Any) -> Any:
        try:
            return compiled.search(documents)
        except jmespath.exceptions.JMESPathError as error:
            module.fail_json(msg=_sentence(expression, error))

    return answer


def _sentence(expression: str, error: Exception) -> str:
    reason = str(error).splitlines()[0].rstrip(":.")
    return f"query {expression!r} cannot be answered: {reason}. See {LIBRARY_URL} for what it may say."
