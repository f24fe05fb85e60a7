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


def group_split(groups: np.ndarray, y: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two disjoint, sorted index sets that cover ``groups``: the rest, and about ``fraction`` of it held back.

    Whole groups are held back, in a random order until the share is reached, but none that has the last samples of a
    class: what is learned from has every class. Where no group can be spared (there is one only, or one for each
    class), the last samples of each class in each group are held back: where samples stand in the order of time, those
    on the two sides meet at one border, not everywhere as in a choice at random.

    Args:
        groups: ``[N]`` group of each sample.
        y: ``[N]`` class indices.
        fraction: Share held back, between 0 and 1.
        seed: Same seed, same split.
    """
    names, group = np.unique(groups, return_inverse=True)
    classes, kind = np.unique(y, return_inverse=True)
    table = np.zeros((len(names), len(classes)), np.int64)
    np.add.at(table, (group, kind), 1)
    left, held = table.sum(axis=0), np.zeros(len(names), bool)
    for one in np.random.default_rng(seed).permutation(len(names)):
        if np.any((table[one] > 0) & (table[one] == left)):
            continue
        held[one] = True
        left -= table[one]
        if table[held].sum() >= fraction * len(groups):
            break
    mask = held[group] if held.any() else _tails(group * len(classes) + kind, fraction)
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def _tails(parts: np.ndarray, fraction: float) -> np.ndarray:
    """Whether each sample, ``[N]``, is among the last of its part; a part of two samples or more has one at least."""
    mask = np.zeros(len(parts), dtype=bool)
    for part in np.unique(parts):
        own = np.flatnonzero(parts == part)
        count = min(max(1, round(len(own) * fraction)), len(own) - 1)
        mask[own[len(own) - count :]] = True
    return mask
