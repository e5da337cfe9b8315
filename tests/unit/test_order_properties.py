"""Any selection of charts either comes in an order that keeps every promise, or is refused with a reason."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bench.graph import make_plan_of
from tests.unit.entries import catalog, chart, needs, plan_of, resource
from wizard.catalog import Catalog, load
from wizard.errors import InputError
from wizard.order import Order, resolve
from wizard.plan import Plan
from wizard.state import TIERS

CATALOG = load()
settings.register_profile("order", deadline=None, max_examples=150, derandomize=True)
settings.load_profile("order")


@st.composite
def homelabs(draw: st.DrawFn) -> tuple[Catalog, list[str], str]:
    """A catalog of up to 12 charts that need each other, words and kinds at random, some of them chosen."""
    count = draw(st.integers(1, 12))
    names = [f"c{i:02}" for i in range(count)]
    words = ["w0", "w1", "w2"]
    charts = []
    for name in names:
        wanted = draw(st.lists(st.sampled_from([*names, *words]), max_size=3, unique=True))
        fields: dict[str, Any] = {"requires": needs(*(w for w in wanted if w != name), optional=draw(st.integers(0, 4)) == 0)}
        fields["provides"] = draw(st.lists(st.sampled_from(words), max_size=1))
        fields["crds"] = {"names": [f"things.{name}.example.net"]}
        if draw(st.booleans()):
            owner = draw(st.sampled_from(names))
            fields["resources"] = {"config": [resource("Thing", name, f"{owner}.example.net")]}
        charts.append(chart(name, draw(st.sampled_from(TIERS)), **fields))
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    return catalog(*charts), chosen, draw(st.sampled_from(["dependencies", "tiers"]))


def outcome(plan: Plan, known: Catalog) -> Order | str:
    try:
        return resolve(plan, known, None)
    except InputError as error:
        return str(error)


def holds(order: Order, known: Catalog, chosen: list[str]) -> None:
    assert set(chosen) <= set(order.charts)
    assert set(order.charts) == set(chosen) | set(order.brought)
    position = {node: i for i, node in enumerate(node for level in order.levels for node in level)}
    assert all(position[edge.target] < position[edge.source] for edge in order.edges)
    assert [c for c in position if "/" not in c] == list(order.charts)
    for name in order.charts:
        for need in known.charts[name].requires:
            given = [c for c, offer in known.offers.get(need.what, ()) if c in order.charts and known.charts[c].holds(offer.when, {})]
            assert given or need.optional or need.when, f"{name} lacks {need.what}"


@given(homelabs())
def test_every_selection_is_ordered_or_refused_with_a_reason(drawn: tuple[Catalog, list[str], str]) -> None:
    known, chosen, order = drawn
    found = outcome(plan_of(known, *chosen, order=order), known)
    if isinstance(found, Order):
        holds(found, known, chosen)
    else:
        assert any(words in found for words in ("choose one of", "these wait for each other", "did you mean", "no chart of the catalog"))


@given(homelabs(), st.randoms(use_true_random=False))
def test_the_same_plan_has_the_same_order_however_it_is_written(drawn: tuple[Catalog, list[str], str], random: Any) -> None:
    known, chosen, order = drawn
    shuffled, turned = list(chosen), list(known.charts.values())
    random.shuffle(shuffled)
    random.shuffle(turned)
    assert outcome(plan_of(known, *chosen, order=order), known) == outcome(plan_of(known, *shuffled, order=order), catalog(*turned))


@given(st.lists(st.sampled_from(sorted(CATALOG.charts)), min_size=1, unique=True))
def test_any_selection_of_what_ships(chosen: list[str]) -> None:
    found = outcome(plan_of(CATALOG, *chosen), CATALOG)
    if isinstance(found, Order):
        holds(found, CATALOG, chosen)
    else:
        assert "storage-class" in found, "the one thing several charts can give"


def test_a_thousand_charts_come_in_order() -> None:
    plan, known = make_plan_of(1000)
    order = resolve(plan, known, None)
    holds(order, known, list(known.charts))
    assert len(order.charts) == 1000
    assert {edge.kind for edge in order.edges} == {"chart", "claims", "cluster"}


def test_the_order_does_not_hang_on_the_hash_seed() -> None:
    code = (
        "from tests.bench.graph import make_plan_of; from wizard.order import resolve; import hashlib;"
        "p, c = make_plan_of(60); o = resolve(p, c, None); print(hashlib.sha256(repr((o.levels, o.edges)).encode()).hexdigest())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1
