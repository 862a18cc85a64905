import itertools
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from neurodeploy.mapping import map_network
from neurodeploy.network import Population
from neurodeploy.report import mesh
from neurodeploy.report.mesh import draw_mesh
from neurodeploy.targets.chip import load_chip
from tests.chains import LIF, chain, conv, dense
from tests.test_activity import NETWORKS, SMALL
from tests.test_mapping import pilotnet

SVG = "{http://www.w3.org/2000/svg}"


def parse(placement):
    return ElementTree.fromstring(draw_mesh(placement))


def of_class(tree, kind, tag="rect"):
    return [element for element in tree.iter(SVG + tag) if kind in (element.get("class") or "").split()]


def texts(tree):
    return [element.text for element in tree.iter(SVG + "text")]


@pytest.mark.parametrize("target", ["loihi1", "loihi2"])
def test_every_tile_and_every_core_is_drawn(target):
    placement = map_network(pilotnet(), load_chip(target))
    tree = parse(placement)
    assert len(of_class(tree, "field")) == 32 * placement.chips_used
    assert len(of_class(tree, "track")) == placement.cores_used
    assert "chip 0" in texts(tree)
    first = placement.populations[0]
    share = f"{first.use:.0%} of {first.tightest_limit.replace('_', ' ')}"
    assert f"{first.name}: {first.cores} cores, {share}" in texts(tree)


def test_a_shared_core_is_drawn_in_stripes():
    network = chain((12,), *(dense(40, 12 if i == 0 else 40) for i in range(4)))
    placement = map_network(network, load_chip("loihi2"), share=True)
    assert (placement.cores_used, len(placement.cores)) == (1, 4)
    tracks = of_class(parse(placement), "track")
    places = sorted(float(track.get("x")) for track in tracks)
    widths = {float(track.get("width")) for track in tracks}
    assert len(tracks) == 4
    assert all(b - a == pytest.approx(widths.copy().pop(), abs=0.02) for a, b in itertools.pairwise(places))


def test_columns_are_as_high_as_the_limit_used_most():
    placement = map_network(chain((4,), dense(3, 4)), load_chip("loihi2"))
    tree = parse(placement)
    (track,) = of_class(tree, "track")
    filled = [r for r in of_class(tree, "c0") if r.get("rx") is None]
    share = placement.cores[0].tightest[1]
    assert float(filled[0].get("height")) == pytest.approx(float(track.get("height")) * share, abs=0.01)


def test_lines_are_the_links_with_their_messages():
    placement = map_network(NETWORKS["padded"], SMALL)
    routes = placement.expected_routes
    links = {(c, x - (s < 0), y, 1) for c, x, y, s in routes.links_x}
    links |= {(c, x, y - (s < 0), 0) for c, x, y, s in routes.links_y}
    tree = parse(placement)
    lines = of_class(tree, "link", "line")
    assert len(lines) == len(links) > 0
    titles = [title.text for title in tree.iter(SVG + "title") if title.text.endswith(" messages")]
    total = sum(int(title.split()[0].replace(",", "")) for title in titles)
    assert total == sum(routes.links_x.values()) + sum(routes.links_y.values()) == routes.hops_x + routes.hops_y


def test_large_boards_are_drawn_in_part(monkeypatch):
    monkeypatch.setattr(mesh, "CHIPS_MAX", 2)
    chip = replace(SMALL, usable_cores=2)
    placement = map_network(NETWORKS["padded"], chip)
    tree = parse(placement)
    assert len([text for text in texts(tree) if text.startswith("chip ")]) == 2
    assert f"{placement.chips_used - 2:,} further chips are not drawn" in texts(tree)


def test_names_are_text_whatever_they_hold():
    network = chain((3, 8, 8), conv(4, 3, 3))
    odd = "<script>&\x00"
    population = Population(odd, (4, 6, 6), LIF, latency=1)
    projection = replace(network.projections[0], target=odd)
    network = replace(network, populations=(population,), projections=(projection,), outputs=(odd,))
    tree = parse(map_network(network, load_chip("loihi2")))
    assert any(text.startswith("<script>&: 1 core,") for text in texts(tree))
    assert not list(tree.iter("script"))


def test_mesh_is_drawn_by_the_command_line(tmp_path, monkeypatch, capsys):
    from neurodeploy.cli import main

    monkeypatch.setattr("neurodeploy.cli.map.open_network", lambda *_, **__: chain((3, 8, 8), conv(4, 3, 3)))
    path = tmp_path / "mesh.svg"
    codes = []
    for extra in ([], [], ["--force", "--json", "--optimize", "latency"]):
        with pytest.raises(SystemExit) as ended:
            main(["map", "net.nir", "--target", "loihi1", "--draw", str(path), *extra])
        codes.append(ended.value.code)
    assert codes == [0, 2, 0]
    assert '"optimize": "latency"' in capsys.readouterr().out
    assert ElementTree.parse(path).getroot().tag == SVG + "svg"
