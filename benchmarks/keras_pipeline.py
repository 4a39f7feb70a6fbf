"""What a user would write: score a folder of images with Keras and write a table.

``python keras_pipeline.py FOLDER MODEL.keras IMAGE_SIZE OUTPUT.csv``
"""

import csv
import sys

import keras

folder, model, image_size, output = sys.argv[1:]
network = keras.saving.load_model(model, compile=False)
images = keras.utils.image_dataset_from_directory(
    folder,
    labels=None,
    shuffle=False,
    batch_size=256,
    image_size=(int(image_size), int(image_size)),
    verbose=False,
)
p_fake = 1 - keras.ops.sigmoid(network.predict(images, verbose=0)[:, 0]).numpy()
with open(output, "w", encoding="utf-8", newline="") as stream:
    csv.writer(stream).writerows([("path", "p_fake"), *zip(images.file_paths, p_fake, strict=True)])
