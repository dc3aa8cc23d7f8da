"""The same reduction on a cluster's workers, to the last bit; schedulers that anyone reaches are refused."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.errors import TriptychError
from analysis.pipeline.executors import checked_address
from tests.xray.test_scan import SCAN, assert_same_bits, block, reduce

distributed = pytest.importorskip("distributed", reason="the optional extra 'cluster'")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Two worker processes on this machine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
        ) as cluster:
            yield cluster.scheduler_address


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_changes_no_bit(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from analysis.pipeline import xray_stream
    from analysis.pipeline.executors import cluster
    from analysis.pipeline.sample import cluster_version, reduce_xray

    SCAN.write(tmp_path)
    here = reduce(tmp_path, tmp_path / "here")
    monkeypatch.setattr(xray_stream, "BATCH_POINTS", 5)
    steps = []
    with cluster(address, version=cluster_version()) as crew:
        there = reduce_xray(
            block(), index=0, folder=tmp_path, scratch=tmp_path / "there", crew=crew,
            nanocrystal_size_nm=(7.45, 0.89), progress=lambda done, _total: steps.append(done),
        )  # fmt: skip
        assert_same_bits(here, there)
    assert steps == [0, 5, 10, 15, 20]
    with (
        pytest.raises(TriptychError, match="expected workers with another"),
        cluster(address, version="another"),
    ):
        pass


@pytest.mark.parametrize(
    ("address", "whole"),
    [
        ("127.0.0.1:8786", "tcp://127.0.0.1:8786"),
        ("tcp://localhost:1", "tcp://localhost:1"),
        ("tcp://[::1]:8786", "tcp://[::1]:8786"),
        ("tls://cluster.example.org:8786", "tls://cluster.example.org:8786"),
    ],
)
def test_loopback_and_certified_schedulers_are_used(address: str, whole: str) -> None:
    assert checked_address(address) == whole


@pytest.mark.parametrize(
    "address",
    [
        "tcp://192.0.2.7:8786", "0.0.0.0:8786", "cluster.example.org:8786", "tcp://[2001:db8::1]:8786",
        "localhost.example.org:8786", "127.0.0.1", "tcp://127.0.0.1:99999", "http://127.0.0.1:8787", "",
        "ws://127.0.0.1:8786", "tcp://127.0.0.1@192.0.2.7:8786",
    ],
)  # fmt: skip
def test_any_other_is_refused_before_anything_is_sent(address: str) -> None:
    with pytest.raises(TriptychError, match="--scheduler"):
        checked_address(address)
