"""Attacks on a trained detector, corruptions of its images, and adversarial training.

``attacks`` has FGSM, PGD and the accuracy over epsilon, ``sanity`` the checks against masked
gradients, ``corruptions`` compression, blur, noise and rescaling, ``adversarial`` the training
objective, ``detector`` what all of them ask of a model.
"""
