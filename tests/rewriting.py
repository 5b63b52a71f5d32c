"""The ledger is append-only; a test that rewrites it all the same says so."""

REWRITES_LEDGER = "SET LOCAL closedloop.rewrites_ledger = 'on'; "
"""In front of statements that go to the database in one call, which is one transaction."""
