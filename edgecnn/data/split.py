"""Deterministic, stratified choices of samples. The same arguments give the same indices on every machine."""

from __future__ import annotations

import numpy as np


def _shares(counts: np.ndarray, total: int) -> np.ndarray:
    """``total`` divided over classes in proportion to ``counts``, by largest remainder; ``[classes]`` integers."""
    exact = counts * (total / counts.sum())
    shares: np.ndarray = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - shares), kind="stable")
    shares[order[: total - int(shares.sum())]] += 1
    return shares


def stratified_subset(y: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Indices of ``count`` samples whose classes stand in the proportion of ``y``, sorted.

    Args:
        y: ``[N]`` class indices.
        count: How many; ``N`` or more gives all.
        seed: Same seed, same choice.
    """
    if count >= len(y):
        return np.arange(len(y))
    generator = np.random.default_rng(seed)
    classes, counts = np.unique(y, return_counts=True)
    chosen = [
        generator.permutation(np.flatnonzero(y == label))[:share]
        for label, share in zip(classes, _shares(counts, count), strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def stratified_split(y: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two disjoint, sorted index sets that cover ``y``: the rest, and about ``fraction`` of it held back.

    Args:
        y: ``[N]`` class indices.
        fraction: Share held back, between 0 and 1; at least one sample and never all.
        seed: Same seed, same split.
    """
    held = stratified_subset(y, min(max(1, round(len(y) * fraction)), len(y) - 1), seed)
    mask = np.ones(len(y), dtype=bool)
    mask[held] = False
    return np.flatnonzero(mask), held


def group_split(groups: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two disjoint, sorted index sets: the rest, and whole groups with about ``fraction`` of the samples held back.

    Groups are taken in a random order until the share is reached; one is always held back, and one always left.

    Args:
        groups: ``[N]`` group of each sample.
        fraction: Share held back, between 0 and 1.
        seed: Same seed, same split.

    Raises:
        ValueError: There are not two groups.
    """
    names, counts = np.unique(groups, return_counts=True)
    if len(names) < 2:
        raise ValueError("a split by group needs two groups")
    order = np.random.default_rng(seed).permutation(len(names))
    reached = np.cumsum(counts[order])
    held = min(1 + int(np.sum(reached < fraction * len(groups))), len(names) - 1)
    mask = np.isin(groups, names[order[:held]])
    return np.flatnonzero(~mask), np.flatnonzero(mask)
