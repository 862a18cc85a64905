import json
import subprocess
import sys

import numpy as np
import pytest

BUDGET = 'schema = 1\ntarget = "loihi2"\ndata = "data.npz"\nreference_accuracy = 1.0\n[limits]\n'


@pytest.fixture
def folder(files):
    (files / "kept.toml").write_text(BUDGET + "cores = 10\nspikes = 1e9\nenergy_joule = 1.0\naccuracy_drop = 1.0\n")
    (files / "broken.toml").write_text(BUDGET + "cores = 1\nspikes = 1e9\n")
    return files


def test_budget_that_is_kept(run, folder):
    done = run("check", folder / "net.nir", "--budget", folder / "kept.toml")
    assert (done.code, done.err) == (0, "")
    assert "within budget" in done.out
    assert "class 'extrapolated'" in done.out
    energy = next(line for line in done.out.splitlines() if "energy_joule" in line).split("│")[2].split()[0]
    assert len(energy.replace(".", "").split("e")[0].strip("0")) == 1  # one digit is all that is known


def test_json_is_stable_and_serves_as_the_next_reference(run, folder):
    last = folder / "last.json"
    arguments = ("check", folder / "net.nir", "--budget", folder / "kept.toml")
    done = run(*arguments, "--json", "-o", last)
    document = json.loads(done.out)
    assert document == json.loads(last.read_text())
    assert document.keys() == {
        "schema",
        "kind",
        "passed",
        "target",
        "rows",
        "misfits",
        "measured",
        "accuracy",
        "source_class",
        "significant_digits",
    }
    assert document["rows"][0].keys() == {"name", "unit", "measured", "limit", "before", "passed", "change"}
    assert (document["schema"], document["kind"], document["passed"]) == (1, "check", True)
    assert run(*arguments, "--json").out == done.out
    again = json.loads(run(*arguments, "--against", last, "--json").out)
    assert {row["change"] for row in again["rows"] if row["measured"]} == {0}
    assert "already exists" in run(*arguments, "-o", last).err


def test_budget_that_is_broken_is_a_no(run, folder):
    done = run("check", folder / "net.nir", "--budget", folder / "broken.toml", "--markdown")
    assert done.code == 1
    assert "**over budget**" in done.out
    lines = [line for line in done.out.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert next(line for line in lines if line.startswith("| cores")).endswith("| over |")


def test_float_network_is_quantized_on_the_way(run, folder):
    assert run("check", folder / "float.nir", "--budget", folder / "kept.toml").code == 0


def test_wrong_use(run, folder):
    (folder / "bad.toml").write_text(BUDGET + "energi = 1\n")
    done = run("check", folder / "net.nir", "--budget", folder / "bad.toml")
    assert (done.code, done.out) == (2, "")
    assert "unknown key 'limits.energi'; the nearest valid key is 'limits.energy_joule'" in done.err
    done = run("check", folder / "net.nir", "--budget", folder / "kept.toml", "--json", "--markdown")
    assert done.code == 2
    (folder / "open.toml").write_text("schema = 1\n[limits]\ncores = 3\n")
    done = run("check", folder / "net.nir", "--budget", folder / "open.toml")
    assert (done.code, "names no target" in done.err) == (2, True)
    done = run("check", folder / "net.nir", "--budget", folder / "kept.toml", "--against", folder / "no.json")
    assert (done.code, "no such file" in done.err) == (3, True)


def test_markdown_of_an_odd_file_name_stays_text(run, folder):
    odd = folder / "a`|<b>.nir"
    odd.write_bytes((folder / "net.nir").read_bytes())
    out = run("check", odd, "--budget", folder / "kept.toml", "--markdown").out
    assert out.splitlines()[0] == "### `a???b?.nir` on loihi2: within budget"


def test_check_loads_no_torch(folder):
    script = (
        "import sys\nfrom neurodeploy.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n    code = end.code\n"
        "assert not {'torch', 'lava', 'snntorch', 'sklearn'} & set(sys.modules), set(sys.modules)\nsys.exit(code)"
    )
    arguments = ["check", str(folder / "net.nir"), "--budget", str(folder / "kept.toml")]
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_example_of_the_documentation_is_a_budget(tmp_path):
    from pathlib import Path

    from neurodeploy.budget import read_budget

    page = (Path(__file__).parents[2] / "docs" / "ci.md").read_text()
    example = page.split("```toml\n")[1].split("```")[0]
    (tmp_path / "budget.toml").write_text(example)
    budget = read_budget(tmp_path / "budget.toml")
    assert budget.needs_data
    assert np.all([limit > 0 for limit in budget.limits.values()])
