"""Convolutional networks from Keras to microcontrollers: train, quantize, export, measure."""

__version__ = "0.1.0"
