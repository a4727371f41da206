"""`python -m bench.peers`: what Stable-Baselines3's A2C and PPO reach on one-step addition, and in how many samples."""

import time
from typing import Any

import numpy as np

SEEDS = range(3)
A2C_STEPS, PPO_STEPS = 10_000, 40_000
SMALL = {"n_steps": 64, "batch_size": 64, "learning_rate": 1e-3}  # of PPO, whose defaults are for long episodes


def trained(name: str, steps: int, seed: int, settings: dict[str, Any]) -> tuple[float, float]:
    """Mean and largest error over all questions, of the answer without chance."""
    import stable_baselines3
    import torch

    from bench.addition import QUESTIONS, Addition, answered, seen

    torch.set_num_threads(1)
    model = getattr(stable_baselines3, name)("MlpPolicy", Addition(), device="cpu", seed=seed, **settings).learn(steps)
    action, _ = model.predict(seen(QUESTIONS), deterministic=True)
    errors = np.abs(answered(action)[:, 0] - QUESTIONS.sum(axis=1))
    return float(errors.mean()), float(errors.max())


def main() -> None:
    """Train each with a few seeds, and print a line each."""
    for label, name, steps, settings in (
        ("A2C, defaults", "A2C", A2C_STEPS, {}),
        ("PPO, defaults", "PPO", PPO_STEPS, {}),
        ("PPO, small batches", "PPO", PPO_STEPS, SMALL),
    ):
        began = time.perf_counter()
        mean, most = np.array([trained(name, steps, seed, settings) for seed in SEEDS]).T
        solved = int((most < 0.5).sum())
        each = (time.perf_counter() - began) / len(SEEDS)
        print(
            f"{label}: {steps:,} samples, mean error {np.median(mean):.2f} ({mean.min():.2f} to {mean.max():.2f}), "
            f"solved {solved} of {len(SEEDS)}, {each:.0f} s a run",
            flush=True,
        )


if __name__ == "__main__":
    main()
