"""Images that are shifted, turned, scaled, or lose pixels or get ink."""
import functools

import networks  # first: it sets the pins before NumPy is imported
import numpy as np
from scipy import ndimage

INK = 255 / 256  # the strongest


def transform(images, matrix, shift=(0, 0)):
    """Return images, (n, 28, 28), resampled: pixel p is taken from matrix @ p + shift.

    So matrix and shift lead from a place in the new image back to the one in the old image. p
    counts rows down and columns to the right, from the centre. Pixels are interpolated linearly,
    are 0 beyond the margin, and are rounded to multiples of 1/256, as MNIST's are.
    """
    centre = np.array([13.5, 13.5])
    offset = centre - matrix @ centre + shift
    moved = [ndimage.affine_transform(image, matrix, offset, order=1) for image in images]
    return np.round(256 * np.array(moved)) / 256


def rotation(degrees):
    """Return the matrix for transform() that turns an image to the left about its centre."""
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def training_pixels():
    """Return the training images as rows of 784 pixels."""
    return networks.notebook().train_set[0].reshape(-1, 784)


@functools.cache
def training_means():
    """Return the means of the 784 pixels over the training images."""
    return training_pixels().mean(axis=0, dtype='float64')


@functools.cache
def pixels_by_variation():
    """Return the indices of the 784 pixels, the least varying (over the training images) first."""
    deviations = training_pixels().std(axis=0, dtype='float64')
    return np.argsort(deviations, kind='stable')


def with_pixels(images, places, values):
    """Return images whose pixels with these indices, 0 to 783, are set to these values."""
    flat = images.reshape(-1, 784).astype('float64')
    flat[:, places] = values
    return flat.reshape(-1, 28, 28)


def with_means(images, places):
    """Return images whose pixels with these indices have their means over the training images."""
    return with_pixels(images, places, training_means()[places])


# What the columns of changed.csv name: functions of images and an amount.
CHANGES = {
    'down': lambda images, pixels: transform(images, np.eye(2), (-pixels, 0)),
    'right': lambda images, pixels: transform(images, np.eye(2), (0, -pixels)),
    'turned': lambda images, degrees: transform(images, rotation(degrees)),
    'scaled': lambda images, per_cent: transform(images, np.eye(2) / (per_cent / 100)),
    'least': lambda images, count: with_means(images, pixels_by_variation()[:count]),
    'most': lambda images, count: with_means(images, pixels_by_variation()[-count:]),
    'ink_on_least': lambda images, count: with_pixels(images, pixels_by_variation()[:count], INK),
    'ink_on_most': lambda images, count: with_pixels(images, pixels_by_variation()[-count:], INK),
}


def changed_at_random(kind, rng, images):
    """Return images turned or scaled, each by an amount that rng draws; or upright, as they are."""
    if kind == 'upright':
        return images
    lowest, highest = {'turned': (-30, 30), 'scaled': (60, 140)}[kind]
    amounts = rng.uniform(lowest, highest, size=len(images))
    changed = [CHANGES[kind](image[None], amount) for image, amount in zip(images, amounts)]
    return np.concatenate(changed)
