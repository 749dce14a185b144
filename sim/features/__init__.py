"""HumanML3D's 263-number motion features (Guo et al., CVPR 2022): joint positions in, features out, and back.

A frame holds, seen from the person's heading: root turn, root velocity, root height, joint positions, joint rotations,
joint velocities, foot contacts (:data:`FEATURE_SLICES`), all per frame at 20 fps, not per second. The joint rotations
are swing only: they turn the bone that *ends* at the joint and carry no twist, so a gyroscope cannot be derived from
them; use sim.pose_fit.
"""

from sim.conventions import DECODERS, Decoder
from sim.features.decode import (
    POSITION_STD_M,
    STEP_STD_M,
    check_decoder,
    features_to_joints,
    features_to_motion,
    features_to_root,
)
from sim.features.encode import (
    CONTACT_THRESHOLD_M2,
    HEADING_SIGMA_FRAMES,
    canonicalise,
    foot_contacts,
    joints_to_features,
)
from sim.features.layout import FEATURE_SLICES, FeatureSlices

__all__ = [
    "CONTACT_THRESHOLD_M2",
    "DECODERS",
    "FEATURE_SLICES",
    "HEADING_SIGMA_FRAMES",
    "POSITION_STD_M",
    "STEP_STD_M",
    "Decoder",
    "FeatureSlices",
    "canonicalise",
    "check_decoder",
    "features_to_joints",
    "features_to_motion",
    "features_to_root",
    "foot_contacts",
    "joints_to_features",
]
