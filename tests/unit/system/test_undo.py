# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is taken back when something does not end well, and when it is not."""

from __future__ import annotations

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.system.undo import on_failure


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_was_done_is_taken_back_whatever_ends_the_work(problem):
    done = []
    with pytest.raises(problem), on_failure(lambda: done.append("undone")):
        raise problem
    assert done == ["undone"]


def test_what_ended_well_stays():
    done = []

    def work():
        for _turn in range(2):
            with on_failure(lambda: done.append("undone")):
                done.append("done")
                continue
        with on_failure(lambda: done.append("undone")):
            return "result"

    assert (work(), done) == ("result", ["done", "done"])


def test_a_step_that_fails_is_the_error_and_names_what_led_to_it():
    def step():
        raise OSError("not undone")

    with pytest.raises(OSError, match="not undone") as caught, on_failure(step):
        raise ValueError("first")
    assert isinstance(caught.value.__context__, ValueError)
