"""The reference model: logged events in, the present state out; slow, plain, without a database and without an order.

A second account of what the product promises, written from the promise and not from the services, to be compared with
what they derive. Each file is one subject and reads beside the rules of the README:

    counting    which of several records with one event id counts
    people      which identifiers are one person
    visits      which hits are one visit, and whose it is
    offline     whose a call, a fair or a letter is
    deals       which version of a deal counts, and which touches it is credited to
    models      how a deal's money is shared out
    money       what a source cost, and what a currency is worth
    state       all of it together, as the rows that `closedloop digest` reads

Of the product it takes only what has tests of its own: how identifiers are written, what a url and a referrer mean, and
what a deal's version says.
"""

from tests.reference.state import Rows, present_state

__all__ = ["Rows", "present_state"]
