"""Parts of a rules population, built apart by the command and joined: the bytes of one run."""

from pipeline.cli import main
from pipeline.sonata.layout import CircuitPaths

NAME = "bkg__v1__chemical"


def test_parts_join_to_the_bytes_of_the_whole(tmp_path):
    common = ["v1", "tiny", "--out", str(tmp_path)]
    edges = ["edges", *common, "--name", "background"]
    assert main(["nodes", *common]) == 0
    assert main(edges) == 0
    file = CircuitPaths(tmp_path / "v1/tiny").edges(NAME)
    whole = file.read_bytes()
    file.unlink()
    for part in (3, 1, 2):
        assert main([*edges, "--part", f"{part}/3"]) == 0
        assert not file.exists()
    assert main([*edges, "--merge", "3"]) == 0
    assert file.read_bytes() == whole


def test_a_missing_part_is_told(tmp_path, capsys):
    common = ["v1", "tiny", "--out", str(tmp_path)]
    assert main(["nodes", *common]) == 0
    assert main(["edges", *common, "--name", "background", "--part", "1/2"]) == 0
    assert main(["edges", *common, "--name", "background", "--merge", "2"]) == 2
    assert "part-0002-of-0002" in capsys.readouterr().err
