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


def test_a_circuit_of_rules_opens_in_the_usual_readers(tmp_path):
    import bluepysnap
    import libsonata
    from bmtk.utils.sonata.file import File

    common = ["v1", "tiny", "--out", str(tmp_path)]
    for verb in ("nodes", "edges", "circuit"):
        assert main([verb, *common]) == 0
    paths = CircuitPaths(tmp_path / "v1/tiny")
    config = libsonata.CircuitConfig.from_file(str(paths.circuit_config))
    edges = config.edge_population("v1__v1__chemical")
    into = edges.afferent_edges([7]).flat_size
    snap = bluepysnap.Circuit(str(paths.circuit_config))
    assert len(snap.edges["v1__v1__chemical"].afferent_edges([7])) == into > 0
    files = [
        [str(paths.edges("v1__v1__chemical")), str(paths.nodes("v1"))],
        [str(paths.edge_types("v1__v1__chemical")), str(paths.node_types("v1"))],
    ]
    bmtk = File(*files).edges["v1__v1__chemical"]
    assert len(bmtk) == edges.size and sum(1 for _ in bmtk.get_target(7)) == into
    assert main(["check", str(paths.circuit_config)]) == 0
