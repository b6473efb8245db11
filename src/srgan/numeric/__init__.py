"""Arithmetic on arrays of pixels: resizing, the consistency projection, color planes.

numpy alone. Knows neither files nor models.
"""
