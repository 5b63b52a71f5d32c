"""The law on many histories: the state is a function of the set of events, and it is the reference model's.

`pure` runs the product's pure functions in memory, `passes` the consumers on Postgres, many histories at a time, and
`smallest` cuts a history down to what still differs and prints it as code.
"""
