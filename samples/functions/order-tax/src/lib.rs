//! Checks an order and adds its tax: good orders leave on `ok`, others on `rejected` with a reason.
//!
//! Setting `rates`: a JSON object of tax rates by country, such as `{"IT": 0.22}`. Without it a
//! small default table applies.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::flow::function::logging::{self, Level};
use crate::flow::function::types::Payload;
use crate::flow::function::{config, output};

wit_bindgen::generate!({ path: "../../../runtime/wit", world: "function" });

struct OrderTax;

export!(OrderTax);

impl Guest for OrderTax {
    fn handle(event: Event, _port: String) -> Result<(), Failure> {
        let Payload::Json(text) = &event.data else {
            return Err(Failure::Invalid("payload is not json; send the order as a json object".into()));
        };
        let mut order: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| Failure::Invalid(format!("payload is not a json object: {error}")))?;

        let (port, kind) = match tax(text, rates()?) {
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

/// The parts of an order that decide its tax; whatever else it holds passes through.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    order_id: Option<String>,
    country: Option<String>,
    total: Option<f64>,
    items: Option<Vec<Item>>,
}

#[derive(Deserialize)]
struct Item {
    price: f64,
    #[serde(default = "one")]
    quantity: f64,
}

fn one() -> f64 {
    1.0
}

struct Tax {
    amount: f64,
    rate: f64,
}

/// The tax of an order, or why the order is rejected.
fn tax(text: &str, rates: &BTreeMap<String, f64>) -> Result<Tax, String> {
    let order: Order = serde_json::from_str(text).map_err(|error| format!("order is misshapen: {error}"))?;
    if order.order_id.is_none_or(|id| id.trim().is_empty()) {
        return Err("orderId is missing".into());
    }
    let total = total(order.total, order.items.as_deref())?;
    let country = order.country.ok_or("country is missing")?;
    let rate = *rates.get(&country).ok_or_else(|| format!("no tax rate for country {country:?}"))?;
    Ok(Tax { amount: cents(total * rate), rate })
}

/// The stated total, the sum of the items, or both if they agree to the cent.
fn total(stated: Option<f64>, items: Option<&[Item]>) -> Result<f64, String> {
    let summed = items.map(|items| cents(items.iter().map(|item| item.price * item.quantity).sum()));
    let total = match (stated, summed) {
        (Some(stated), Some(summed)) if cents(stated) != summed => {
            return Err(format!("total is {stated}, but the items sum to {summed}"));
        }
        (Some(total), _) | (None, Some(total)) => total,
        (None, None) => return Err("total and items are both missing".into()),
    };
    if total < 0.0 { Err(format!("total {total} is negative")) } else { Ok(total) }
}

fn cents(amount: f64) -> f64 {
    (amount * 100.0).round() / 100.0
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
