"""The package's own test file passes on the CPU: a share of it here. docs/causal_conv1d.md has the counts of all of it
and the command. The file is fetched for the run and not kept."""

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

PACKAGE = "causal-conv1d==1.6.1"
ONE_IN = 61


@pytest.fixture(scope="module")
def distribution(tmp_path_factory):
    """The unpacked source distribution, without which these tests skip."""
    folder = tmp_path_factory.mktemp("causal_conv1d")
    command = [sys.executable, "-m", "pip", "download", PACKAGE, "--no-deps", "--no-binary", ":all:"]
    try:
        fetched = subprocess.run(
            [*command, "--no-build-isolation", "-q", "-d", str(folder)],
            env=os.environ | {"CAUSAL_CONV1D_SKIP_CUDA_BUILD": "TRUE"},
            capture_output=True,
            text=True,
            timeout=120,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"{PACKAGE} could not be fetched: no answer")
    archives = list(folder.glob("*.tar.gz"))
    if not archives:
        pytest.skip(f"{PACKAGE} could not be fetched: {fetched.stderr.strip().splitlines()[-1:]}")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(folder, filter="data")
    return next(path for path in folder.iterdir() if path.is_dir())


@pytest.mark.slow
@pytest.mark.once
def test_its_own_tests_pass_on_cpus(distribution):
    tests = distribution / "tests" / "test_causal_conv1d.py"
    text = tests.read_text()
    assert text.count('"cuda"') > 5
    # Ten thousand rounds of one call are for a night; fifty are here.
    tests.write_text(text.replace('"cuda"', '"cpu"').replace("range(10000)", "range(50)"))
    path = os.pathsep.join([str(distribution), str(Path(__file__).parent), *sys.path])
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "causal_conv1d_package", "-p", "no:cacheprovider", tests.name],
        cwd=tests.parent,
        env=os.environ | {"PYTHONPATH": path, "TAPCONV_TEST_ONE_IN": str(ONE_IN), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    passed = re.search(r"(\d+) passed", run.stdout)
    assert passed is not None and int(passed[1]) > 100, run.stdout[-500:]
