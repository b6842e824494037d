from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA

from models.scoring.measures.subspace import (
    fit_mahalanobis,
    fit_pca_spe,
    fit_pca_t2,
    flat,
    level_and_slope,
    mapped_square,
)

RNG = np.random.default_rng(2)
MIX = RNG.normal(size=(8, 8))
HEALTHY = (RNG.normal(size=(500, 6, 8)) @ MIX).astype(np.float32)
HEALTHY -= HEALTHY.mean(axis=0)
WINDOWS = (RNG.normal(size=(40, 6, 8)) * 2).astype(np.float32)
ZEROS = np.zeros_like


def test_pca_statistics_are_those_of_the_library_s_components() -> None:
    rows = flat(HEALTHY.astype(float))
    variances = np.linalg.eigvalsh(rows.T @ rows / len(rows))
    pca = PCA(int((variances > variances.mean()).sum())).fit(rows)
    new = flat(WINDOWS.astype(float))
    codes = new @ pca.components_.T

    spe = mapped_square(flat)(WINDOWS, ZEROS(WINDOWS), fit_pca_spe(HEALTHY, ZEROS(HEALTHY)))
    t2 = mapped_square(flat)(WINDOWS, ZEROS(WINDOWS), fit_pca_t2(HEALTHY, ZEROS(HEALTHY)))

    unexplained = np.square(new - codes @ pca.components_).sum(axis=1)
    np.testing.assert_allclose(spe.totals, unexplained, rtol=1e-3)
    deviations = pca.explained_variance_ * (len(rows) - 1) / len(rows)
    np.testing.assert_allclose(t2.totals, (codes**2 / deviations).sum(axis=1), rtol=1e-3)


def test_mahalanobis_is_the_distance_by_the_shrunk_covariance() -> None:
    healthy = level_and_slope(HEALTHY.astype(float))
    covariance = healthy.T @ healthy / len(healthy)
    size = len(covariance)
    shrunk = 0.95 * covariance + 0.05 * np.trace(covariance) / size * np.eye(size)
    new = level_and_slope(WINDOWS.astype(float))

    result = mapped_square(level_and_slope)(
        WINDOWS, ZEROS(WINDOWS), fit_mahalanobis(HEALTHY, ZEROS(HEALTHY))
    )

    expected = np.einsum("ni,ij,nj->n", new, np.linalg.inv(shrunk), new)
    np.testing.assert_allclose(result.totals, expected, rtol=1e-4)
    np.testing.assert_allclose(result.channels.sum(axis=1), result.totals, rtol=1e-12)


def test_one_window_scores_the_same_bits_as_in_a_batch() -> None:
    params = fit_pca_spe(HEALTHY, ZEROS(HEALTHY))
    score = mapped_square(flat)
    whole = score(WINDOWS, ZEROS(WINDOWS), params).totals

    single = [score(WINDOWS[i : i + 1], ZEROS(WINDOWS[:1]), params).totals[0] for i in range(40)]

    assert np.array_equal(whole, np.array(single))
