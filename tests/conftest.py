"""Settings for all tests."""

from hypothesis import settings

# A test must not fail because the machine is busy.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
