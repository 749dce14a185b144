"""``imuforge studio``: a page on this machine where sensors are dragged over the skin of a moving body."""
