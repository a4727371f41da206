"""Stable-Baselines3's A2C on one-step addition: environment steps a second, and the error after 10,000 steps."""

import time
from typing import Any

import numpy as np

STEPS = 10_000
# environments at once, learning rate: the library's own settings first, then quicker ones that still learn
SETTINGS = ((1, 7e-4), (4, 2e-3), (16, 5e-3))
ENOUGH = 1.5  # the quickest is chosen among those whose error is within this factor of the best


def once(environments: int, rate: float, seed: int) -> tuple[float, float]:
    """Steps a second, set-up included, and the mean error over all questions at the end."""
    import torch
    from stable_baselines3 import A2C
    from stable_baselines3.common.env_util import make_vec_env

    from bench.addition import QUESTIONS, Addition, answered, seen

    torch.set_num_threads(1)
    began = time.perf_counter()
    several: Any = make_vec_env(Addition, environments, seed=seed)
    model = A2C("MlpPolicy", several, learning_rate=rate, device="cpu", seed=seed).learn(STEPS)
    took = time.perf_counter() - began
    action, _ = model.predict(seen(QUESTIONS), deterministic=True)
    return model.num_timesteps / took, float(np.abs(answered(action)[:, 0] - QUESTIONS.sum(axis=1)).mean())


def chosen(settings: list[dict[str, Any]]) -> dict[str, Any]:
    """The quickest of those that learn about as well as the best.

    Example:
        >>> chosen([{"error": 0.4, "rate": 500}, {"error": 0.5, "rate": 1500}, {"error": 3, "rate": 9000}])["rate"]
        1500
    """
    best = min(each["error"] for each in settings)
    return max((each for each in settings if each["error"] <= ENOUGH * best), key=lambda each: float(each["rate"]))


def measure(first: int, seeds: int) -> dict[str, Any]:
    """The chosen setting, and all that were tried, from the first on: medians over seeds."""
    tried = []
    for environments, rate in SETTINGS[first:]:
        speeds, errors = zip(*(once(environments, rate, seed) for seed in range(seeds)), strict=True)
        tried.append(
            {
                "environments": environments, "learning_rate": rate, "rate": float(np.median(speeds)),
                "error": float(np.median(errors)), "errors": list(errors), "steps": STEPS,
            }
        )  # fmt: skip
    return {**chosen(tried), "tried": tried}
