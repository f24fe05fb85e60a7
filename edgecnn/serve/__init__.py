"""Predictions on the device: JSON lines, a folder, a camera, HTTP; self-test and systemd unit. Base install only."""
