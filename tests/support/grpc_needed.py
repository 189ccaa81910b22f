"""A mark for tests that need the packages of the extra `grpc`."""

from __future__ import annotations

import pytest

from chaos.runner.plan.calls import installed

needs_grpc = pytest.mark.skipif(not installed(), reason="the packages of chaos-harness[grpc] are not installed")
