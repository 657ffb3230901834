// Checks an order and adds its tax: good orders leave on `ok`, others on `rejected` with a reason.
//
// Setting `rates`: a JSON object of tax rates by country, such as {"IT": 0.22}. Without it a small default
// table applies. `../order-tax` is the same function in Rust.

import { get } from 'flow:function/config@0.1.0';
import { log } from 'flow:function/logging@0.1.0';
import { emit } from 'flow:function/output@0.1.0';

// Up to here a total is exact to the cent.
const LARGEST_TOTAL = 1e12;
const DEFAULT_RATES = { AT: 0.2, DE: 0.19, ES: 0.21, FR: 0.2, IT: 0.22, NL: 0.21 };

// Read once an instance: settings do not change under it.
let rates;

export function handle(event, port) {
  try {
    if (event.data.tag !== 'json') {
      throw invalid('payload is not json; send the order as a json object');
    }
    const order = readOrder(event.data.val);
    rates ??= readRates();
    try {
      Object.assign(order, tax(order));
      send(event, 'ok', 'order.taxed', order);
    } catch (error) {
      if (!(error instanceof Rejected)) throw error;
      log('warn', `order rejected: ${error.message}`, [['event', event.id]]);
      order.reason = error.message;
      send(event, 'rejected', 'order.rejected', order);
    }
  } catch (error) {
    // What is thrown with a tag is an answer. Anything else is a fault of ours, and would end the
    // instance without a word if it left this function.
    throw error?.tag ? error : { tag: 'fatal', val: `${error}\n${error?.stack ?? ''}` };
  }
}

/** Why an order is rejected. */
class Rejected extends Error {}

function send(event, port, type, order) {
  emit(port, {
    ...event,
    id: '', // the host derives one, so that a retry gives the same
    type,
    datacontenttype: 'application/json',
    data: { tag: 'json', val: JSON.stringify(order) },
  });
}

/** The tax of an order. Whatever else the order holds passes through. */
function tax(order) {
  if (/^[ \t\r\n]*$/.test(text(order, 'orderId'))) throw new Rejected('orderId is missing');
  const total = totalOf(order);
  const country = text(order, 'country');
  if (!Object.hasOwn(rates, country)) throw new Rejected(`no tax rate for country "${country}"`);
  return { tax: cents(total * rates[country]), taxRate: rates[country] };
}

/** The stated total, the sum of the items, or both if they agree to the cent. */
function totalOf(order) {
  const stated = present(order, 'total') && number(order.total, 'total');
  const summed = present(order, 'items') && sum(order.items);
  for (const total of [stated, summed]) {
    if (total !== null && !(Math.abs(total) <= LARGEST_TOTAL)) throw new Rejected('total is out of bounds');
  }
  if (stated === null && summed === null) throw new Rejected('total and items are both missing');
  if (stated !== null && summed !== null && cents(stated) !== cents(summed)) {
    throw new Rejected(`total is ${amount(stated)}, but the items sum to ${amount(summed)}`);
  }
  const total = stated ?? cents(summed);
  if (total < 0) throw new Rejected('total is negative');
  return total;
}

function sum(items) {
  if (!Array.isArray(items)) throw new Rejected('items is not a list');
  let sum = 0;
  items.forEach((item, index) => {
    const at = index + 1;
    if (!isObject(item)) throw new Rejected(`item ${at} is not an object`);
    const price = number(Object.hasOwn(item, 'price') ? item.price : null, `price of item ${at}`);
    const quantity = Object.hasOwn(item, 'quantity') ? number(item.quantity, `quantity of item ${at}`) : 1;
    sum += price * quantity;
  });
  return sum;
}

/** True where a member is there and not null; null otherwise. */
function present(order, name) {
  return Object.hasOwn(order, name) && order[name] !== null ? true : null;
}

function text(order, name) {
  if (!present(order, name)) throw new Rejected(`${name} is missing`);
  if (typeof order[name] !== 'string') throw new Rejected(`${name} is not a text`);
  return order[name];
}

function number(value, name) {
  if (typeof value !== 'number') throw new Rejected(`${name} is not a number`);
  return value;
}

/** To the cent, half a cent away from zero, and never the zero below zero. */
function cents(amount) {
  return (Math.sign(amount) * Math.round(Math.abs(amount * 100))) / 100 + 0;
}

/** To the cent, without zeros at the end. */
function amount(amount) {
  return cents(amount).toFixed(2).replace(/\.?0+$/, '');
}

function readOrder(text) {
  let order;
  try {
    order = JSON.parse(text, sound);
  } catch (error) {
    throw invalid(`payload is not a json object: ${error.message}`);
  }
  if (!isObject(order)) throw invalid('payload is not a json object: it is something else');
  return order;
}

/** Refuses what JSON can write but others could not read: halves of characters, numbers without end. */
function sound(key, value) {
  if (!key.isWellFormed() || (typeof value === 'string' && !value.isWellFormed())) {
    throw new SyntaxError('half a character');
  }
  if (typeof value === 'number' && !Number.isFinite(value)) throw new SyntaxError('number out of range');
  return value;
}

function readRates() {
  const text = get('rates');
  if (text == null) return DEFAULT_RATES;
  let why = 'it is something else';
  try {
    const rates = JSON.parse(text);
    if (isObject(rates) && Object.values(rates).every(Number.isFinite)) return rates;
  } catch (error) {
    why = error.message;
  }
  throw { tag: 'fatal', val: `setting \`rates\` is not a table of rates by country: ${why}` };
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(reason) {
  return { tag: 'invalid', val: reason };
}
