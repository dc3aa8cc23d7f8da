"""Whether a scan's rows lie the right way round: neighbouring rows of one crystal look alike.

A row that was scanned back and forth but placed straight (or the other way) is turned round against its
neighbours. Only how alike rows are is used, not what the values mean: intensity, or bytes of a stored frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

LEAST_ROWS = 4
LEAST_COLUMNS = 4
LEAST_DIFFERENCE = 0.1
SIGMAS = 3.0


@dataclass(frozen=True, kw_only=True)
class RowOrder:
    """Correlation of neighbouring rows as they are placed, and with every other row turned round.

    ``right`` says whether rows lie the right way round; None where the values cannot tell.
    """

    as_placed: float
    turned: float
    right: bool | None


def row_order(values: Array) -> RowOrder:
    """Compare neighbouring rows of ``values`` (rows, cols), NaN where unknown, both ways round.

    Each correlation is ``sum cov / sum sqrt(var var)`` over the pairs of rows; the difference counts where it
    is over 0.1 and over three standard deviations by leaving out one pair after the other.
    """
    rows, cols = values.shape
    if rows < LEAST_ROWS or cols < LEAST_COLUMNS:
        return RowOrder(as_placed=np.nan, turned=np.nan, right=None)
    straight = np.array([_products(values[row], values[row + 1]) for row in range(rows - 1)])
    turned = np.array([_products(values[row], values[row + 1, ::-1]) for row in range(rows - 1)])
    one, other = _ratio(straight), _ratio(turned)
    if not (np.isfinite(one) and np.isfinite(other)):
        return RowOrder(as_placed=one, turned=other, right=None)
    without = np.array(
        [
            _ratio(np.delete(straight, pair, axis=0)) - _ratio(np.delete(turned, pair, axis=0))
            for pair in range(rows - 1)
        ]
    )
    spread = float(np.sqrt((rows - 2) / (rows - 1) * np.sum((without - without.mean()) ** 2)))
    sure = abs(one - other) > max(LEAST_DIFFERENCE, SIGMAS * spread)
    return RowOrder(as_placed=one, turned=other, right=bool(one > other) if sure else None)


def _products(one: Array, other: Array) -> tuple[float, float]:
    """Covariance of two rows, and the root of the product of their variances, over what both have."""
    both = np.isfinite(one) & np.isfinite(other)
    if np.count_nonzero(both) < LEAST_COLUMNS:
        return 0.0, 0.0
    a, b = one[both] - one[both].mean(), other[both] - other[both].mean()
    return float(a @ b), float(np.sqrt((a @ a) * (b @ b)))


def _ratio(products: Array) -> float:
    total = float(products[:, 1].sum())
    return float(products[:, 0].sum()) / total if total > 0.0 else np.nan
