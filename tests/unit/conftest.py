"""Properties are tried without a deadline: a machine that does something else as well is no failure."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
