"""Images that are shifted, turned, scaled, or lose pixels or get ink."""
import functools

import networks  # first: it sets the pins before NumPy is imported
import numpy as np
from scipy import ndimage


def transform(images, matrix, shift=(0, 0)):
    """Return images, (n, 28, 28), resampled: pixel p is taken from matrix @ p + shift.

    p counts rows down and columns to the right, from the centre. Pixels are interpolated linearly,
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


def with_pixels(images, pixels, values):
    """Return images whose pixels with these indices, 0 to 783, are set to these values."""
    flat = images.reshape(-1, 784).astype('float64')
    flat[:, pixels] = values
    return flat.reshape(-1, 28, 28)


def with_ink_on(images, pixels):
    """Return images whose pixels with these indices, 0 to 783, have the strongest ink."""
    return with_pixels(images, pixels, 255 / 256)


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


def changed(images, change, amount):
    """Return images after one of the changes that the columns of changed.csv name."""
    least = pixels_by_variation()[:amount] if 'least' in change else None
    most = pixels_by_variation()[-amount:] if 'most' in change else None
    if change == 'down':
        return transform(images, np.eye(2), (-amount, 0))
    if change == 'right':
        return transform(images, np.eye(2), (0, -amount))
    if change == 'turned':
        return transform(images, rotation(amount))
    if change == 'scaled':
        return transform(images, np.eye(2) / (amount / 100))
    if change == 'least':
        return with_pixels(images, least, training_means()[least])
    if change == 'most':
        return with_pixels(images, most, training_means()[most])
    if change == 'ink_on_least':
        return with_ink_on(images, least)
    if change == 'ink_on_most':
        return with_ink_on(images, most)
    raise ValueError('no change is called %s' % change)


def random_changes(kind, rng, shape):
    """Return a function for networks.train(): it changes each image by an amount of its own.

    kind: upright (no change), turned or scaled. shape: (steps, n). rng draws the amounts.
    """
    lowest, highest = {'upright': (0, 0), 'turned': (-30, 30), 'scaled': (60, 140)}[kind]
    amounts = rng.uniform(lowest, highest, size=shape)

    def change(k, images):
        if kind == 'upright':
            return images
        return np.concatenate([changed(image[None], kind, amount)
                               for image, amount in zip(images, amounts[k])])

    return change
