"""Muon is held against numpy's SVD, a plain numpy step, and Keras' Adam; our Adam likewise."""

import keras
import numpy as np
import pytest

from srgan.train.optimizers import Adam, Muon, orthogonal

KERNEL, THIN, BIAS = (3, 3, 16, 24), (3, 3, 3, 24), (24,)


def arrays(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def run(optimizer, variables, steps, first=0):
    for step in range(first, first + steps):
        optimizer.apply(arrays(100 + step, *(v.shape for v in variables)), variables)


def newton_schulz(matrix, iterations=5):
    """In float64, of the matrix as it is: the product does not care which side is longer."""
    x = matrix.astype(np.float64) / (np.linalg.norm(matrix) + 1e-7)
    for _ in range(iterations):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x


@pytest.mark.parametrize("shape", [(144, 24), (24, 144), (32, 32), (576, 64)])
def test_orthogonal_brings_all_singular_values_near_one(shape):
    (matrix,) = arrays(0, shape)
    values = np.linalg.svd(np.asarray(orthogonal(matrix)), compute_uv=False)
    if shape[0] == shape[1]:  # its smallest singular value is nearly zero, and needs more steps
        values = values[: -shape[0] // 8]
    assert values.min() > 0.65
    assert values.max() < 1.25


def test_orthogonal_keeps_the_singular_vectors():
    (matrix,) = arrays(0, (144, 24))
    u, _, vt = np.linalg.svd(matrix, full_matrices=False)
    turned = u.T @ np.asarray(orthogonal(matrix)) @ vt.T
    np.testing.assert_allclose(turned, np.diag(np.diag(turned)), atol=1e-4)
    assert np.abs(np.diag(turned) - 1).max() < 0.35


def test_orthogonal_lifts_directions_a_hundred_times_weaker():
    left, right = (np.linalg.qr(x)[0] for x in arrays(0, (40, 8), (8, 8)))
    matrix = left @ np.diag(np.geomspace(1, 0.01, 8)) @ right.T
    values = np.linalg.svd(np.asarray(orthogonal(matrix.astype(np.float32))), compute_uv=False)
    assert values.min() > 0.65


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_orthogonal_does_not_depend_on_the_size_of_the_matrix(scale):
    (matrix,) = arrays(0, (30, 20))
    np.testing.assert_allclose(orthogonal(scale * matrix), orthogonal(matrix), atol=0.02)


def test_orthogonal_of_zero_is_zero():
    np.testing.assert_array_equal(orthogonal(np.zeros((4, 6), np.float32)), 0)


@pytest.mark.parametrize("shape", [KERNEL, (3, 3, 64, 16)])
def test_steps_of_a_kernel_equal_numpy_s(shape):
    start, *gradients = arrays(0, shape, shape, shape, shape)
    variable = keras.Variable(start)
    optimizer = Muon(0.01, momentum=0.9)
    expected, momentum = start.astype(np.float64), np.zeros(shape)
    rows, columns = np.prod(shape[:3]), shape[3]
    for gradient in gradients:
        optimizer.apply([gradient], [variable])
        momentum = 0.9 * momentum + gradient
        update = newton_schulz((gradient + 0.9 * momentum).reshape(rows, columns))
        expected -= 0.01 * 0.2 * np.sqrt(max(rows, columns)) * update.reshape(shape)
    np.testing.assert_allclose(variable, expected, atol=1e-5)


def test_a_step_has_the_root_mean_square_of_adam_s():
    variable = keras.Variable(np.zeros(KERNEL, np.float32))
    Muon(1.0).apply(arrays(0, KERNEL), [variable])
    assert np.sqrt(np.mean(variable.numpy() ** 2)) == pytest.approx(0.2, rel=0.2)


@pytest.mark.parametrize("shape", [BIAS, THIN, (9, 9, 24, 3), (24, 24)])
def test_vectors_and_thin_kernels_are_adam_s_at_half_the_learning_rate(shape):
    mine, theirs = (keras.Variable(arrays(0, shape)[0]) for _ in range(2))
    # Keras adds its epsilon before the correction for bias, a factor of 10 at the first step.
    adam = keras.optimizers.Adam(0.01, beta_1=0.9, beta_2=0.99, epsilon=1e-9)
    run(Muon(0.02), [mine], steps=5)
    run(adam, [theirs], steps=5)
    np.testing.assert_allclose(mine, theirs, atol=1e-6)
    assert np.abs(mine.numpy() - arrays(0, shape)[0]).max() > 0.01


def test_a_schedule_and_the_joint_norm_are_honoured():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.01, 0.0])
    variables = [keras.Variable(x) for x in arrays(0, KERNEL, BIAS)]
    optimizer = Muon(schedule, global_clipnorm=1.0)
    run(optimizer, variables, steps=1)
    norm = np.sqrt(sum(np.sum(np.square(first)) for first in _moments(optimizer, variables)))
    assert norm == pytest.approx(1.0, rel=1e-4)
    after = [variable.numpy() for variable in variables]
    run(optimizer, variables, steps=1, first=1)  # at a learning rate of zero
    for variable, expected in zip(variables, after, strict=True):
        np.testing.assert_array_equal(variable, expected)


def _moments(optimizer, variables):
    """The first moments after one step, as gradients: Adam's is a tenth of it."""
    found = [v for v in optimizer.variables if "first" in v.name]
    shares = [1.0 if len(v.shape) == 4 else 0.1 for v in variables]
    return [m.numpy() / share for m, share in zip(found, shares, strict=True)]


def test_a_second_optimizer_with_its_state_goes_on_exactly():
    shapes = (KERNEL, THIN, BIAS)
    straight, resumed = ([keras.Variable(x) for x in arrays(0, *shapes)] for _ in range(2))
    run(Muon(0.01), straight, steps=6)

    first = Muon(0.01)
    run(first, resumed, steps=3)
    saved: dict = {}
    first.save_own_variables(saved)
    second = Muon(0.01)
    second.build(resumed)
    second.load_own_variables(saved)
    assert int(second.iterations) == 3
    run(second, resumed, steps=3, first=3)
    for found, expected in zip(resumed, straight, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_state_has_two_moments_for_adam_and_one_for_muon():
    optimizer = Muon(0.01)
    optimizer.build([keras.Variable(x) for x in arrays(0, KERNEL, BIAS)])
    shapes = sorted(tuple(v.shape) for v in optimizer.variables if len(v.shape))
    assert shapes == sorted([KERNEL, BIAS, BIAS])


def test_it_descends_a_quadratic():
    target, start = arrays(0, KERNEL, KERNEL)
    variable = keras.Variable(start)
    optimizer = Muon(keras.optimizers.schedules.CosineDecay(0.3, 60))
    for _ in range(60):
        optimizer.apply([variable.numpy() - target], [variable])
    assert np.mean((variable.numpy() - target) ** 2) < 0.05 * np.mean((start - target) ** 2)


def test_a_configuration_makes_the_same_optimizer_again():
    first = Muon(0.01, momentum=0.8, smallest=4, global_clipnorm=0.5)
    again = Muon.from_config(first.get_config())
    assert again.get_config() == first.get_config()
    assert again.momentum == 0.8
    assert again.global_clipnorm == 0.5


@pytest.mark.parametrize("options", [{}, {"global_clipnorm": 3.0}, {"global_clipnorm": 1e9}])
@pytest.mark.parametrize("batches", [None, 2])
def test_adam_does_as_that_of_keras(options, batches):
    options |= {"beta_2": 0.99, "gradient_accumulation_steps": batches}
    ours, theirs = (
        [keras.Variable(array) for array in arrays(0, KERNEL, THIN, BIAS)] for _ in range(2)
    )
    optimizers = Adam(0.01, **options), keras.optimizers.Adam(0.01, **options)
    for optimizer, variables in zip(optimizers, (ours, theirs), strict=True):
        run(optimizer, variables, 6)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    for one, other in zip(optimizers[0].variables, optimizers[1].variables, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_adam_lets_a_norm_that_is_not_finite_reach_all_weights():
    variables = [keras.Variable(array) for array in arrays(0, (4,), (4,))]
    Adam(0.01, global_clipnorm=1.0).apply(
        [np.array([1, 1, np.inf, 1], np.float32), np.ones(4, np.float32)], variables
    )
    assert not any(np.isfinite(variable).any() for variable in variables)
