"""Python runs this first under `make sanitize`.

capstone asks dlopen() for RTLD_DEEPBIND if there is such a thing, and the
address sanitizer ends the process that does.
"""

import os

vars(os).pop("RTLD_DEEPBIND", None)
