# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""tools/duplicates.py, which `make lint` calls, finds code that stands in two files, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
TWELVE = "".join(f"    value = value * {number}\n" for number in range(12))
# As many lines each, of what may be alike.
DOCUMENTED = 'DOCUMENTATION = """\n' + "".join(f"option_{number}: a text\n" for number in range(12)) + '"""\n'
DOCSTRING = '    """One\n' + "".join(f"    line {number}\n" for number in range(12)) + '    """\n'
IMPORTS = "".join(f"import module_{number}\n" for number in range(12))
COMMENTS = "".join(f"    # {number}\n" for number in range(12))
SIGNATURE = "def function(\n" + "".join(f"    parameter_{number},\n" for number in range(12)) + "):\n"


def test_twelve_lines_of_code_in_two_files_are_found_whatever_stands_between_them_and_nothing_that_may_be_alike(
    tmp_path,
):
    alike = f"{DOCUMENTED}{IMPORTS}{SIGNATURE}{DOCSTRING}{COMMENTS}"
    one, other, fragment = (
        tmp_path / name for name in ("plugins/one.py", "roles/other.py", "plugins/doc_fragments/one.py")
    )
    for path in (one, other, fragment):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{alike}    return {str(path)!r}\n")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)

    def found():
        command = [sys.executable, CHECKOUT / "tools/duplicates.py", tmp_path]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.returncode, done.stdout

    assert found() == (0, "")
    one.write_text(f"{alike}{TWELVE}    return 1\n")
    apart = TWELVE.replace("\n", "  # said here only\n\n")
    other.write_text(f"def another(value):\n{apart}    return 2\n")
    where = f"plugins/one.py:{alike.count(chr(10)) + 1}"
    assert found() == (1, f"roles/other.py:2: 12 lines of code or more stand at {where} too\n")
    # One of them says something else.
    other.write_text(other.read_text().replace("value * 5", "value * 50"))
    assert found() == (0, "")
