"""Traces: a run recorded, put in order, and written for others to look at.

:func:`record` notes what happens; :class:`Timeline` makes spans of it; from
there it goes to a viewer (:func:`to_chrome`), to a text file (:func:`to_text`)
or into a picture (:func:`gantt`).
"""

from hv.trace.chrome import to_chrome
from hv.trace.gantt import gantt
from hv.trace.recording import Recorder, Recording, Snapshot, record
from hv.trace.text import to_text
from hv.trace.timeline import Activity, Span, Timeline

__all__ = [
    "Activity",
    "Recorder",
    "Recording",
    "Snapshot",
    "Span",
    "Timeline",
    "gantt",
    "record",
    "to_chrome",
    "to_text",
]
