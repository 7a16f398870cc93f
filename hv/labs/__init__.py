"""The labs of the course: cut, handed out, built, graded.

A lab is a folder of ``labs/`` (:mod:`hv.labs.spec` says what is in it). Its
skeleton is cut out of hv's own sources (:mod:`hv.labs.cut`); a student works
in a folder of their own (:mod:`hv.labs.workspace`), whose files take the place
of hv's in a private core (:mod:`hv.labs.build`). A process of its own grades
that (:mod:`hv.labs.run` starts it, :mod:`hv.labs.child` is it).
"""
