"""The search over recipes: what may change, what a change costs, what it is worth, and the study that remembers."""
