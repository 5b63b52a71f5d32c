"""The law on many histories: the state is a function of the set of events, and it is the reference model's.

`pure` runs the product's pure functions in memory, `passes` the consumers on Postgres, many histories at a time, `parted`
tells a story with two people taken for one, and `smallest` cuts a history down to what still differs, as code.
"""

import os
import secrets

SEED = int(os.environ.get("SEED") or secrets.randbelow(2**32))
"""What histories are drawn from: another one each time, printed with a failure; `SEED=123 make test` draws those again."""
