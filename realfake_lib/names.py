"""Names of the code in words, for tables, figures and text.

Results keep the code's names: metrics, and tables in their CSV files.
"""

from realfake_lib.data.sample_grids import GENERATORS

TRAININGS = {
    "random_frozen": "random weights, frozen",
    "frozen": "ImageNet, frozen",
    "finetuned": "ImageNet, fine-tuned",
    "finetuned_few": "ImageNet, fine-tuned on few images",
    "scratch": "from scratch",
    "objects_frozen": "object classes, frozen",
    "from_objects": "object classes, fine-tuned",
}
"""End of a model's name to how it was trained."""

NAMES = {
    # detectors
    "baseline_original_recipe": "baseline, original recipe",
    "hard_labels": "hard labels",
    "detector.tta": "detector with TTA",
    # backbones
    "efficientnet_lite0": "EfficientNet-Lite0",
    "efficientnetv2b0": "EfficientNetV2-B0",
    "mobilenet": "MobileNet",
    "resnet50": "ResNet50",
    "vgg16": "VGG16",
    # augmentations
    "flip_crop": "flip and crop",
    "flip_cutout": "flip and cutout",
    "flip_jitter": "flip, brightness and contrast",
    # attacks and corruptions
    "fgsm": "FGSM",
    "pgd": "PGD",
    "none": "unchanged",
    "gaussian_noise": "Gaussian noise",
    "shot_noise": "shot noise",
    "impulse_noise": "impulse noise",
    "gaussian_blur": "Gaussian blur",
    "motion_blur": "motion blur",
    "defocus_blur": "defocus blur",
    "rescale": "rescaled, bicubic",
    "rescale_bilinear": "rescaled, bilinear",
    "rescale_lanczos": "rescaled, Lanczos",
    "pixelate": "pixelated",
    "crop": "cropped",
    "shift": "shifted",
    "jpeg": "JPEG",
    "jpeg_twice": "JPEG twice",
    "webp": "WebP",
    "avif": "AVIF",
} | {name: one.title for name, one in GENERATORS.items()}
"""Name to words; a name that is not here is shown as it is."""


def in_words(name):
    """A name of the code in words.

    It is one of :data:`NAMES`; ``<network>_<end>``, with an end of :data:`TRAININGS`; or either
    with ``", seed 0"`` behind it. Any other is returned as it is.
    """
    name, comma, rest = name.partition(", ")
    if name in NAMES:
        return NAMES[name] + comma + rest
    for end in sorted(TRAININGS, key=len, reverse=True):
        if name.endswith(f"_{end}"):
            network = name.removesuffix(f"_{end}")
            return f"{NAMES.get(network, network)}, {TRAININGS[end]}{comma}{rest}"
    return name + comma + rest
