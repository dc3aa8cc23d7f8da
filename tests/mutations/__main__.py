"""Ten faults put into the analysis, one at a time: each must make a test fail (``make mutations``)."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.mutations.catalogue import MUTATIONS
from tests.mutations.runner import copy_of_tree, imports_the_copy, run_tests, try_mutation


def main() -> int:
    """Print one line a mutation; 0 if every one was noticed."""
    with tempfile.TemporaryDirectory() as folder:
        tree = copy_of_tree(Path(folder))
        if not imports_the_copy(tree):
            print("the tests would not read the changed source")
            return 1
        tests = sorted({test for mutation in MUTATIONS for test in mutation.tests})
        code, first = run_tests(tree, tests)
        if code != 0:
            print(f"without any mutation the tests already fail: {first}")
            return 1
        verdicts = []
        for mutation in MUTATIONS:
            verdict = try_mutation(tree, mutation)
            verdicts.append(verdict)
            print(
                f"{verdict.word:10s} {verdict.seconds:5.1f} s  {mutation.name:32s} {verdict.noticed_by}",
                flush=True,
            )
    return int(any(verdict.word != "killed" for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
