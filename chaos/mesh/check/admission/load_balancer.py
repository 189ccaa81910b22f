"""Admission checks of a DestinationRule's load balancer: hashing, localities, warm-up.

Source: istio pkg/config/validation/validation.go, validateLoadBalancer; agent/validation.go,
ValidateLocalityLbSetting."""

from __future__ import annotations

from chaos.mesh.check.admission import values
from chaos.mesh.check.admission.match import only_one
from chaos.mesh.check.cursor import At
from chaos.mesh.model.destination_rule import (
    ConsistentHashLB,
    Distribute,
    Failover,
    HTTPCookie,
    LoadBalancerSettings,
    LocalityLoadBalancerSetting,
    OutlierDetection,
    ZoneAwareLoadBalancerSetting,
)
from chaos.mesh.read.shape import shown

_TOPOLOGY = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone")
_MAGLEV_LIMIT = 5_000_011


def validate_load_balancer(at: At, settings: LoadBalancerSettings | None, outlier: OutlierDetection | None) -> None:
    if settings is None:
        return
    only_one(at, settings, "simple", "consistent_hash")
    if settings.consistent_hash is not None:
        _hash(at.into("consistentHash"), settings.consistent_hash)
    if settings.locality_lb_setting is not None and settings.zone_aware_lb_setting is not None:
        at.into("zoneAwareLbSetting").error("localityLbSetting and zoneAwareLbSetting cannot be used together")
    _locality(at.into("localityLbSetting"), settings.locality_lb_setting, outlier)
    _zone_aware(at.into("zoneAwareLbSetting"), settings.zone_aware_lb_setting, outlier)
    if settings.warmup_duration_secs is not None and settings.warmup_duration_secs < 0.001:
        at.into("warmupDurationSecs").error("must be at least 1ms")
    if settings.warmup is not None:
        at.into("warmup", "duration").unless(values.duration(settings.warmup.duration))
        if settings.warmup.aggression == 0:
            at.into("warmup", "aggression").error("must be greater than 0; 1 is linear")


def _hash(at: At, settings: ConsistentHashLB) -> None:
    only_one(at, settings, "http_header_name", "http_cookie", "use_source_ip", "http_query_parameter_name")
    only_one(at, settings, "ring_hash", "maglev")
    if settings.http_cookie is not None:
        _cookie(at.into("httpCookie"), settings.http_cookie)
    if settings.minimum_ring_size:
        at.into("minimumRingSize").warn("deprecated; write ringHash: {minimumRingSize: ...}")
        if settings.ring_hash is not None or settings.maglev is not None:
            at.into("minimumRingSize").error("cannot be used with ringHash or maglev")
    if settings.maglev is not None:
        at.into("maglev", "tableSize").unless(_table_size(settings.maglev.table_size))


def _cookie(at: At, cookie: HTTPCookie) -> None:
    if not cookie.name:
        at.into("name").error("a cookie needs a name")
    seen: set[str] = set()
    for index, attribute in enumerate(cookie.attributes):
        if not attribute.name:
            at.into("attributes", index, "name").error("an attribute needs a name")
        elif attribute.name in seen:
            at.into("attributes", index, "name").error(f"a second attribute named {attribute.name}")
        seen.add(attribute.name)


def _table_size(size: int) -> str | None:
    if size == 0:
        return "required, but missing: a prime number"
    if size >= _MAGLEV_LIMIT:
        return f"{size} is too large; it must be a prime number less than {_MAGLEV_LIMIT}"
    return None if _is_prime(size) else f"{size} is not a prime number"


def _is_prime(number: int) -> bool:
    """Return whether Envoy takes a number for a prime; 1 passes."""
    if number < 4:
        return number > 0
    return number % 2 == 1 and all(number % factor for factor in range(3, int(number**0.5) + 1, 2))


def _locality(at: At, setting: LocalityLoadBalancerSetting | None, outlier: OutlierDetection | None) -> None:
    if setting is None:
        return
    if setting.distribute and setting.failover:
        at.into("failover").error("distribute and failover cannot be used together")
        return
    clash = [label for label in setting.failover_priority if label in _TOPOLOGY] if setting.failover else []
    if clash:
        at.into("failoverPriority").error(f"the topology label {clash[0]} cannot be used with failover")
        return
    for index, entry in enumerate(setting.distribute):
        _distribute(at.into("distribute", index), entry)
    at.into("distribute").unless(_localities([entry.from_ for entry in setting.distribute]))
    _needs_outlier(at, setting, outlier)
    _failover(at.into("failover"), setting.failover)


def _distribute(at: At, entry: Distribute) -> None:
    for name, weight in entry.to.items():
        if not 1 <= weight <= 100:
            at.into("to", name).error(f"{weight} is not between 1 and 100")
            return
    if sum(entry.to.values()) != 100:
        at.into("to").error(f"the shares sum to {sum(entry.to.values())}, not to 100")
        return
    at.into("to").unless(_localities(list(entry.to)))


def _localities(names: list[str]) -> str | None:
    """Check that each name is `region[/zone[/sub-zone]]`, with `*` only at the end, and that none contains another."""
    seen: list[list[str]] = []
    for name in names:
        if name.count("*") > 1 or ("*" in name and not name.endswith("*")):
            return f"{shown(name)}: a locality has at most one `*`, at its end"
        parts = name.split("/", 2)
        if "" in parts:
            return f"{shown(name)} has an empty part; write region/zone/sub-zone"
        wide = parts[:-1] if parts[-1] == "*" else parts
        for other in seen:
            shorter = min(len(wide), len(other))
            if wide[:shorter] == other[:shorter]:
                return f"{shown(name)} overlaps another locality"
        seen.append(wide)
    return None


def _zone_aware(at: At, setting: ZoneAwareLoadBalancerSetting | None, outlier: OutlierDetection | None) -> None:
    if setting is None:
        return
    for index, label in enumerate(setting.failover_priority):
        if label in _TOPOLOGY:
            at.into("failoverPriority", index).error(f"{label} is handled already; leave it out")
    _needs_outlier(at, setting, outlier)
    _failover(at.into("failover"), setting.failover)


def _needs_outlier(
    at: At, setting: LocalityLoadBalancerSetting | ZoneAwareLoadBalancerSetting, outlier: OutlierDetection | None
) -> None:
    if (setting.failover or setting.failover_priority) and outlier is None:
        at.warn("failover has no effect without outlierDetection")


def _failover(at: At, entries: tuple[Failover, ...]) -> None:
    for index, entry in enumerate(entries):
        here = at.into(index)
        if entry.from_ == entry.to:
            here.error(f"{shown(entry.to)} cannot take over for itself; name two regions")
        if "/" in entry.from_ + entry.to:
            here.error("names regions only, without zones")
        if "*" in entry.from_ + entry.to:
            here.error("a region has no `*`")
