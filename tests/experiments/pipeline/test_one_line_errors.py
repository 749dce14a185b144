"""Arguments of commands: errors are one line, and overrides may stand anywhere."""

import pytest

from experiments.pipeline.one_line_errors import OneLineArgumentParser


def make_parser():
    parser = OneLineArgumentParser(prog="x")
    commands = parser.add_subparsers(required=True)
    with_overrides = commands.add_parser("make")
    with_overrides.add_argument("spec")
    with_overrides.add_argument("overrides", nargs="*")
    with_overrides.add_argument("--out")
    commands.add_parser("look").add_argument("path")
    return parser


@pytest.mark.parametrize(
    "line", ["make a.yaml k=1 l=2 --out f", "make a.yaml --out f k=1 l=2", "make --out f a.yaml k=1 l=2"]
)
def test_overrides_stand_before_and_after_options(line):
    found = make_parser().parse_args(line.split())
    assert (found.spec, found.out, found.overrides) == ("a.yaml", "f", ["k=1", "l=2"])


@pytest.mark.parametrize("line", ["make a.yaml --out f --k=1", "make a.yaml --out f other.yaml", "look a k=1"])
def test_anything_else_left_over_is_refused_in_one_line(line, capsys):
    with pytest.raises(SystemExit) as stopped:
        make_parser().parse_args(line.split())
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
