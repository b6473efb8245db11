"""Labels are drawn letter by letter."""

import numpy as np

from srgan.io.text import draw_text


def test_letters_stand_in_cells_of_one_width():
    one, two = draw_text("i", 33), draw_text("ii", 33)
    assert one.shape == (22, 33, 3)
    assert one.min() < 64  # dark ink
    assert (one[:, 11:] == 255).all()  # on white
    np.testing.assert_array_equal(two[:, 11:22], one[:, :11])
    assert draw_text("much too long", 30).shape == (22, 30, 3)
