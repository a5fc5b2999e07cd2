"""Writes partitions.py, services.py and host_names.py of sigv4 from botocore's endpoint data.

`python tools/endpoints.py`; with --check it writes nothing and fails where they differ. Needs botocore, which the
extra `aws` has.
"""

import itertools
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
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
# Service: by the variants of endpoints (- neither, f FIPS, d dual-stack, b both), and there by region, partition
# or '*' for all, the first that is there: host ('': there is none), and region to sign for ('': that region).
# {main}: region of the partition's global services; {fips}: -fips, or nothing; {domain}: the variant's usual one.
"""
# Variant of an endpoint: its options.
VARIANTS = {"-": (False, False), "f": (True, False), "d": (False, True), "b": (True, True)}
LOADER = Loader()
PARTITIONS: dict[str, Any] = LOADER.load_data("partitions")
SERVICES = LOADER.list_available_services("service-2")
# Host template, and region to sign for: "" for the region itself, "{main}" for that of the partition's globals.
Place = tuple[str, str]
NOWHERE: Place = ("", "")


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
    for service in SERVICES:
        prefix, name = _names(service)
        if prefix != service:
            prefixes[service] = prefix
        if name != service:
            names[service] = name
        if found := _variants(service, prefix):
            places[service] = found
    text += "# Service: the first part of its host name.\nPREFIXES = {\n"
    text += "".join(f"    {service!r}: {prefix!r},\n" for service, prefix in sorted(prefixes.items()))
    text += "}\n\n# Service: the name that its signatures give it.\nSIGNING_NAMES = {\n"
    text += "".join(f"    {service!r}: {name!r},\n" for service, name in sorted(names.items()))
    text += "}\n\n" + PLACES_COMMENT + "PLACES: dict[str, dict[str, dict[str, tuple[str, str]]]] = {\n"
    text += "".join(f"    {service!r}: {found!r},\n" for service, found in sorted(places.items()))
    return text + "}\n"


def _names(service: str) -> tuple[str, str]:
    """The usual first part of a service's host name, and its name in signatures."""
    meta = LOADER.load_service_model(service, "service-2")["metadata"]
    return meta["endpointPrefix"], meta.get("signingName", meta["endpointPrefix"])


def _usual(prefix: str, variant: str) -> Place:
    fips, dual = VARIANTS[variant]
    return f"{prefix}{'-fips' if fips else ''}.{{region}}.{{{'dual_suffix' if dual else 'suffix'}}}", ""


def _variants(service: str, prefix: str) -> dict[str, dict[str, Place]]:
    """The exceptions of one service by variant, {} where there are none; variants of the same ones are joined."""
    found = {variant: _places(service, _usual(prefix, variant), variant) for variant in VARIANTS}
    found = {variant: places for variant, places in found.items() if places}
    return min(_joined(found), _joined({key: _by_domain(places, key) for key, places in found.items()}), key=len)


def _joined(found: dict[str, dict[str, Place]]) -> dict[str, dict[str, Place]]:
    """Variants of the same places as one, {fips} being what tells them apart."""
    joined: dict[str, dict[str, Place]] = {}
    for variant in sorted(found, key="fb-d".index):
        fips, places = VARIANTS[variant][0], found[variant]
        if fips:
            places = {key: (host.replace("-fips", "{fips}"), signed) for key, (host, signed) in places.items()}
        key = next((key for key, other in joined.items() if places == (other if fips else _plain(other))), "")
        joined[key + variant] = joined.pop(key, places)
    return joined


def _plain(places: dict[str, Place]) -> dict[str, Place]:
    return {key: (host.replace("{fips}", ""), signed) for key, (host, signed) in places.items()}


def _by_domain(places: dict[str, Place], variant: str) -> dict[str, Place]:
    """The places with {domain} for the suffix that the variant usually has."""
    own = "{dual_suffix}" if VARIANTS[variant][1] else "{suffix}"
    return {key: (host.replace(own, "{domain}"), signed) for key, (host, signed) in places.items()}


def resolved(service: str, variant: str, *, pseudo: bool = False) -> Iterator[tuple[dict[str, Any], str, Any]]:
    """Partition, region, and botocore's endpoint, or None where it has none, for all regions.

    Left out are those that need more than a region (an account, a bucket). `pseudo`: with the region that stands
    for all, such as aws-global.
    """
    rules = EndpointProvider(LOADER.load_service_model(service, "endpoint-rule-set-1"), PARTITIONS)
    fips, dual = VARIANTS[variant]
    for partition in PARTITIONS["partitions"]:
        for region in partition["regions"] if pseudo else regions(partition):
            try:
                endpoint = rules.resolve_endpoint(Region=region, UseDualStack=dual, UseFIPS=fips)
            except EndpointProviderError as error:
                if "FIPS" not in str(error):
                    continue
                endpoint = None
            yield partition, region, endpoint


def _places(service: str, usual: Place, variant: str) -> dict[str, Place]:
    """The exceptions of one service and variant, {} where there are none."""
    found: dict[str, Place] = {}
    by_partition: dict[str, dict[str, list[Place]]] = defaultdict(dict)
    for partition, region, endpoint in resolved(service, variant):
        readings = [NOWHERE] if endpoint is None else _readings(endpoint, region, partition["outputs"])
        by_partition[partition["id"]][region] = readings
    for name, by_region in by_partition.items():
        common = _most_common([place for readings in by_region.values() for place in readings], usual)
        found[name] = common
        found |= {region: readings[0] for region, readings in by_region.items() if common not in readings}
    common = _most_common([place for key, place in found.items() if key in by_partition], usual)
    exceptions = {key: place for key, place in found.items() if key not in by_partition or place != common}
    return ({} if common == usual else {"*": common}) | exceptions


def _most_common(places: list[Place], usual: Place) -> Place:
    votes = Counter(places)
    return max(votes, key=lambda place: (votes[place], place == usual), default=usual)


def _readings(endpoint: Any, region: str, outputs: dict[str, Any]) -> list[Place]:
    """The endpoint as a template: by its region, and where that is the partition's first one also by that."""
    host = endpoint.url.removeprefix("https://")
    suffixes = [(outputs["dualStackDnsSuffix"], "dual_suffix"), (outputs["dnsSuffix"], "suffix")]
    for suffix, name in sorted(suffixes, key=lambda pair: -len(pair[0])):
        if host.endswith("." + suffix):
            host = host.removesuffix(suffix) + f"{{{name}}}"
            break
    signing, main = _signing_region(endpoint) or region, outputs["implicitGlobalRegion"]
    hosts = [host.replace(region, "{region}"), host.replace(main, "{main}")]
    signed = [text for text, value in (("", region), ("{main}", main)) if value == signing]
    return list(itertools.product(dict.fromkeys(hosts), signed or [signing]))


def _signing_region(endpoint: Any) -> str | None:
    schemes = endpoint.properties.get("authSchemes") or []
    return next((scheme["signingRegion"] for scheme in schemes if scheme.get("signingRegion")), None)


def host_names() -> str:
    """The module by which a host says what to sign for."""
    names = Names()
    for service in filter(_is_signed, SERVICES):
        names.add_rules(service)
        names.add_operations(service)
        names.add_globals(service)
    text = HEAD.format(
        title="What AWS's hosts are called: the service in signatures by a part of the host's name."
    )
    text += '__all__ = ["AFTER_REGION", "BELOW", "GLOBAL", "MULTI_REGION", "NAMES"]\n\n'
    text += "# What stands before the region (without -fips): service.\n"
    text += f"NAMES: dict[str, str] = {names.before!r}\n\n"
    text += "# Those below which there are hosts of one resource or account.\n"
    text += f"BELOW: frozenset[str] = frozenset({sorted(names.below)!r})\n\n"
    text += "# What stands after the region, to the end or to AWS's domain: service.\n"
    text += f"AFTER_REGION: dict[str, str] = {names.after!r}\n\n"
    text += "# Hosts without a region: service, and region to sign for ('': the host does not say it).\n"
    text += f"GLOBAL: dict[str, tuple[str, str]] = {names.everywhere!r}\n\n"
    text += "# What stands before the domain where only SigV4A, for every region, is taken: service.\n"
    text += f"MULTI_REGION: dict[str, str] = {names.multi_region!r}\n"
    return text


def _is_signed(service: str) -> bool:
    """Whether the service takes Signature Version 4: two are older, some take bearer tokens only."""
    meta = LOADER.load_service_model(service, "service-2")["metadata"]
    return meta["signatureVersion"] in ("v4", "s3", "s3v4")


_REGION = r"\{(?:Region|\w+#region)\}"


class Names:
    """Parts of host names, as the rules of all services have them."""

    def __init__(self) -> None:
        self.before: dict[str, str] = {}
        self.below: set[str] = set()
        self.after: dict[str, str] = {}
        self.everywhere: dict[str, tuple[str, str]] = {}
        self.multi_region: dict[str, str] = {}

    def add_rules(self, service: str) -> None:
        """The host templates of a service's rules."""
        rules = LOADER.load_service_model(service, "endpoint-rule-set-1")["rules"]
        for url, schemes in _templates(rules):
            named = [scheme.get("signingName") for scheme in schemes]
            name = next(filter(None, named), _names(service)[1])
            multi = bool(schemes) and all("signingRegionSet" in scheme for scheme in schemes)
            # There a host's region is not the one to sign for.
            elsewhere = any(
                re.search(_REGION, url) and not re.search(_REGION, scheme.get("signingRegion", "{Region}"))
                for scheme in schemes
            )
            for host in () if elsewhere else _hosts(url):
                self._add(host, name, multi=multi)

    def _add(self, host: str, name: str, *, multi: bool) -> None:
        labels = host.split(".")
        region = next((place for place, label in enumerate(labels) if label == "{R}"), None)
        suffix = next((place for place, label in enumerate(labels) if label == "{S}"), len(labels))
        dynamic = [place for place, label in enumerate(labels[:suffix]) if "{" in label and label != "{R}"]
        first = dynamic[-1] + 1 if dynamic else 0
        if multi:
            self.multi_region[".".join(labels[first:suffix])] = name
        elif region == 0 and len(labels) > 1:
            self.after[".".join(labels[1:]).removesuffix(".{S}")] = name
        elif region is not None and first < region:
            prefix = ".".join(labels[first:region])
            if self.before.setdefault(prefix, name) != name:
                raise SystemExit(f"{prefix} is the host of {name} and of {self.before[prefix]}")
            if dynamic:
                self.below.add(prefix)

    def add_operations(self, service: str) -> None:
        """The prefixes that single operations put before a service's host."""
        prefix, name = _names(service)
        operations = LOADER.load_service_model(service, "service-2")["operations"].values()
        for before in {operation.get("endpoint", {}).get("hostPrefix", "") for operation in operations} - {""}:
            if "{" in before:
                self.below.add(prefix)
            else:
                self.before.setdefault(before + prefix, name)

    def add_globals(self, service: str) -> None:
        """The hosts of a service that name no region."""
        name = _names(service)[1]
        own: dict[str, set[str]] = defaultdict(set)
        for variant in VARIANTS:
            for partition, region, endpoint in resolved(service, variant, pseudo=True):
                host = "" if endpoint is None else endpoint.url.removeprefix("https://")
                signed = endpoint and (_signing_region(endpoint) or region)
                regional = re.search(rf"{partition['regionRegex'].strip('^$')}|-global\\.", host)
                if signed in regions(partition) and not regional:
                    own[f"{partition['id']} {host}"].add(signed)
        exact: dict[str, tuple[str, str]] = {}
        for place, signed in own.items():
            # A host of two partitions is the first's.
            exact.setdefault(place.partition(" ")[2], (name, signed.pop() if len(signed) == 1 else ""))
        for host, told in exact.items():
            plain = host.replace("-fips.", ".")
            self.everywhere[plain if exact.get(plain, told) == told else host] = told


def _templates(rules: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """URL templates, and how what is sent there is signed."""
    for rule in rules:
        if isinstance(url := rule.get("endpoint", {}).get("url"), str):
            yield url, rule["endpoint"].get("properties", {}).get("authSchemes", [])
        yield from _templates(rule.get("rules", []))


def _hosts(url: str) -> Iterator[str]:
    """The host of a template in one form: {R} for the region, {S} for the domain, {} for what else varies."""
    found = re.fullmatch(r"https://([^/]+).*", url)
    if found is None:
        return
    host = re.sub(r"\{\w+#(dnsSuffix|dualStackDnsSuffix)\}", "{S}", found[1])
    host = re.sub(rf"{_REGION}|\{{\w+#implicitGlobalRegion\}}", "{R}", host)
    for partition in PARTITIONS["partitions"]:
        region, out = partition["regionRegex"].strip("^$"), partition["outputs"]
        host = re.sub(rf"(?<=\.){region}(?=\.)", "{R}", host)
        for suffix in (out["dualStackDnsSuffix"], out["dnsSuffix"]):
            host = re.sub(rf"(?<=\.){re.escape(suffix)}$", "{S}", host)
    host = re.sub(r"(?<=\{R\}\.)on\.aws$", "{S}", host)
    host = ".".join(
        re.sub(r"-fips(?=$|-)", "", label) for label in host.split(".") if label not in ("fips", "dualstack")
    )
    for kind in ("control", "data") if "{OperationType}" in host else ("",):
        named = host.replace("{OperationType}", kind)
        yield re.sub(r"\{(?![RS]\})[^}]*\}", "{}", named)


def main() -> int:
    """Writes the modules, or with --check compares them; the exit code."""
    stale = False
    for name, made in (("partitions", partitions()), ("services", services()), ("host_names", host_names())):
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
