"""Training: the loop, the batches, the state after an epoch, Keras objects by name."""
