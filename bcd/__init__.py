"""Greedy block coordinate descent: partitions, selection rules, updates, estimators."""
