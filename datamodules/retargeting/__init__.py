"""From a foreign skeleton to ours: joint maps, rest poses, retargeting."""
