"""How long to wait before something that failed is tried again."""


def backoff(first: float, failures: int, longest: float) -> float:
    """Seconds to wait after so many failures in a row: twice as long each time, for any number of them."""
    return min(first * 2.0 ** min(failures, 30), longest)
