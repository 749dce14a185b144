"""results.parquet says what results.json says."""

import numpy as np
import pandas as pd
import pytest

from experiments.har_eval.score_table import TABLE, write_score_table


def test_the_table_says_what_the_results_say(results, tmp_path):
    assert write_score_table(results, tmp_path) == tmp_path / TABLE
    assert [file.name for file in tmp_path.iterdir()] == [TABLE]
    table = pd.read_parquet(tmp_path / TABLE)
    assert set(table["run"]) == {results["id"]}
    for entry in results["scores"]:
        mine = table[
            (table["set"] == entry["set"])
            & (table["arm"] == entry["arm"])
            & (table["classifier"] == entry["classifier"])
            & (table["seed"] == entry["seed"]).fillna(False)
        ]
        whole = mine[mine["person"].isna() & mine["activity"].isna()].set_index("metric")["value"]
        assert whole.to_dict() == {name: entry[name] for name in ("macro_f1", "accuracy")}
        assert mine[mine["metric"] == "f1"].set_index("activity")["value"].to_dict() == entry["per_class_f1"]
        people = mine[(mine["metric"] == "accuracy") & mine["person"].notna()].set_index("person")["value"]
        expected = {
            name: np.trace(matrix) / np.sum(matrix)
            for name, matrix in entry["confusion_by_subject"].items()
            if np.sum(matrix)
        }
        assert people.to_dict() == pytest.approx(expected)
    pooled = table[table["seed"].isna() & (table["metric"] == "macro_f1")]
    assert len(pooled) == len(results["summaries"])
    for entry, (_, row) in zip(results["summaries"], pooled.iterrows(), strict=True):
        assert (row["arm"], row["set"], row["value"]) == (entry["arm"], entry["set"], entry["macro_f1"])
        if entry["interval"] is None:
            assert np.isnan(row["low"])
        else:
            assert (row["low"], row["high"]) == (entry["interval"]["low"], entry["interval"]["high"])


def test_recall_is_of_the_windows_that_a_person_has(results, tmp_path):
    entry = results["scores"][0]
    classes = next(real["classes"] for real in results["sets"] if real["name"] == entry["set"])
    matrix = np.zeros((len(classes), len(classes)), dtype=int)
    matrix[0, :2] = 3, 1
    entry["confusion_by_subject"] = {"alone": matrix.tolist()}
    results["scores"] = [entry]
    table = pd.read_parquet(write_score_table(results, tmp_path))
    recall = table[table["metric"] == "recall"]
    assert recall[["person", "activity", "value"]].to_numpy().tolist() == [["alone", classes[0], 0.75]]
