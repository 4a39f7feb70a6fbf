"""Attacks on a trained detector, corruptions of its images, and a simple defence.

``attacks`` has FGSM, PGD and the accuracy over epsilon, ``sanity`` the checks against masked
gradients, ``corruptions`` compression, blur, noise and rescaling, ``adversarial`` the fine-tuning
on attacked images, ``external`` the attacks of the Foolbox package, ``detector`` what all of them
ask of a model.
"""
