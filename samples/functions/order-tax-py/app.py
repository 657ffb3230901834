"""Checks an order and adds its tax: good orders leave on `ok`, others on `rejected` with a reason.

Setting `rates`: a JSON object of tax rates by country, such as {"IT": 0.22}. Without it a small default
table applies. `../order-tax` is the same function in Rust.
"""

import json
import math
from dataclasses import replace
from functools import cache

import wit_world
from componentize_py_types import Err
from wit_world.imports import config, logging, output
from wit_world.imports.types import Event, Failure_Fatal, Failure_Invalid, Payload_Json

# Up to here a total is exact to the cent.
LARGEST_TOTAL = 1e12
DEFAULT_RATES = {"AT": 0.20, "DE": 0.19, "ES": 0.21, "FR": 0.20, "IT": 0.22, "NL": 0.21}


class WitWorld(wit_world.WitWorld):
    def handle(self, event: Event, port: str) -> None:
        if not isinstance(event.data, Payload_Json):
            raise Err(Failure_Invalid("payload is not json; send the order as a json object"))
        order = read_order(event.data.value)
        try:
            order |= tax(order, rates())
            send(event, "ok", "order.taxed", order)
        except Rejected as rejected:
            reason = str(rejected)
            logging.log(logging.Level.WARN, f"order rejected: {reason}", [("event", event.id)])
            send(event, "rejected", "order.rejected", order | {"reason": reason})


class Rejected(Exception):
    """Why an order is rejected."""


def send(event: Event, port: str, kind: str, order: dict) -> None:
    # The host derives an id, so that a retry gives the same.
    output.emit(
        port,
        replace(event, id="", type=kind, datacontenttype="application/json", data=Payload_Json(write(order))),
    )


def tax(order: dict, rates: dict) -> dict:
    """The tax of an order. Whatever else the order holds passes through."""
    if not text(order, "orderId").strip(" \t\r\n"):
        raise Rejected("orderId is missing")
    total = total_of(order)
    country = text(order, "country")
    if country not in rates:
        raise Rejected(f'no tax rate for country "{country}"')
    return {"tax": cents(total * rates[country]), "taxRate": rates[country]}


def total_of(order: dict) -> float:
    """The stated total, the sum of the items, or both if they agree to the cent."""
    stated, summed = order.get("total"), order.get("items")
    if stated is not None:
        stated = number(stated, "total")
    if summed is not None:
        summed = sum_of(summed)
    if any(total is not None and not abs(total) <= LARGEST_TOTAL for total in (stated, summed)):
        raise Rejected("total is out of bounds")
    if stated is None and summed is None:
        raise Rejected("total and items are both missing")
    if stated is not None and summed is not None and cents(stated) != cents(summed):
        raise Rejected(f"total is {amount(stated)}, but the items sum to {amount(summed)}")
    total = cents(summed) if stated is None else stated
    if total < 0:
        raise Rejected("total is negative")
    return total


def sum_of(items: object) -> float:
    if not isinstance(items, list):
        raise Rejected("items is not a list")
    # Not `sum`, which carries along what additions lose; other languages do not.
    total = 0.0
    for at, item in enumerate(items, start=1):
        if not isinstance(item, dict):
            raise Rejected(f"item {at} is not an object")
        price = number(item.get("price"), f"price of item {at}")
        quantity = number(item.get("quantity", 1), f"quantity of item {at}")
        total += price * quantity
    return total


def text(order: dict, name: str) -> str:
    value = order.get(name)
    if value is None:
        raise Rejected(f"{name} is missing")
    if not isinstance(value, str):
        raise Rejected(f"{name} is not a text")
    return value


def number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Rejected(f"{name} is not a number")
    return float(value)


def cents(amount: float) -> float:
    """To the cent, half a cent away from zero, and never the zero below zero."""
    scaled = amount * 100
    whole = float(math.trunc(scaled))
    if abs(scaled - whole) >= 0.5:
        whole += math.copysign(1, scaled)
    return whole / 100 + 0.0


def amount(amount: float) -> str:
    """To the cent, without zeros at the end."""
    return f"{cents(amount):.2f}".rstrip("0").rstrip(".")


def read_order(source: str) -> dict:
    try:
        order = json.loads(source, parse_int=whole)
        # Refuses what JSON can write but others could not read: halves of characters, numbers without end.
        write(order).encode()
    except (ValueError, OverflowError) as error:
        raise Err(Failure_Invalid(f"payload is not a json object: {error}"))
    if not isinstance(order, dict):
        raise Err(Failure_Invalid("payload is not a json object: it is something else"))
    return order


def whole(digits: str) -> int:
    float(digits_value := int(digits))  # overflows where others have no number either
    return digits_value


def write(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@cache
def rates() -> dict:
    """Read once an instance: settings do not change under it."""
    source = config.get("rates")
    if source is None:
        return DEFAULT_RATES
    why = "it is something else"
    try:
        rates = json.loads(source)
        return {country: number(rate, country) for country, rate in rates.items()}
    except (ValueError, AttributeError, Rejected) as error:
        why = str(error)
    raise Err(Failure_Fatal(f"setting `rates` is not a table of rates by country: {why}"))
