"""Writes sigv4/partitions.py and sigv4/services.py from botocore's endpoint data: `python tools/endpoints.py`.

With --check it writes nothing and fails where they differ. Needs botocore (the extra `aws`).
"""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from botocore.args import LEGACY_GLOBAL_STS_REGIONS
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointProviderError
from botocore.loaders import Loader

PACKAGE = Path(__file__).resolve().parent.parent / "sigv4"
HEAD = '''"""{title}

Written by tools/endpoints.py from botocore's endpoint data; change that, not this.
"""

'''
PLACES_COMMENT = """\
# Service: where it is, by region, partition or '*' for all, the first that is there: host, and region to sign for
# ('': the region itself; {main}: the one of the partition's global services).
"""
LOADER = Loader()
PARTITIONS: dict[str, Any] = LOADER.load_data("partitions")
# Host template, and region to sign for: "" for the region itself, "{main}" for that of the partition's globals.
Place = tuple[str, str]


def partitions() -> str:
    """The module of partitions."""
    text = HEAD.format(title="AWS's partitions, and the regions for which STS was global once.")
    text += '__all__ = ["LEGACY_GLOBAL", "PARTITIONS"]\n\n'
    text += (
        "# name, pattern of its regions' names, DNS suffix, dual-stack DNS suffix, region of its global services\n"
    )
    text += "PARTITIONS = (\n"
    for partition in PARTITIONS["partitions"]:
        out = partition["outputs"]
        if not (out["supportsFIPS"] and out["supportsDualStack"]):
            raise SystemExit(
                f"{partition['id']} lacks FIPS or dual-stack endpoints: sigv4/endpoints.py must refuse them"
            )
        # The pattern is matched in full.
        pattern = partition["regionRegex"].removeprefix("^").removesuffix("$").replace("\\-", "-")
        fields = (out["dnsSuffix"], out["dualStackDnsSuffix"], out["implicitGlobalRegion"])
        text += f'    ({partition["id"]!r}, r"{pattern}", {", ".join(map(repr, fields))}),\n'
    text += ")\n\nLEGACY_GLOBAL = frozenset(\n    (\n"
    for region in sorted(set(LEGACY_GLOBAL_STS_REGIONS) - {"aws-global"}):
        text += f"        {region!r},\n"
    return text + "    )\n)\n"


def regions(partition: dict[str, Any]) -> list[str]:
    """The partition's regions, without the pseudo region of its global services."""
    return [region for region in partition["regions"] if not region.endswith("-global")]


def services() -> str:
    """The module of services that differ from https://SERVICE.REGION.SUFFIX signed for SERVICE and REGION."""
    text = HEAD.format(title="Services whose endpoint or signing name differs from the usual pattern.")
    text += '__all__ = ["PLACES", "PREFIXES", "SIGNING_NAMES"]\n\n'
    prefixes, names, places = {}, {}, {}
    for service in LOADER.list_available_services("service-2"):
        meta = LOADER.load_service_model(service, "service-2")["metadata"]
        prefix = meta["endpointPrefix"]
        if prefix != service:
            prefixes[service] = prefix
        if (name := meta.get("signingName", prefix)) != service:
            names[service] = name
        if found := _places(service, prefix):
            places[service] = found
    text += "# Service: the first part of its host name.\nPREFIXES = {\n"
    text += "".join(f"    {service!r}: {prefix!r},\n" for service, prefix in sorted(prefixes.items()))
    text += "}\n\n# Service: the name that its signatures give it.\nSIGNING_NAMES = {\n"
    text += "".join(f"    {service!r}: {name!r},\n" for service, name in sorted(names.items()))
    text += "}\n\n" + PLACES_COMMENT + "PLACES: dict[str, dict[str, tuple[str, str]]] = {\n"
    for service, found in sorted(places.items()):
        text += f"    {service!r}: {{" + ", ".join(f"{key!r}: {value!r}" for key, value in found.items()) + "},\n"
    return text + "}\n"


def _places(service: str, prefix: str) -> dict[str, Place]:
    """The exceptions of one service, {} where there are none."""
    rules = EndpointProvider(LOADER.load_service_model(service, "endpoint-rule-set-1"), PARTITIONS)
    usual: Place = (f"{prefix}.{{region}}.{{suffix}}", "")
    found: dict[str, Place] = {}
    for partition in PARTITIONS["partitions"]:
        by_region: dict[str, list[Place]] = {}
        for region in regions(partition):
            options = {"Region": region, "UseDualStack": False, "UseFIPS": False}
            try:
                endpoint = rules.resolve_endpoint(**options)
            except EndpointProviderError:
                # It needs more than a region (an account, a bucket), or is not there.
                continue
            by_region[region] = _readings(endpoint, region, partition["outputs"])
        if not by_region:
            continue
        votes = Counter(place for readings in by_region.values() for place in readings)
        common = max(votes, key=lambda place: (votes[place], place == usual))
        found[partition["id"]] = common
        found |= {region: readings[0] for region, readings in by_region.items() if common not in readings}
    names = {partition["id"] for partition in PARTITIONS["partitions"]}
    votes = Counter(place for key, place in found.items() if key in names)
    common = max(votes, key=lambda place: (votes[place], place == usual), default=usual)
    exceptions = {key: place for key, place in found.items() if key not in names or place != common}
    return ({} if common == usual else {"*": common}) | exceptions


def _readings(endpoint: Any, region: str, outputs: dict[str, Any]) -> list[Place]:
    """The endpoint as a template: by its region, and where that is the partition's first one also by that."""
    host = endpoint.url.removeprefix("https://")
    for suffix, name in ((outputs["dualStackDnsSuffix"], "dual_suffix"), (outputs["dnsSuffix"], "suffix")):
        if host.endswith("." + suffix):
            host = host.removesuffix(suffix) + f"{{{name}}}"
            break
    schemes = endpoint.properties.get("authSchemes") or [{}]
    signing = next((scheme["signingRegion"] for scheme in schemes if scheme.get("signingRegion")), region)
    main = outputs["implicitGlobalRegion"]
    readings = []
    if signing == region:
        readings.append((host.replace(region, "{region}"), ""))
    if signing == main:
        readings.append((host.replace(main, "{main}"), "{main}"))
    return readings or [(host, signing)]


def main() -> int:
    """Writes the modules, or with --check compares them; the exit code."""
    stale = False
    for name, made in (("partitions", partitions()), ("services", services())):
        path = PACKAGE / f"{name}.py"
        command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(path), "-"]
        text = subprocess.run(command, input=made, text=True, stdout=subprocess.PIPE, check=True).stdout
        if "--check" not in sys.argv[1:]:
            path.write_text(text)
        elif text != path.read_text():
            print(f"{path.name} is not what botocore's data say; run python tools/endpoints.py")
            stale = True
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
