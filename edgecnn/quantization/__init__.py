"""From a float network to one of integers, and what that costs."""
