"""A ledger of many deals, looked at in every instant of its history.

`households` draws who there is and what they and their CRM say, `passes` plays that through the consumers on Postgres,
`checks.sql` asks the ledger for every deal, instant and model, and `plain` works the credits of some deals out anew.
"""
