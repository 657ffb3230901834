//! Checks an order and adds its tax: good orders leave on `ok`, others on `rejected` with a reason.
//!
//! Setting `rates`: a JSON object of tax rates by country, such as `{"IT": 0.22}`. Without it a
//! small default table applies.
//!
//! `order-tax-c`, `order-tax-js` and `order-tax-py` are the same function in other languages.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use crate::flow::function::logging::{self, Level};
use crate::flow::function::types::Payload;
use crate::flow::function::{config, output};

wit_bindgen::generate!({ path: "../../../runtime/wit", world: "function" });

/// Up to here a total is exact to the cent.
const LARGEST_TOTAL: f64 = 1e12;

struct OrderTax;

export!(OrderTax);

impl Guest for OrderTax {
    fn handle(event: Event, _port: String) -> Result<(), Failure> {
        let Payload::Json(text) = &event.data else {
            return Err(Failure::Invalid("payload is not json; send the order as a json object".into()));
        };
        let mut order: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| Failure::Invalid(format!("payload is not a json object: {error}")))?;

        let (port, kind) = match tax(&order, rates()?) {
            Ok(tax) => {
                order.insert("tax".into(), tax.amount.into());
                order.insert("taxRate".into(), tax.rate.into());
                ("ok", "order.taxed")
            }
            Err(reason) => {
                let fields = [("event".to_owned(), event.id.clone())];
                logging::log(Level::Warn, &format!("order rejected: {reason}"), &fields);
                order.insert("reason".into(), reason.into());
                ("rejected", "order.rejected")
            }
        };
        let event = Event {
            id: String::new(), // the host derives one, so that a retry gives the same
            type_: kind.into(),
            datacontenttype: "application/json".into(),
            data: Payload::Json(Value::Object(order).to_string()),
            ..event
        };
        output::emit(port, &event).map_err(|error| Failure::Fatal(format!("cannot emit on `{port}`: {error:?}")))
    }
}

struct Tax {
    amount: f64,
    rate: f64,
}

/// The tax of an order, or why the order is rejected. Whatever else the order holds passes through.
fn tax(order: &Map<String, Value>, rates: &BTreeMap<String, f64>) -> Result<Tax, String> {
    let id = text(order, "orderId")?;
    if id.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
        return Err("orderId is missing".into());
    }
    let total = total(order)?;
    let country = text(order, "country")?;
    let rate = *rates.get(country).ok_or_else(|| format!("no tax rate for country \"{country}\""))?;
    Ok(Tax { amount: cents(total * rate), rate })
}

/// The stated total, the sum of the items, or both if they agree to the cent.
fn total(order: &Map<String, Value>) -> Result<f64, String> {
    let stated = present(order, "total").map(|total| number(total, "total")).transpose()?;
    let summed = present(order, "items").map(sum).transpose()?;
    if stated.into_iter().chain(summed).any(|total| !(total.abs() <= LARGEST_TOTAL)) {
        return Err("total is out of bounds".into());
    }
    let total = match (stated, summed) {
        (Some(stated), Some(summed)) if cents(stated) != cents(summed) => {
            return Err(format!("total is {}, but the items sum to {}", amount(stated), amount(summed)));
        }
        (Some(total), _) => total,
        (None, Some(summed)) => cents(summed),
        (None, None) => return Err("total and items are both missing".into()),
    };
    if total < 0.0 { Err("total is negative".into()) } else { Ok(total) }
}

fn sum(items: &Value) -> Result<f64, String> {
    let mut sum = 0.0;
    for (at, item) in items.as_array().ok_or("items is not a list")?.iter().enumerate() {
        let at = at + 1;
        let item = item.as_object().ok_or_else(|| format!("item {at} is not an object"))?;
        let price = number(item.get("price").unwrap_or(&Value::Null), &format!("price of item {at}"))?;
        let quantity = match item.get("quantity") {
            Some(quantity) => number(quantity, &format!("quantity of item {at}"))?,
            None => 1.0,
        };
        sum += price * quantity;
    }
    Ok(sum)
}

/// A member that is there, and not null.
fn present<'a>(order: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    order.get(name).filter(|value| !value.is_null())
}

fn text<'a>(order: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    let value = present(order, name).ok_or_else(|| format!("{name} is missing"))?;
    value.as_str().ok_or_else(|| format!("{name} is not a text"))
}

fn number(value: &Value, name: &str) -> Result<f64, String> {
    value.as_f64().ok_or_else(|| format!("{name} is not a number"))
}

/// To the cent, half a cent away from zero, and never the zero below zero.
fn cents(amount: f64) -> f64 {
    (amount * 100.0).round() / 100.0 + 0.0
}

/// To the cent, without zeros at the end.
fn amount(amount: f64) -> String {
    let text = format!("{:.2}", cents(amount));
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The rates of the setting, read once an instance: settings do not change under it.
fn rates() -> Result<&'static BTreeMap<String, f64>, Failure> {
    static RATES: OnceLock<Result<BTreeMap<String, f64>, String>> = OnceLock::new();
    RATES
        .get_or_init(|| match config::get("rates") {
            Some(text) => serde_json::from_str(&text)
                .map_err(|error| format!("setting `rates` is not a table of rates by country: {error}")),
            None => Ok(default_rates()),
        })
        .as_ref()
        .map_err(|reason| Failure::Fatal(reason.clone()))
}

fn default_rates() -> BTreeMap<String, f64> {
    [("AT", 0.20), ("DE", 0.19), ("ES", 0.21), ("FR", 0.20), ("IT", 0.22), ("NL", 0.21)]
        .map(|(country, rate)| (country.to_owned(), rate))
        .into()
}
