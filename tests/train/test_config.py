"""Configurations: what a mistake says, and that a file means what it says."""

import pytest
import tomli_w

from srgan.train import config, config_file
from srgan.train.recipes import RECIPES


def read(tmp_path, text):
    file = tmp_path / "config.toml"
    file.write_text(text)
    return config_file.read(file)


def test_an_empty_file_is_the_default(tmp_path):
    assert read(tmp_path, "") == config.Config()


def test_a_value_replaces_only_itself(tmp_path):
    changed = read(tmp_path, "[pretrain]\nsteps = 7\nwarmup = 0\n")
    assert changed.pretrain == config.Pretrain(steps=7, warmup=0)
    assert changed.adversarial == config.Adversarial()


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_survive_the_way_through_a_file(tmp_path, name):
    recipe = RECIPES[name]
    assert read(tmp_path, tomli_w.dumps(recipe.model_dump(mode="json"))) == recipe


def test_a_misspelt_key_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"config\.toml: pretrain\.stepz: there is no such field"):
        read(tmp_path, "[pretrain]\nstepz = 7\n")


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("[pretrain]\nlearningrate = 7.0", "pretrain.learningrate: .* mean learning_rate?"),
        ("[adverserial]\nsteps = 7", "adverserial: .* mean adversarial?"),
        (
            '[generator]\narchitecture = "residul"',
            r"generator: .*'residul'; did you mean residual\?$",
        ),
        ("[degradation]\nnoises = [0, 1]", "degradation.noises: .*mean noise?"),
    ],
)
def test_the_nearest_name_is_said(tmp_path, wrong, meant):
    with pytest.raises(ValueError, match=meant):
        read(tmp_path, wrong)


def test_values_are_changed_one_by_one():
    changes = [
        "pretrain.steps=2000",
        "adversarial.adversarial=relativistic",
        "generator.filters = 24",
        "adversarial.taps.conv2_2=1",
        "degradation.blur=[0.1, 0.2]",
    ]
    found = config_file.override(RECIPES["own-x4"], changes)
    own = RECIPES["own-x4"]
    assert found.pretrain == own.pretrain.model_copy(update={"steps": 2000})
    assert found.adversarial.adversarial == "relativistic"
    assert found.adversarial.steps == own.adversarial.steps
    assert found.generator == config.Residual(filters=24)
    assert found.degradation.blur == (0.1, 0.2)
    for recipe in RECIPES.values():
        assert config_file.override(recipe, []) == recipe


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ("learningrate=7", r"did you mean pretrain\.learning_rate or adversarial\.learning_rate\?"),
        ("blurr=7", r"blurr: there is no such field; did you mean degradation\.blur\?$"),
        ("pretrain.learningrate=7", r"=7: pretrain\.learningrate: .*did you mean learning_rate"),
        ("pretrain.steps=few", r"--set pretrain\.steps=few: .* a valid integer.*; got 'few'"),
        ("pretrain.hr_patch=130", "not a multiple of scale"),
        ("seed", r"--set seed: expected KEY=VALUE, as pretrain\.steps=2000"),
        ("scale.of=4", "scale is a value"),
    ],
)
def test_a_change_is_validated_as_a_file_is(change, match):
    with pytest.raises(ValueError, match=match):
        config_file.override(config.Config(scale=4), [change])


def test_every_mistake_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"(?s)seed: .*\n.*adversarial\.ema: "):
        read(tmp_path, "seed = -1\n[adversarial]\nema = 1.0\n")


def test_an_hr_patch_that_is_no_multiple_of_the_scale_says_which_one_is(tmp_path):
    with pytest.raises(ValueError, match=r"hr_patch=130 is not a multiple of scale=4; try 128"):
        read(tmp_path, "[pretrain]\nhr_patch = 130\n")


def test_a_warm_up_longer_than_the_stage_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"pretrain\.warmup=200 leaves nothing"):
        read(tmp_path, "[pretrain]\nsteps = 100\n")


def test_a_window_larger_than_the_patch_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"adversarial\.window=160 is larger than"):
        read(tmp_path, "[adversarial]\nwindow = 160\n")


def test_degraded_photos_are_not_to_be_reproduced(tmp_path):
    degrade = "[degradation]\nversions = 8\n"
    with pytest.raises(
        ValueError, match=r"projection=4 .*versions=8 degrades; set projection to 0"
    ):
        read(tmp_path, degrade)
    assert read(tmp_path, f"projection = 0\n{degrade}").degradation.quality == (30, 95)


@pytest.mark.parametrize("wrong", ["blur = [2, 1]", "quality = [90, 30]"])
def test_a_range_begins_with_its_lower_limit(tmp_path, wrong):
    with pytest.raises(ValueError, match=r"degradation\..*expected the lower limit first"):
        read(tmp_path, f"projection = 0\n[degradation]\n{wrong}\n")


@pytest.mark.parametrize("wrong", ["blur = [0, 1000]", "noise = [0, 999]", "quality = [0, 50]"])
def test_no_photo_is_degraded_beyond_reason(tmp_path, wrong):
    with pytest.raises(ValueError, match=r"degradation\..*should be (less|greater) than or equal"):
        read(tmp_path, f"projection = 0\n[degradation]\n{wrong}\n")


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ('architecture = "residual"\ngrowth = 32', "growth"),
        ("normalisation = true", "normalisation"),  # of the default architecture
        ('architecture = "rrdbnet"\nhr_filters = 16', "hr_filters"),
        ('architecture = "srresnet"\ngrowht = 3', "growht"),
    ],
)
def test_a_field_of_another_architecture_is_an_error_as_a_misspelt_one_is(tmp_path, table, wrong):
    with pytest.raises(
        ValueError,
        match=rf"generator\.{wrong}: there is no such field of \w+; (did you mean|expected one of)",
    ):
        read(tmp_path, f"[generator]\n{table}\n")


def test_a_field_that_the_discriminator_does_not_have_is_an_error(tmp_path):
    text = '[adversarial]\nperceptual_weight = 0\ndiscriminator_head = "{}"\nvgg = "vgg19"\n'
    with pytest.raises(ValueError, match=r"adversarial\.vgg has no effect: .* 'pooled' has no"):
        read(tmp_path, text.format("pooled"))
    assert read(tmp_path, text.format("features")).adversarial.vgg == "vgg19"


def test_an_unknown_architecture_is_named(tmp_path):
    with pytest.raises(
        ValueError,
        match=r"generator: there is no architecture 'vit'; expected one of residual, srres",
    ):
        read(tmp_path, '[generator]\narchitecture = "vit"\n')


def test_a_configuration_that_version_0_1_wrote_is_read(tmp_path, caplog):
    found = read(
        tmp_path,
        """
        [generator]
        architecture = "residual"
        filters = 32
        blocks = 8
        hr_filters = 0
        normalisation = false
        activation = "prelu"
        growth = 32

        [pretrain]
        draws = 2
        """,
    )
    assert found.generator == config.Residual(filters=32, blocks=8, hr_filters=0)
    assert found.pretrain == config.Pretrain(crop_candidates=2)
    assert "pretrain.draws is now called crop_candidates" in caplog.text


def test_nothing_to_train_is_refused(tmp_path):
    text = "[pretrain]\nsteps = 0\n[adversarial]\nsteps = 0\n"
    with pytest.raises(ValueError, match="both 0: nothing to train"):
        read(tmp_path, text)


def test_a_broken_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"config\.toml is not a TOML file"):
        read(tmp_path, "steps = = 7")


def test_yaml_of_other_projects_is_told_as_what_it_is(tmp_path):
    (tmp_path / "train.yml").write_text("name: ESRGAN\nscale: 4\n")
    with pytest.raises(ValueError, match="of BasicSR, neosr and others are not read; srgan recip"):
        config_file.read(tmp_path / "train.yml")


def test_a_configuration_cannot_change_during_the_run():
    with pytest.raises(ValueError, match="frozen"):
        config.Config().seed = 1


TEACHER = '[teacher]\nmodel = "srgan-fast-x4"\n'


def test_a_teacher_is_named_with_shares_for_each_loss(tmp_path):
    teacher = read(tmp_path, f"{TEACHER}pixel = 0.3\nadversarial = 0.0\n").teacher
    assert (teacher.pixel, teacher.perceptual, teacher.adversarial) == (0.3, 0.0, 0.0)
    assert teacher.taught(teacher.pixel, 8) == 2  # of 2.4 crops
    assert config.Teacher().taught(1.0, 8) == 0  # there is none


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[teacher]\ncrops = 7\n", "teacher.crops has no effect without teacher.model"),
        (f"{TEACHER}side = 47\n", r"pretrain.hr_patch=128 is larger than the 124 pixels.*to 48 or"),
        (
            f"{TEACHER}pixel = 0.03\nadversarial = 0.05\n",
            "No crop of a batch learns from the",
        ),
        (f"{TEACHER}pixels = 1.0\n", "teacher.pixels: there is no such field; did you mean pixel"),
    ],
)
def test_a_teacher_that_nobody_could_learn_from_is_explained(tmp_path, text, expected):
    with pytest.raises(ValueError, match=expected):
        read(tmp_path, text)


def test_the_network_that_was_called_compact_is_read_by_its_old_name(tmp_path, caplog):
    found = read(tmp_path, '[generator]\narchitecture = "compact"\nfilters = 32\n')
    assert found.generator == config.Residual(filters=32)
    assert "The architecture compact is now called residual." in caplog.text


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ("milestones = [5]", r'milestones has no effect; set schedule to "step"'),
        ('schedule = "step"', "needs decay_every, or milestones"),
        ('schedule = "step"\nmilestones = [7, 3]', "do not rise"),
        ('schedule = "step"\nmilestones = [9000]', "not all before steps=5000"),
        ("accumulate = 3", "steps=5000 is no multiple of accumulate=3; try 4998"),
        ("r1_weight = 1", "set discriminator_normalised to false"),
        ('discriminator_head = "unet"\nwindow = 92', "window=92 is no multiple of 8"),
        ("cutblur = 0.5", "cutblur has no effect on LR images that are not degraded"),
    ],
)
def test_what_has_no_effect_or_cannot_work_in_stage_two_is_refused(tmp_path, table, match):
    with pytest.raises(ValueError, match=match):
        read(tmp_path, f"[adversarial]\n{table}\n")


def test_a_sweep_has_a_configuration_for_each_value():
    found = config_file.sweep(config.Config(), "adversarial.adversarial_weight=1, 3")
    weights = {name: one.adversarial.adversarial_weight for name, one in found.items()}
    assert weights == {
        "adversarial.adversarial_weight=1": 1.0,
        "adversarial.adversarial_weight=3": 3.0,
    }


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ("seed=", "at least one value"),
        ("seed=1,1", "none of them twice"),
        ("=1,2", "expected KEY=A,B,C"),
        ("sed=1", r"--sweep sed=1: sed: .*did you mean seed"),
        ("seed=1,x", r"--sweep seed=x: seed: Input should be a valid integer.*; got 'x'"),
        (
            "pretrain.steps=900,1",
            r"--sweep pretrain\.steps=1: .*leaves nothing of pretrain\.steps=1",
        ),
    ],
)
def test_a_sweep_over_nothing_is_refused(values, match):
    with pytest.raises(ValueError, match=match):
        config_file.sweep(config.Config(), values)


def test_a_file_may_be_named_by_text(tmp_path):
    (tmp_path / "mine.toml").write_text("seed = 7")
    assert config_file.read(str(tmp_path / "mine.toml")).seed == 7
