"""The labs of the course: cut, handed out, built, graded.

A lab is a folder of ``labs/`` (:mod:`hv.labs.spec` says what is in it). Its
skeleton is cut out of hv's own sources (:mod:`hv.labs.cut`); a student works
in a folder of their own (:mod:`hv.labs.workspace`), whose files take the place
of hv's in a private core (:mod:`hv.labs.build`). The tests run in a process of
their own (:mod:`hv.labs.process` starts it, :mod:`hv.labs.child` is it);
:mod:`hv.labs.run` makes a grade of what it tells.
"""
