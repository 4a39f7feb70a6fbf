"""How right a detector is, how sure that is, and which differences between detectors are real.

Labels are FAKE = 0 and REAL = 1. Precision, recall, average precision, AUROC, TPR and FPR take
**FAKE as positive**, and scores are ``p_fake``, the predicted probability of FAKE. What cannot be
measured (lengths that differ, a missing class, NaN, a value out of range) is a ValueError.
"""
