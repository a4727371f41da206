"""Environments for Gymnasium: the tasks, as episodes of one question, one answer, one reward."""

from glassgrad.rl.environments.environment import Environment
from glassgrad.rl.environments.ids import register
from glassgrad.rl.environments.play import Played, agent, play
from glassgrad.rl.environments.streams import seeds
from glassgrad.rl.environments.vector import VectorEnvironment

__all__ = ["Environment", "Played", "VectorEnvironment", "agent", "play", "register", "seeds"]
