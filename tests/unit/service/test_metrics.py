from __future__ import annotations

from anchor.service.metrics import Sample, render_metrics


def test_samples_of_one_name_stand_together_under_one_header():
    samples = [
        Sample("a_total", "counts a", "counter", 3, (("k", "x"),)),
        Sample("b", "shows b", "gauge", 0.25),
        Sample("a_total", "counts a", "counter", 2**60, (("k", "y"),)),
    ]
    assert render_metrics(samples) == (
        "# HELP a_total counts a\n# TYPE a_total counter\n"
        'a_total{k="x"} 3\na_total{k="y"} 1.152921504606847e+18\n'
        "# HELP b shows b\n# TYPE b gauge\nb 0.25\n"
    )


def test_label_text_of_a_peer_cannot_break_out_of_its_line():
    text = render_metrics([Sample("a", "h\nx", "gauge", 1, (("k", 'v"} 9\nb 1\\'),))])
    assert text == '# HELP a h\\nx\n# TYPE a gauge\na{k="v\\"} 9\\nb 1\\\\"} 1\n'


def test_numbers_that_are_not_finite_are_written_in_words():
    values = [float("inf"), float("-inf"), float("nan")]
    lines = [render_metrics([Sample("a", "h", "gauge", v)]).splitlines()[-1] for v in values]
    assert lines == ["a +Inf", "a -Inf", "a NaN"]


def test_nothing_is_nothing():
    assert render_metrics([]) == ""
