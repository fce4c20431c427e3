"""The exact preprocessing of PYSKL, for its published weights and numbers; our own features are in features.py.

Facts from PYSKL (Duan et al., ACM MM 2022) as measured on its outputs. Order in its pipelines: normalise, features
(bone before motion), uniform sampling, format. Every step, also those of training, is in reference/.
"""

from models.skeleton.reference.features import Feature, bones, features, motion
from models.skeleton.reference.format import format_people
from models.skeleton.reference.normalise import Alignment, normalise_2d, normalise_3d
from models.skeleton.reference.sampling import sample_for_test, sample_for_training

__all__ = [
    "Alignment",
    "Feature",
    "bones",
    "features",
    "format_people",
    "motion",
    "normalise_2d",
    "normalise_3d",
    "sample_for_test",
    "sample_for_training",
]
