"""What stands first on the page of a run."""

from typing import Any, cast

from ood_diffusion.report.results import Results
from ood_diffusion.report.sections import headlines


def test_what_the_network_adds_stands_beside_fid() -> None:
    adds: dict[str, Any] = {"twin": {"fid": {"value": 6.64, "low": -7.32, "high": 20.6, "n": 128}}}
    found = {"metrics": {"sets": {"samples": {"fid": 105.6, "n": 128}}, "network_adds": adds}}
    first, second = headlines(cast(Results, found))[:2]
    assert [first.name, second.name] == ["FID of new samples", "FID minus twin"]
    entry = second.entries[0]
    assert entry.value == "6.64" and "−7.32 to 20.6; below 0 the network helps" in entry.note
