// Checks an order and adds its tax: good orders leave on `ok`, others on `rejected` with a reason.
//
// Setting `rates`: a JSON object of tax rates by country, such as {"IT": 0.22}. Without it a small default
// table applies. This is the text of a node of the kind `script`, with the ports `ok` and `rejected`;
// `../order-tax` is the same function in Rust.

// Up to here a total is exact to the cent.
const LARGEST_TOTAL = 1e12;
const DEFAULT_RATES = { AT: 0.2, DE: 0.19, ES: 0.21, FR: 0.2, IT: 0.22, NL: 0.21 };

/** Why an order is rejected. */
class Rejected extends Error {}

const order = event.data;
if (!isObject(order)) throw invalid('payload is not a json object');
refuseUnsound(order);
const rates = readRates();
try {
  emit('ok', { ...order, ...tax() }, { type: 'order.taxed' });
} catch (error) {
  if (!(error instanceof Rejected)) throw error;
  console.warn(`order rejected: ${error.message}`);
  emit('rejected', { ...order, reason: error.message }, { type: 'order.rejected' });
}

/** The tax of the order. Whatever else the order holds passes through. */
function tax() {
  if (/^[ \t\r\n]*$/.test(text('orderId'))) throw new Rejected('orderId is missing');
  const total = totalOf();
  const country = text('country');
  if (!Object.hasOwn(rates, country)) throw new Rejected(`no tax rate for country "${country}"`);
  return { tax: cents(total * rates[country]), taxRate: rates[country] };
}

/** The stated total, the sum of the items, or both if they agree to the cent. */
function totalOf() {
  const stated = present('total') ? number(order.total, 'total') : null;
  const summed = present('items') ? sum(order.items) : null;
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

/** Whether the order has a member that is not null. */
function present(name) {
  return Object.hasOwn(order, name) && order[name] !== null;
}

function text(name) {
  if (!present(name)) throw new Rejected(`${name} is missing`);
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

/** Refuses what JSON can write but others could not read: halves of characters, numbers without end. */
function refuseUnsound(value) {
  const unsound = (what) => invalid(`payload is not a json object: ${what}`);
  if (typeof value === 'string' && !value.isWellFormed()) throw unsound('half a character');
  if (typeof value === 'number' && !Number.isFinite(value)) throw unsound('number out of range');
  if (typeof value !== 'object' || value === null) return;
  for (const [name, held] of Object.entries(value)) {
    refuseUnsound(name);
    refuseUnsound(held);
  }
}

function readRates() {
  const text = config.get('rates');
  if (text === undefined) return DEFAULT_RATES;
  let why = 'it is something else';
  try {
    const rates = JSON.parse(text);
    if (isObject(rates) && Object.values(rates).every(Number.isFinite)) return rates;
  } catch (error) {
    why = error.message;
  }
  throw fatal(`setting \`rates\` is not a table of rates by country: ${why}`);
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}
