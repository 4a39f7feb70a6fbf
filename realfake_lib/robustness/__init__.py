"""Attacks on a trained detector, corruptions of its images, and adversarial training.

``attacks`` has FGSM, PGD, Square and the accuracy over epsilon, ``minimum_norm`` foolbox's attacks
for the smallest change, ``worst_case`` what withstands several of them, ``sanity`` the checks
against masked gradients, ``corruptions`` compression, blur, noise and rescaling, ``detector`` what
all of them ask of a model.
"""
