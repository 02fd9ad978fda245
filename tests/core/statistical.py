"""One-sided and two-sided checks with a stated rate of false alarms."""

from __future__ import annotations

import numpy as np
from scipy import stats

# Chance that any check of a family of about 1000 fails on right code. All keys are fixed, so it is paid once.
FAMILY = 1e-6
ALARM = FAMILY / 1000


def z_limit(alarm=ALARM):
    """|z| that a normal exceeds with chance `alarm`: 6.1."""
    return stats.norm.isf(alarm / 2)


def z_mean(sample, expected):
    """Standard errors by which the mean of a sample is off."""
    return (sample.mean() - expected) / (sample.std() / np.sqrt(sample.size))


def assert_mean(sample, expected, what=""):
    """The mean of independent numbers, within the false-alarm rate."""
    z = z_mean(np.asarray(sample, np.float64), expected)
    assert abs(z) < z_limit(), (what, z)


def assert_law(sample, cdf, what=""):
    """Kolmogorov-Smirnov against an exact continuous law."""
    p = stats.kstest(sample, cdf).pvalue
    assert p > ALARM, (what, p)


def assert_count(count, trials, chance, what=""):
    """An exact binomial test."""
    p = stats.binomtest(int(count), int(trials), chance).pvalue
    assert p > ALARM, (what, p)
