"""What is argued to be no mistake is about mutants that there are."""

from tests.equivalence.core import sources
from tools import mutate


def test_each_argument_is_about_a_mutant() -> None:
    reasons = mutate.equivalent()
    assert all(reasons.values())
    named = {
        key
        for file in {key[2] for key in reasons}
        for mutant in mutate.mutants(file, sources()[file])
        for key in mutant.keys()  # noqa: SIM118 -- it is no mapping
    }
    assert set(reasons) <= named, set(reasons) - named
