"""Where tasks run: threads of this process, or the workers of a Dask cluster; the results are the same.

A Dask scheduler runs whatever it is sent, for anyone who reaches it. So only one that listens on this machine
alone, or that asks for certificates (tls://), is used.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from analysis.errors import TriptychError
from analysis.xray.reduction import Plan

CONNECT_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Crew:
    """``executor`` runs tasks, about ``ahead`` at a time; ``shared`` brings a plan to all workers."""

    executor: Executor
    ahead: int
    shared: Callable[[Plan], Any] = lambda plan: plan


@contextmanager
def threads(workers: int) -> Iterator[Crew]:
    """Threads of this process."""
    with ThreadPoolExecutor(workers) as pool:
        yield Crew(executor=pool, ahead=2 * workers)


@contextmanager
def cluster(address: str, *, version: str) -> Iterator[Crew]:
    """Workers of the Dask scheduler at ``address``, which must run the same ``version`` of this software.

    Raises TriptychError where it may not be used or is not there.
    """
    checked = checked_address(address)
    try:
        import distributed
    except ImportError:
        raise TriptychError(
            f"--scheduler {address}: expected the package distributed, found none; "
            "install triptych with its extra: pip install 'triptych[cluster]'"
        ) from None
    try:
        connect: Any = distributed.Client
        client = connect(checked, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError, RuntimeError) as error:
        why = " ".join(str(error).split())[:120] or type(error).__name__
        raise TriptychError(
            f"--scheduler {address}: expected a Dask scheduler, found none ({why}); start dask scheduler"
        ) from None
    with client:
        slots = _slots(client, address, version)
        yield Crew(
            executor=client.get_executor(pure=False, retries=2),
            ahead=2 * slots,
            shared=lambda plan: client.scatter(plan, broadcast=True, hash=False),
        )


def _slots(client: Any, address: str, version: str) -> int:
    """Threads of all workers; raises TriptychError where there are none or they run other software."""
    slots = sum(client.nthreads().values())
    if slots == 0:
        raise TriptychError(f"--scheduler {address}: expected workers, found none; start dask-worker")
    others = sorted(set(client.run(_software).values()) - {version})
    if others:
        raise TriptychError(
            f"--scheduler {address}: expected workers with {version}, found {', '.join(others)}; "
            "install the same version everywhere"
        )
    return int(slots)


def _software() -> str:
    from analysis.pipeline.sample import cluster_version

    return cluster_version()


def checked_address(address: str) -> str:
    """The address of a scheduler with its protocol; raises TriptychError unless it is loopback or TLS."""
    whole = address if "://" in address else f"tcp://{address}"
    parts = urlsplit(whole)
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if parts.scheme in ("tcp", "tls") and host and port:
        if parts.scheme == "tls" or _is_this_machine(host):
            return whole
        raise TriptychError(
            f"--scheduler {address}: expected an address of this machine (127.0.0.1) or tls://, found one "
            "that anybody may reach; start the scheduler on 127.0.0.1 or with certificates"
        )
    raise TriptychError(
        f"--scheduler {address}: expected HOST:PORT, found another form; name it as tcp://127.0.0.1:8786"
    )


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
