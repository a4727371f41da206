"""The tables: one row a rule.

Tasks, activations, policies, rewards, objectives, regularisers, optimizers, schedules, initialisations,
experiments.
"""
