"""The list of mutations keeps up with the source; that each is noticed is shown by ``make mutations``."""

from __future__ import annotations

import ast

import pytest

from tests.mutations.catalogue import MUTATIONS
from tests.mutations.runner import ROOT, Mutation

NAMES = {
    "sign of y in phi",
    "factor 2 pi",
    "rows and columns swapped",
    "sin gamma dropped",
    "background scale",
    "mask inverted",
    "s reversed",
    "pixel size from the wrong tag",
    "Pa taken as GPa",
    "sigma halved",
}


def test_the_ten_that_matter_are_listed() -> None:
    assert {mutation.name for mutation in MUTATIONS} >= NAMES


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_what_a_mutation_changes_stands_once_in_the_source(mutation: Mutation) -> None:
    assert mutation.old != mutation.new
    assert mutation.occurrences(ROOT) == 1, f"{mutation.file}: {mutation.old!r}"
    assert mutation.file.startswith("analysis/")
    changed = (ROOT / mutation.file).read_text(encoding="utf-8").replace(mutation.old, mutation.new)
    ast.parse(changed)
    for test in mutation.tests:
        assert (ROOT / test.split("::")[0]).exists(), test
