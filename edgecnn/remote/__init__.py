"""Other machines over ssh: what they are, what they need, and how it gets there."""
