"""What makes photos bad training data: copies, leaks into test sets, faults, pairs that do not fit.

`audit.check` looks for all of it. Needs OpenCV.
"""
