"""The plane has a point for each method where its scores are, and labels that can be read."""

from xml.etree import ElementTree

import pytest

from srgan.quality import plane

SVG = "{http://www.w3.org/2000/svg}"


def drawn(found):
    return ElementTree.fromstring(plane.draw(found))


def test_points_lie_where_the_scores_are(make_evaluation):
    offsets = {"bicubic": 20, "blend @ 0.00": 12, "blend @ 1.00": 5, "<b>&": 1}
    root = drawn(make_evaluation(offsets=offsets, curve="blend"))
    points = [(float(c.get("cx")), float(c.get("cy"))) for c in root.iter(f"{SVG}circle")]
    assert len(points) == 4 * len(list(root.iter(f"{SVG}g"))[::2])
    # PSNR falls from method to method, and LPIPS, whose axis runs upwards, does too.
    across, down = zip(*points[:4], strict=True)
    assert list(across) == sorted(across, reverse=True)
    assert list(down) == sorted(down)
    steps = {round(points[k][0] - points[k + 1][0], 1) for k in range(3)}
    assert max(steps) - min(steps) <= 0.11  # even ones
    assert len(list(root.iter(f"{SVG}polyline"))) == len(points) // 4  # joins the two settings
    assert {"<b>&", "blend @ 0.00"} <= {text.text for text in root.iter(f"{SVG}text")}


def test_each_dataset_is_a_panel_with_its_number_of_photos(make_evaluation):
    found = make_evaluation(cases=[("One", "a"), ("Two", "b"), ("Two", "c")])
    root = drawn(found)
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert "One, n = 1" in texts
    assert "Two, n = 2" in texts
    assert root.get("width") == "840"


def test_labels_of_points_in_one_place_do_not_cover_each_other(make_evaluation):
    found = make_evaluation([("Made", "one")], offsets={f"method {k}": k for k in range(6)})
    root = drawn(found)
    boxes = [
        (float(text.get("x")), float(text.get("y")))
        for text in root.iter(f"{SVG}text")
        if text.text.startswith("method")
    ]
    assert len(set(boxes)) == len(boxes)
    for k, (x, y) in enumerate(boxes):
        assert all(abs(x - a) > 50 or abs(y - b) >= 11 for a, b in boxes[k + 1 :])


def test_without_hr_images_there_is_nothing_to_draw(make_evaluation):
    with pytest.raises(ValueError, match="no PSNR and LPIPS to draw; they need HR images"):
        plane.draw(make_evaluation(referenced=False))
