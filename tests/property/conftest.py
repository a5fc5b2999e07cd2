"""How hard hypothesis looks: as in `make test`, or with HYPOTHESIS_PROFILE=fuzz as in `make fuzz`."""

import os

from hypothesis import settings

# No deadline: how long an example takes says more about the machine's other work than about ours.
settings.register_profile("test", deadline=None)
settings.register_profile("fuzz", deadline=None, max_examples=1_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "test"))
