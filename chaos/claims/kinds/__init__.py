"""The kinds of claims, one file each. A new kind is a new file and a line here (docs/extending.md)."""

from __future__ import annotations

from collections.abc import Mapping

from chaos.claims.expectation import Expectation
from chaos.claims.kinds.abort import AbortClaim
from chaos.claims.kinds.added_delay import AddedDelayClaim
from chaos.claims.kinds.connections import ConnectionsClaim
from chaos.claims.kinds.delay import DelayClaim
from chaos.claims.kinds.destination import DestinationClaim
from chaos.claims.kinds.failures import FailuresClaim
from chaos.claims.kinds.lost import LostClaim
from chaos.claims.kinds.mirror import MirrorClaim
from chaos.claims.kinds.policy_quota import PolicyQuotaClaim
from chaos.claims.kinds.policy_sequence import PolicySequenceClaim
from chaos.claims.kinds.policy_share import PolicyShareClaim
from chaos.claims.kinds.policy_slower import PolicySlowerClaim
from chaos.claims.kinds.policy_wait import PolicyWaitClaim
from chaos.claims.kinds.reply import DirectResponseClaim, NoRouteClaim, RedirectClaim
from chaos.claims.kinds.retries import RetriesClaim
from chaos.claims.kinds.route import RouteClaim

KINDS: tuple[type[Expectation], ...] = (
    LostClaim,
    FailuresClaim,
    RedirectClaim,
    DirectResponseClaim,
    NoRouteClaim,
    PolicyShareClaim,
    PolicySequenceClaim,
    PolicyQuotaClaim,
    PolicyWaitClaim,
    PolicySlowerClaim,
    RouteClaim,
    AbortClaim,
    DelayClaim,
    AddedDelayClaim,
    DestinationClaim,
    RetriesClaim,
    MirrorClaim,
)
"""All kinds, in the order in which the claims of a phase, and those of a rule, are listed."""

OF_CONNECTIONS: tuple[type[Expectation], ...] = (ConnectionsClaim,)
"""Kinds about connections, whose requests nobody sees; they follow from other effects."""

BY_NAME: Mapping[str, type[Expectation]] = {kind.kind: kind for kind in (*KINDS, *OF_CONNECTIONS)}
