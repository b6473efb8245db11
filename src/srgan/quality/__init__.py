"""How good results are: measures, datasets, evaluations with intervals, the report.

`metrics` and `artifacts` measure arrays, and `measures` has their labels; `evaluation` scores
models on datasets, and keeps `results`; `report` shows them as one page; `uncertainty` predicts a
model's error. Knows nothing of training.
"""
