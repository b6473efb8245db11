"""How good results are: measures, datasets, evaluations with intervals, the report.

`metrics` and `artifacts` measure arrays by `protocols`, and `measures` has their labels;
`evaluation` scores models on datasets, and keeps `results`, which `summary` makes means of, and
`statistics` says how sure they are; `tables`, `plane`, `sheet` and `report` show them, and
`published` has what papers say; `uncertainty` predicts a model's error. Knows nothing of training.
"""
