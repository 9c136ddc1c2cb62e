"""The circuit breaker, by a clock of its own."""

from types import SimpleNamespace

import pytest

from vault.kms.transit.circuit_breaker import CircuitBreaker


@pytest.fixture
def clock():
    """Stands still until a test moves it."""
    return SimpleNamespace(now=100.0)


@pytest.fixture
def breaker(clock):
    return CircuitBreaker(threshold=3, open_s=10.0, clock=lambda: clock.now)


def fail(breaker, times):
    for _ in range(times):
        assert breaker.admit() == 0.0
        breaker.failed()


def test_it_opens_at_the_threshold_and_says_for_how_long(breaker, clock):
    fail(breaker, 3)
    assert breaker.admit() == 10.0
    clock.now += 4
    assert breaker.admit() == 6.0


def test_a_success_between_failures_starts_the_count_anew(breaker):
    fail(breaker, 2)
    breaker.succeeded()
    fail(breaker, 2)
    assert breaker.admit() == 0.0


def test_one_probe_at_a_time_and_success_closes(breaker, clock):
    fail(breaker, 3)
    clock.now += 10
    assert breaker.admit() == 0.0
    assert breaker.admit() == 10.0
    breaker.succeeded()
    assert breaker.admit() == 0.0
    assert breaker.admit() == 0.0


def test_a_failed_probe_keeps_it_open(breaker, clock):
    fail(breaker, 3)
    clock.now += 10
    assert breaker.admit() == 0.0
    clock.now += 2
    breaker.failed()
    assert breaker.admit() == 10.0


def test_a_probe_that_never_reports_does_not_keep_it_open_for_ever(breaker, clock):
    fail(breaker, 3)
    clock.now += 10
    assert breaker.admit() == 0.0
    clock.now += 10
    assert breaker.admit() == 0.0
