"""Measuring: what is measured, the fresh process that does it, the machine that it runs on."""
