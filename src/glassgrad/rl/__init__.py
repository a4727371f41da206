"""Learning by reward: what can be said about it exactly, and what is only estimated; environments for Gymnasium.

Importing it makes the environments known: `gymnasium.make("glassgrad/Add-v0")`.
"""

from glassgrad.rl.environments import Environment, Played, VectorEnvironment, agent, play, register, seeds

register()

__all__ = ["Environment", "Played", "VectorEnvironment", "agent", "play", "seeds"]
