"""Shapley credits by cumulative worth: what a journey's channels earned as players of a game.

Pure. The worth v(S) of a set of channels is that of all converting journeys whose channels all belong to S. A channel's
credit is its Shapley value: over all n channels the sum, for each S without it, of |S|! (n - |S| - 1)! / n! times
v(S with it) - v(S) (Shapley, A Value for n-Person Games, 1953). With this v the sum has a closed form: each journey's
game is won by exactly the sets that contain its channels, so these share it evenly, whatever their order and however
often they come (Zhao, Mahboobi, Bagheri, Shapley Value Methods for Attribution Modeling in Online Advertising, 2018).
"""

from collections import Counter
from math import lcm

from services.attribution.paths import Channels
from services.attribution.weights import Parts


def shapley(channels: Channels) -> Parts:
    """The same to each distinct channel, evenly over its touches."""
    touches = Counter(channels)
    each = lcm(*touches.values())
    return tuple(each // touches[channel] for channel in channels)
