"""xentop for hv: who uses the machine, in figures per machine second."""

from hv.top.sample import Sample, Usage, sample, usage
from hv.top.show import COLUMNS, csv_lines, text_lines

__all__ = [
    "COLUMNS",
    "Sample",
    "Usage",
    "csv_lines",
    "sample",
    "text_lines",
    "usage",
]
