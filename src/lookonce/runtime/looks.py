"""What the training pictures of a model look like in general, to tell a picture that is quite unlike them.

Six features, mean and standard deviation of each colour, and the Mahalanobis distance from those of the training
pictures. It is a coarse sieve: it tells a photograph of something else, not a rare disease.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lookonce.geometry import FloatArray

#: Share of the training pictures that lie within the limit.
WITHIN_LIMIT = 0.995
#: Added to the variances: pictures of one kind may share a feature exactly.
_LEAST_VARIANCE = 1e-6
#: Of a limit: pictures that are all one have no distance from each other.
_LEAST_LIMIT = 1e-3

Six = Annotated[list[float], Field(min_length=6, max_length=6)]


class Look(BaseModel):
    """Statistics of the features of the training pictures (see `look_features`).

    Attributes
    ----------
    mean : (6,)
    inverse_covariance : (6, 6)
    limit : float
        Mahalanobis distance that all but one in 200 training pictures stay within.
    """

    model_config = ConfigDict(extra="forbid")

    mean: Six
    inverse_covariance: Annotated[list[Six], Field(min_length=6, max_length=6)]
    limit: float = Field(gt=0)

    @classmethod
    def of(cls, features: FloatArray) -> Look:
        """Statistics of the features (N, 6) of training pictures, one or more."""
        mean = features.mean(axis=0)
        away = features - mean
        covariance = away.T @ away / max(len(features) - 1, 1)
        inverse = np.linalg.inv(covariance + _LEAST_VARIANCE * np.eye(features.shape[1]))
        limit = max(float(np.quantile(_distances(features, mean, inverse), WITHIN_LIMIT)), _LEAST_LIMIT)
        return cls(mean=mean.tolist(), inverse_covariance=inverse.tolist(), limit=limit)

    def distance(self, picture: NDArray[np.float32]) -> float:
        """Mahalanobis distance of a picture (3, H, W), 0..1, from the training pictures."""
        features = look_features(picture)[None]
        return float(_distances(features, np.asarray(self.mean), np.asarray(self.inverse_covariance))[0])


def look_features(picture: NDArray[np.float32]) -> FloatArray:
    """Mean of red, green and blue, then their standard deviations (6,), of a picture (3, H, W) in 0..1."""
    pixels = picture.reshape(3, -1).astype(np.float64)
    return np.concatenate([pixels.mean(axis=1), pixels.std(axis=1)])


def _distances(features: FloatArray, mean: FloatArray, inverse: FloatArray) -> FloatArray:
    away = features - mean
    return np.sqrt(np.maximum(np.einsum("nf,fg,ng->n", away, inverse, away), 0))
