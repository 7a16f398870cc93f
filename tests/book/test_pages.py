"""The pages that are about the book as a whole have all that they promise."""

import re

import hv
from tools.check_floors import ROOT

DOCS = ROOT / "docs"
# The words that the sources and the other chapters take for granted.
WORDS = (
    "gva gpa hpa gfn hfn p2m satp vCPU pCPU hart exit shadow role frame "
    "TLB ASID VMID PTE leaf megapage fence shootdown style assist nested "
    "pv direct hypercall SBI trap-and-emulate paravirtual deprivileged "
    "balloon audit property oracle wheat chaff zoo mark journal replay "
    "snapshot fork engine cycle charge quantum slot pad boost"
)


def test_the_api_page_has_every_public_name() -> None:
    page = (DOCS / "reference/api.md").read_text()
    named = re.findall(r"^\.\. auto\w+:: hv\.(\w+)$", page, re.MULTILINE)
    assert sorted(named) == sorted(hv.__all__)


def test_the_glossary_explains_the_words() -> None:
    page = (DOCS / "glossary.md").read_text()
    terms = re.findall(r"^(\S.*)\n  \S", page, re.MULTILINE)
    known = {word for term in terms for word in term.split(", ")}
    assert sorted(set(WORDS.split()) - known) == []
    lower = [term.lower() for term in terms]
    assert len(set(lower)) == len(lower)


def test_each_stop_of_the_journey_shows_code_and_where_to_go_on() -> None:
    text = (DOCS / "journey.md").read_text()
    titles = re.findall(r"^## (\d+)\. ", text, re.MULTILINE)
    assert titles == [str(n + 1) for n in range(15)]
    stops = re.split(r"^## ", text, flags=re.MULTILINE)[1:-1]
    for stop in stops:
        title = stop.partition("\n")[0]
        assert "```{literalinclude}" in stop, title
        assert "*Open next:*" in stop, title


def test_every_file_that_the_journey_names_is_there() -> None:
    text = (DOCS / "journey.md").read_text()
    names = re.findall(r"`((?:csrc|hv|guestkernel)/[\w/.-]+)`", text)
    assert len(names) > 15
    assert [name for name in names if not (ROOT / name).exists()] == []
