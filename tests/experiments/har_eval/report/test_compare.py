"""Several runs side by side: like with like, what is unlike by its name."""

import copy
import json

import pytest

from experiments.cli import main
from experiments.har_eval.report.compare import UNLIKE, compare_runs
from experiments.har_eval.results import MEAN, RESULTS


@pytest.fixture
def write_run(tmp_path):
    def write(name, content):
        (tmp_path / name).mkdir()
        (tmp_path / name / RESULTS).write_text(json.dumps(content))
        return tmp_path / name

    return write


def test_runs_stand_side_by_side(results, write_run, tmp_path, capsys):
    other = copy.deepcopy(results)
    for entry in other["summaries"]:
        if entry["arm"] == "refined" and entry["set"] == "hapt":
            entry |= {"macro_f1": 0.75, "interval": {"mean": 0.75, "low": 0.7, "high": 0.8}}
    other["summaries"] = [entry for entry in other["summaries"] if entry["arm"] != "control"]
    folders = [write_run("one", results), write_run("two", other)]
    table = compare_runs(folders)
    rows = {tuple(row[:2]): row[3:] for row in table.rows}
    assert table.headings == ["set", "arm", "classifier", "one", "two"]
    assert rows["hapt", "refined"] == ["0.500 [0.450, 0.550]", "0.750 [0.700, 0.800]"]
    assert rows["hapt", "control"] == ["0.400 [0.350, 0.450]", "-"]
    assert table.notes == []
    for suffix in ("md", "html"):
        out = tmp_path / f"table.{suffix}"
        assert main(["report", *map(str, folders), "--out", str(out)]) == 0
        assert "0.750 [0.700, 0.800]" in out.read_text()
        assert "0.750 [0.700, 0.800]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("test_subjects", ["9"], "test people 2 against 9"),
        ("classes", ["walking"], "classes walking, standing, lying against walking"),
    ],
)
def test_unlike_sets_are_named_and_not_compared(key, value, said, results, write_run):
    other = copy.deepcopy(results)
    other["sets"][0][key] = value
    table = compare_runs([write_run("one", results), write_run("two", other)])
    assert table.notes == [f"hapt: two is not compared with one: {said}"]
    assert {row[4] for row in table.rows if row[0] == "hapt"} == {UNLIKE}
    assert UNLIKE not in {row[4] for row in table.rows if row[0] != "hapt"}


def test_means_over_other_classifiers_are_not_compared(results, write_run):
    other = copy.deepcopy(results)
    for name in ("cnn", MEAN):
        other["summaries"] += [{**entry, "classifier": name} for entry in results["summaries"]]
    table = compare_runs([write_run("one", results), write_run("two", other)])
    assert {row[2] for row in table.rows} == {"forest"}
    assert "hapt: classifiers differ, those in common are compared (one: forest; two: forest, cnn)" in table.notes


def test_bad_input_is_one_line(results, write_run, tmp_path, capsys):
    run, empty = write_run("one", results), tmp_path / "empty"
    empty.mkdir()
    for arguments, message in (
        ([run, empty], "results.json not found"),
        ([run, run], "is given twice"),
        ([run, "--out", tmp_path / "table.pdf"], "expected .md or .html"),
    ):
        with pytest.raises(SystemExit) as exit_info:
            main(["report", *map(str, arguments)])
        error = capsys.readouterr().err
        assert exit_info.value.code == 2
        assert message in error
        assert len(error.splitlines()) == 1
