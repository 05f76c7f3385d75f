"""Who does the work: the workers of a dask cluster."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from workbench._version import __version__
from workbench.bench.sweep.attempt import Job, attempt
from workbench.bench.sweep.content import Content
from workbench.bench.sweep.crew import Ended
from workbench.bench.sweep.signals import Line, Said
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from distributed import Client

# Larger arguments go to the worker apart from the task graph, which the scheduler holds.
SCATTER_FROM_BYTES = 1 << 20


def client_of(executor: object) -> tuple[Client, dict[str, Any]] | None:
    """Client and submit options of a `distributed.Client` or of its executor; None for what is neither."""
    # By name: to import distributed takes a second, and who has none of its objects may not have it.
    if not any(kind.__module__.partition(".")[0] == "distributed" for kind in type(executor).__mro__):
        return None
    if hasattr(executor, "get_executor"):
        client: Any = executor
        return client, {}
    if hasattr(executor, "_client"):
        return executor._client, dict(getattr(executor, "_kwargs", {}))
    return None


def about_worker(dask_worker: Any) -> dict[str, Any]:
    """What a worker says of itself; run on it by `distributed.Client.run`."""
    return {"workbench": __version__, "resources": dict(dask_worker.state.total_resources)}


class DaskCrew:
    """The workers of a dask cluster.

    Args:
        client: the caller's.
        options: for each submission, such as ``workers``.
        tags: the resources that some units ask of their workers.
        ended: where the tokens of ended submissions go.

    Raises:
        WorkbenchError: if the cluster does not answer, or has no worker, none with one of the tags, or one
            with another workbench; one of those that comes later is left out, and a notice says so.
    """

    def __init__(self, client: Client, options: dict[str, Any], tags: Iterable[str], ended: Ended) -> None:
        if client.asynchronous:
            raise WorkbenchError("the client is asynchronous: give one made with asynchronous=False")
        self.notices: list[str] = []
        self._client = client
        self._options = options
        self._ended = ended
        self._said: deque[tuple[str, Said]] = deque()
        self._known: dict[str, dict[str, float]] = {}
        self._unfit: set[str] = set()
        try:
            unfit = self._ask()
        except OSError as error:
            raise WorkbenchError(f"the cluster does not answer ({error}): start its scheduler") from None
        if unfit:
            raise WorkbenchError(unfit[0])
        workers = self._known
        if not workers:
            raise WorkbenchError("the cluster has no workers: start some, and client.wait_for_workers(1)")
        for tag in tags:
            if self.without(tag):
                raise WorkbenchError(
                    f"none of the {len(workers)} workers has the resource {tag}: start one with --resources "
                    f"{tag}=1, or name in tags what yours have"
                )
        from distributed import Event

        topic = f"workbench-sweep-{uuid.uuid4().hex}"
        self.line: Line = ("dask", topic)
        self._stop = Event(topic, client=client)
        client.subscribe_topic(topic, self._take)

    def _take(self, event: tuple[float, Said]) -> None:
        said = dict(event[1])
        self._said.append((said.pop("token"), said))

    def _ask(self) -> list[str]:
        """Get to know the workers that have come, and forget those that have gone.

        Returns:
            Why some of those that have come cannot measure, a sentence each.

        Raises:
            OSError: if the scheduler does not answer.
        """
        addresses = set(self._client.nthreads())
        self._known = {one: self._known[one] for one in addresses if one in self._known}
        self._unfit &= addresses
        new = sorted(addresses - set(self._known) - self._unfit)
        unfit = {}
        for address, about in (
            self._client.run(about_worker, workers=new, on_error="return") if new else {}
        ).items():
            if isinstance(about, OSError):
                continue  # gone again
            if isinstance(about, Exception):
                unfit[address] = (
                    f"worker {address} cannot run this workbench, {__version__} ({about}): install it there"
                )
            elif about["workbench"] != __version__:
                unfit[address] = (
                    f"worker {address} has workbench {about['workbench']}, this is {__version__}: "
                    "install the same one on both"
                )
            else:
                self._known[address] = about["resources"]
        self._unfit |= set(unfit)
        return list(unfit.values())

    def _having(self, tag: str | None) -> list[str]:
        try:
            # One that comes while others measure is no reason to stop them.
            self.notices += self._ask()
        except OSError:
            return []
        return [address for address, has in self._known.items() if tag is None or has.get(tag, 0) >= 1]

    def send(
        self, job: Job, content: Content | None, tag: str | None, near: str, avoid: frozenset[str]
    ) -> Any:
        """See `Crew`; the content goes from here to the worker that asked for it."""
        client = self._client
        having = self._having(tag)
        options: dict[str, Any] = {**self._options, "pure": False, "key": f"{self.line[1]}-{job['token']}"}
        if tag is not None:
            options["resources"] = {**(options.get("resources") or {}), tag: 1}
        others = [near] if near in having else [one for one in having if one not in avoid]
        if "workers" not in options and others and (avoid or near or self._unfit):
            # Others may: those that are named here may be gone by then.
            options.update(workers=others, allow_other_workers=True)
        arrays = (job["inputs"] or {}).values()
        sent: list[Any] = [job, content]
        if sum(one.nbytes for one in arrays) > SCATTER_FROM_BYTES:
            [sent[0]] = client.scatter([job], workers=others or None)
        if content is not None:
            [sent[1]] = client.scatter([content], workers=others or None)
        future = client.submit(attempt, *sent, **options)
        token = job["token"]
        future.add_done_callback(lambda _: self._ended.put(token))
        return future

    def listen(self) -> list[tuple[str, Said]]:
        """See `Crew`."""
        return [self._said.popleft() for _ in range(len(self._said))]

    def replaced(self) -> bool:
        """See `Crew`: a cluster starts its workers again by itself."""
        return True

    def without(self, tag: str | None) -> bool:
        """See `Crew`."""
        return not self._having(tag)

    def stop(self) -> None:
        """See `Crew`."""
        self._stop.set()

    def close(self, left: bool) -> None:
        """See `Crew`."""
        self._client.unsubscribe_topic(self.line[1])
        if not left:
            self._stop.clear()
