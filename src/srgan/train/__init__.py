"""Training: needs `pip install srgan[train]`. Nothing outside this package imports it."""
