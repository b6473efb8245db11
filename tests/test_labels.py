"""Labels are drawn letter by letter."""

import numpy as np

from srgan import labels


def test_letters_stand_in_cells_of_one_width():
    one, two = labels.write("i", 33), labels.write("ii", 33)
    assert one.shape == (22, 33, 3)
    assert one.min() < 64  # dark ink
    assert (one[:, 11:] == 255).all()  # on white
    np.testing.assert_array_equal(two[:, 11:22], one[:, :11])
    assert labels.write("much too long", 30).shape == (22, 30, 3)
