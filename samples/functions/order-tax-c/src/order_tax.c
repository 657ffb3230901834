// Checks an order and adds its tax: good orders leave on `ok`, others on `rejected` with a reason.
//
// Setting `rates`: a JSON object of tax rates by country, such as {"IT": 0.22}. Without it a small default
// table applies. `../../order-tax` is the same function in Rust.

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "function.h"
#include "json.h"

// Up to here a total is exact to the cent.
#define LARGEST_TOTAL 1e12

static const char DEFAULT_RATES[] =
    "{\"AT\":0.20,\"DE\":0.19,\"ES\":0.21,\"FR\":0.20,\"IT\":0.22,\"NL\":0.21}";

// Why an order is rejected. It has a length of its own, since what comes from an order may hold zeros.
typedef struct {
  char *text;
  size_t len;
} reason_t;

// Notes the reason and returns false.
static bool reject(reason_t *reason, const char *format, ...) {
  va_list some, all;
  va_start(some, format);
  va_copy(all, some);
  reason->len = vsnprintf(NULL, 0, format, some);
  va_end(some);
  reason->text = malloc(reason->len + 1);
  vsnprintf(reason->text, reason->len + 1, format, all);
  va_end(all);
  return false;
}

// To the cent, half a cent away from zero, and never the zero below zero.
static double cents(double amount) { return round(amount * 100.0) / 100.0 + 0.0; }

// To the cent, without zeros at the end.
static char *amount(double amount, char text[static 32]) {
  int len = snprintf(text, 32, "%.2f", cents(amount));
  while (text[len - 1] == '0') len--;
  if (text[len - 1] == '.') len--;
  text[len] = 0;
  return text;
}

static json_t *named(const json_t *object, const char *name) { return json_member(object, json_text(name)); }

// A member that is there and not null.
static json_t *present(const json_t *object, const char *name) {
  json_t *value = named(object, name);
  return json_is(value, JSON_NULL) ? NULL : value;
}

static bool text(const json_t *order, const char *name, json_text_t *text, reason_t *reason) {
  const json_t *value = present(order, name);
  if (!value) return reject(reason, "%s is missing", name);
  *text = value->text;
  return json_is(value, JSON_TEXT) || reject(reason, "%s is not a text", name);
}

static bool sum(const json_t *items, double *sum, reason_t *reason) {
  if (!json_is(items, JSON_LIST)) return reject(reason, "items is not a list");
  *sum = 0.0;
  size_t at = 0;
  for (const json_t *item = items->first; item; item = item->next) {
    at++;
    if (!json_is(item, JSON_OBJECT)) return reject(reason, "item %zu is not an object", at);
    const json_t *price = named(item, "price"), *quantity = named(item, "quantity");
    if (!json_is(price, JSON_NUMBER)) return reject(reason, "price of item %zu is not a number", at);
    if (quantity && !json_is(quantity, JSON_NUMBER)) {
      return reject(reason, "quantity of item %zu is not a number", at);
    }
    *sum += price->number * (quantity ? quantity->number : 1.0);
  }
  return true;
}

// The stated total, the sum of the items, or both if they agree to the cent.
static bool total_of(const json_t *order, double *total, reason_t *reason) {
  const json_t *stated = present(order, "total"), *items = present(order, "items");
  if (stated && !json_is(stated, JSON_NUMBER)) return reject(reason, "total is not a number");
  double summed = 0.0;
  if (items && !sum(items, &summed, reason)) return false;
  *total = stated ? stated->number : summed;
  // Written so that what is no number is out of bounds too.
  if (!(fabs(*total) <= LARGEST_TOTAL && fabs(summed) <= LARGEST_TOTAL)) {
    return reject(reason, "total is out of bounds");
  }
  if (!stated && !items) return reject(reason, "total and items are both missing");
  if (stated && items && cents(*total) != cents(summed)) {
    char a[32], b[32];
    return reject(reason, "total is %s, but the items sum to %s", amount(*total, a), amount(summed, b));
  }
  if (!stated) *total = cents(summed);
  return *total < 0.0 ? reject(reason, "total is negative") : true;
}

// `before`, what is `named`, and `after`: named by an order, so it may hold zeros, which `reject` would end at.
static void join(reason_t *to, const char *before, json_text_t named, const char *after) {
  size_t start = strlen(before), end = strlen(after);
  to->len = start + named.len + end;
  to->text = malloc(to->len);
  memcpy(to->text, before, start);
  memcpy(to->text + start, named.ptr, named.len);
  memcpy(to->text + start + named.len, after, end);
}

// The tax of an order and its rate, or why the order is rejected.
static bool tax(const json_t *order, const json_t *rates, double *tax, double *rate, reason_t *reason) {
  json_text_t id, country;
  if (!text(order, "orderId", &id, reason)) return false;
  size_t blank = 0;
  while (blank < id.len && memchr(" \t\r\n", id.ptr[blank], 4)) blank++;
  if (blank == id.len) return reject(reason, "orderId is missing");

  double total;
  if (!total_of(order, &total, reason)) return false;
  if (!text(order, "country", &country, reason)) return false;
  const json_t *found = json_member(rates, country);
  if (!found) {
    join(reason, "no tax rate for country \"", country, "\"");
    return false;
  }
  *rate = found->number;
  *tax = cents(total * *rate);
  return true;
}

static bool is_table_of_rates(const json_t *rates) {
  if (!json_is(rates, JSON_OBJECT)) return false;
  const json_t *rate = rates->first;
  while (json_is(rate, JSON_NUMBER)) rate = rate->next;
  return !rate;
}

// The rates of the setting, read once an instance: settings do not change under it.
static const json_t *read_rates(function_failure_t *failure) {
  static json_document_t rates;
  if (rates.root) return rates.root;
  function_string_t key, setting;
  function_string_set(&key, "rates");
  if (flow_function_config_get(&key, &setting)) {
    rates = json_read((char *)setting.ptr, setting.len);
    function_string_free(&setting);
  } else {
    rates = json_read(DEFAULT_RATES, strlen(DEFAULT_RATES));
  }
  if (is_table_of_rates(rates.root)) return rates.root;

  reason_t reason;
  const char *why = rates.root ? "it is something else" : rates.error;
  reject(&reason, "setting `rates` is not a table of rates by country: %s", why);
  json_close(&rates);
  failure->tag = FLOW_FUNCTION_TYPES_FAILURE_FATAL;
  function_string_dup(&failure->val.fatal, reason.text);
  free(reason.text);
  return NULL;
}

static bool invalid(function_failure_t *failure, const char *why) {
  failure->tag = FLOW_FUNCTION_TYPES_FAILURE_INVALID;
  function_string_dup(&failure->val.invalid, why);
  return false;
}

static bool no_order(function_failure_t *failure, const json_document_t *read) {
  if (read->root) return invalid(failure, "payload is not a json object: it is something else");
  reason_t reason;
  reject(&reason, "payload is not a json object: %s, at byte %zu", read->error, read->at);
  invalid(failure, reason.text);
  free(reason.text);
  return false;
}

static void warn(function_string_t *event, const reason_t *reason) {
  reason_t line;
  join(&line, "order rejected: ", (json_text_t){reason->text, reason->len}, "");
  function_string_t message = {(uint8_t *)line.text, line.len};
  function_tuple2_string_string_t field = {.f1 = *event};
  function_string_set(&field.f0, "event");
  function_list_tuple2_string_string_t fields = {&field, 1};
  flow_function_logging_log(FLOW_FUNCTION_LOGGING_LEVEL_WARN, &message, &fields);
  free(line.text);
}

// Sends the order on. The event keeps its context, and belongs to the caller as before.
static bool send(function_event_t *event, const char *port, const char *type, const json_t *order,
                 function_failure_t *failure) {
  function_event_t sent = *event;
  sent.id.len = 0; // the host derives one, so that a retry gives the same
  function_string_set(&sent.type, type);
  function_string_set(&sent.datacontenttype, "application/json");
  size_t len;
  char *data = json_write(order, &len);
  sent.data.val.json = (function_string_t){(uint8_t *)data, len};
  function_string_t to;
  function_string_set(&to, port);
  flow_function_output_emit_error_t error;
  bool well = flow_function_output_emit(&to, &sent, &error);
  free(data);
  if (well) return true;
  flow_function_output_emit_error_free(&error);
  failure->tag = FLOW_FUNCTION_TYPES_FAILURE_FATAL;
  function_string_dup(&failure->val.fatal, "cannot emit the order");
  return false;
}

static bool handle(function_event_t *event, json_t *order, function_failure_t *failure) {
  const json_t *rates = read_rates(failure);
  if (!rates) return false;
  double amount, rate;
  reason_t reason = {0};
  if (tax(order, rates, &amount, &rate, &reason)) {
    json_put_number(order, "tax", amount);
    json_put_number(order, "taxRate", rate);
    return send(event, "ok", "order.taxed", order, failure);
  }
  warn(&event->id, &reason);
  json_put_text(order, "reason", (json_text_t){reason.text, reason.len});
  bool sent = send(event, "rejected", "order.rejected", order, failure);
  free(reason.text);
  return sent;
}

bool exports_function_handle(function_event_t *event, function_string_t *port, function_failure_t *failure) {
  function_string_free(port);
  bool well;
  if (event->data.tag == FLOW_FUNCTION_TYPES_PAYLOAD_JSON) {
    function_string_t text = event->data.val.json;
    json_document_t read = json_read((char *)text.ptr, text.len);
    well = json_is(read.root, JSON_OBJECT) ? handle(event, read.root, failure) : no_order(failure, &read);
    json_close(&read);
  } else {
    well = invalid(failure, "payload is not json; send the order as a json object");
  }
  function_event_free(event);
  return well;
}
