"""Views: what virtualized memory looks like from inside, one model each.

- :mod:`hv.views.walk`: one address, step by step, through the guest's tables,
  the p2m, and what the machine really walks.
- :mod:`hv.views.tables`: a guest's page table beside its shadows.
- :mod:`hv.views.frames`: who owns each frame of the machine.

A model is a frozen dataclass. It is text (``str()``, 80 columns), a picture
(``svg``, what a notebook shows) and JSON (``to_json()``), all of the same
facts. Looking changes nothing: the machine's hash is the same before and after.
"""
