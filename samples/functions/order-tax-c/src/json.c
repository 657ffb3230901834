// Reads JSON by recursive descent: there is a function for each rule of the grammar, and each leaves `at`
// behind what it has read. The text is copied once; texts in it lose their escapes in place, which only makes
// them shorter, and values point into the copy.

#include "json.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Lists and objects in each other at most. Each takes a bit of the stack, whose end nobody would notice.
#define DEPTH_MAX 127

typedef struct {
  char *at;   // the next byte; there is a zero behind the last one
  char *end;  // the zero
  int depth;
  const char *error;
} reader_t;

static bool read_value(reader_t *reader, json_t *value);

// Without memory there is nothing that could be done: the instance ends, and the host says so.
static void *sure(void *memory) {
  if (!memory) abort();
  return memory;
}

static bool fail(reader_t *reader, const char *error) {
  reader->error = error;
  return false;
}

static bool equal(json_text_t a, json_text_t b) { return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0; }

// ---- values

static json_t *new_value(void) { return sure(calloc(1, sizeof(json_t))); }

// A new value at the end of a chain, which ends there from now on.
static json_t *append(json_t ***end) {
  json_t *value = new_value();
  **end = value;
  *end = &value->next;
  return value;
}

// Frees a value and what it holds. No deeper than what was read.
static void free_value(json_t *value) {
  while (value) {
    json_t *next = value->next;
    free_value(value->first);
    free(value);
    value = next;
  }
}

json_text_t json_text(const char *text) { return (json_text_t){text, strlen(text)}; }

json_t *json_member(const json_t *object, json_text_t name) {
  json_t *member = object->first;
  while (member && !equal(member->name, name)) member = member->next;
  return member;
}

// The member of this name with nothing in it yet: the one that is there, emptied, or a new one.
static json_t *place(json_t *object, const char *name) {
  json_t **end = &object->first;
  while (*end && !equal((*end)->name, json_text(name))) end = &(*end)->next;
  json_t *next = *end ? (*end)->next : NULL;
  if (*end) {
    (*end)->next = NULL;
    free_value(*end);
  }
  *end = new_value();
  (*end)->name = json_text(name);
  (*end)->next = next;
  return *end;
}

void json_put_number(json_t *object, const char *name, double number) {
  json_t *member = place(object, name);
  member->kind = JSON_NUMBER;
  member->number = number;
}

void json_put_text(json_t *object, const char *name, json_text_t text) {
  json_t *member = place(object, name);
  member->kind = JSON_TEXT;
  member->text = text;
}

// ---- members with one name

// By name, and those of one name in the order in which they were read.
static int by_name(const void *left, const void *right) {
  const json_t *a = *(json_t *const *)left, *b = *(json_t *const *)right;
  if (a->name.len != b->name.len) return a->name.len < b->name.len ? -1 : 1;
  int order = memcmp(a->name.ptr, b->name.ptr, a->name.len);
  if (order) return order;
  return a->name.ptr < b->name.ptr ? -1 : 1;
}

// Leaves the last member of each name. It sorts them: comparing each with each other one would let a text of
// a hundred thousand members take minutes.
static void drop_repeated(json_t *object, size_t count) {
  if (count < 2) return;
  json_t **members = sure(malloc(count * sizeof *members)), **end = members;
  for (json_t *member = object->first; member; member = member->next) *end++ = member;
  qsort(members, count, sizeof *members, by_name);
  for (size_t at = 1; at < count; at++) {
    if (equal(members[at - 1]->name, members[at]->name)) members[at - 1]->name.ptr = NULL;
  }
  free(members);
  for (json_t **link = &object->first; *link;) {
    json_t *member = *link;
    if (member->name.ptr) {
      link = &member->next;
      continue;
    }
    *link = member->next;
    member->next = NULL;
    free_value(member);
  }
}

// ---- reading

// The bytes of the character here in UTF-8, or 0 when it is none.
static size_t character(const char *at) {
  static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  unsigned char first = *at;
  if (first < 0x80) return 1;
  if (first < 0xC0 || first >= 0xF8) return 0;
  size_t len = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  uint32_t code = first & (0x7F >> len);
  for (size_t next = 1; next < len; next++) {
    if ((at[next] & 0xC0) != 0x80) return 0;
    code = code << 6 | (at[next] & 0x3F);
  }
  bool half = code >= 0xD800 && code < 0xE000;
  return code < smallest[len] || code > 0x10FFFF || half ? 0 : len;
}

static char *write_character(char *to, uint32_t code) {
  if (code < 0x80) {
    *to++ = code;
    return to;
  }
  size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (size_t at = len - 1; at > 0; at--, code >>= 6) to[at] = 0x80 | (code & 0x3F);
  to[0] = (0xF00 >> len) | code;
  return to + len;
}

static void skip_space(reader_t *reader) {
  while (*reader->at && strchr(" \t\r\n", *reader->at)) reader->at++;
}

// Takes this character, with the space before it, when it is the next one.
static bool take(reader_t *reader, char wanted) {
  skip_space(reader);
  if (*reader->at != wanted) return false;
  reader->at++;
  return true;
}

static bool four_hex(const char *at, uint32_t *code) {
  *code = 0;
  for (int digit = 0; digit < 4; digit++, at++) {
    uint32_t value = *at >= '0' && *at <= '9'   ? *at - '0'
                     : *at >= 'a' && *at <= 'f' ? *at - 'a' + 10
                     : *at >= 'A' && *at <= 'F' ? *at - 'A' + 10
                                                : 16;
    if (value == 16) return false;
    *code = *code << 4 | value;
  }
  return true;
}

// What stands behind a backslash; `to` is where its character goes.
static bool read_escape(reader_t *reader, char **to) {
  static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  char letter = *++reader->at;
  const char *found = letter ? strchr(letters, letter) : NULL;
  if (found) {
    *(*to)++ = meant[found - letters];
    reader->at++;
    return true;
  }
  uint32_t code, low;
  if (letter != 'u' || !four_hex(reader->at + 1, &code)) return fail(reader, "no such escape");
  reader->at += 5;
  if (code >= 0xD800 && code < 0xE000) {
    // The first half of a character; the second one has to follow.
    const char *at = reader->at;
    bool pair = code < 0xDC00 && at[0] == '\\' && at[1] == 'u' && four_hex(at + 2, &low);
    if (!pair || low < 0xDC00 || low >= 0xE000) return fail(reader, "half a character");
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    reader->at += 6;
  }
  *to = write_character(*to, code);
  return true;
}

static bool read_text(reader_t *reader, json_text_t *text) {
  if (!take(reader, '"')) return fail(reader, "a text is missing");
  char *to = reader->at;
  text->ptr = to;
  while (*reader->at != '"') {
    size_t len = character(reader->at);
    if (reader->at == reader->end) return fail(reader, "the text has no end");
    if (len == 0) return fail(reader, "this is not UTF-8");
    if ((unsigned char)*reader->at < 0x20) return fail(reader, "a control character in a text");
    if (*reader->at == '\\') {
      if (!read_escape(reader, &to)) return false;
      continue;
    }
    while (len-- > 0) *to++ = *reader->at++;
  }
  text->len = to - text->ptr;
  reader->at++;
  return true;
}

static bool skip_digits(reader_t *reader) {
  const char *start = reader->at;
  while (*reader->at >= '0' && *reader->at <= '9') reader->at++;
  return reader->at > start;
}

static bool read_number(reader_t *reader, json_t *value) {
  char *start = reader->at;
  if (*reader->at == '-') reader->at++;
  if (*reader->at == '0') {
    reader->at++;  // a zero in front is alone
  } else if (!skip_digits(reader)) {
    return fail(reader, "a value is missing");
  }
  if (*reader->at == '.') {
    reader->at++;
    if (!skip_digits(reader)) return fail(reader, "a digit is missing");
  }
  if (*reader->at == 'e' || *reader->at == 'E') {
    reader->at++;
    if (*reader->at == '+' || *reader->at == '-') reader->at++;
    if (!skip_digits(reader)) return fail(reader, "a digit is missing");
  }
  value->kind = JSON_NUMBER;
  value->number = strtod(start, NULL);
  value->text = (json_text_t){start, reader->at - start};
  return isfinite(value->number) || fail(reader, "the number is out of range");
}

static bool read_list(reader_t *reader, json_t *list) {
  list->kind = JSON_LIST;
  if (take(reader, ']')) return true;
  json_t **end = &list->first;
  do {
    if (!read_value(reader, append(&end))) return false;
  } while (take(reader, ','));
  return take(reader, ']') || fail(reader, "`,` or `]` is missing");
}

static bool read_object(reader_t *reader, json_t *object) {
  object->kind = JSON_OBJECT;
  if (take(reader, '}')) return true;
  json_t **end = &object->first;
  size_t count = 0;
  do {
    json_t *member = append(&end);
    if (!read_text(reader, &member->name)) return false;
    if (!take(reader, ':')) return fail(reader, "`:` is missing");
    if (!read_value(reader, member)) return false;
    count++;
  } while (take(reader, ','));
  if (!take(reader, '}')) return fail(reader, "`,` or `}` is missing");
  drop_repeated(object, count);
  return true;
}

static bool read_word(reader_t *reader, const char *word) {
  size_t len = strlen(word);
  if (strncmp(reader->at, word, len) != 0) return false;
  reader->at += len;
  return true;
}

static bool read_nested(reader_t *reader, json_t *value) {
  if (reader->depth == DEPTH_MAX) return fail(reader, "too deep");
  reader->depth++;
  bool read = take(reader, '[') ? read_list(reader, value) : take(reader, '{') && read_object(reader, value);
  reader->depth--;
  return read;
}

// Fills a value, which is part of the tree already, so that what goes wrong leaves nothing behind.
static bool read_value(reader_t *reader, json_t *value) {
  skip_space(reader);
  switch (*reader->at) {
    case '{':
    case '[':
      return read_nested(reader, value);
    case '"':
      value->kind = JSON_TEXT;
      return read_text(reader, &value->text);
    default:
      break;
  }
  value->kind = JSON_BOOL;
  value->truth = read_word(reader, "true");
  if (value->truth || read_word(reader, "false")) return true;
  value->kind = JSON_NULL;
  return read_word(reader, "null") || read_number(reader, value);
}

json_document_t json_read(const char *text, size_t len) {
  json_document_t document = {.root = new_value(), .held = sure(malloc(len + 1))};
  memcpy(document.held, text, len);
  document.held[len] = 0;
  reader_t reader = {.at = document.held, .end = document.held + len};
  bool read = read_value(&reader, document.root);
  skip_space(&reader);
  if (read && reader.at != reader.end) read = fail(&reader, "there is more behind the value");
  if (!read) {
    free_value(document.root);
    document.root = NULL;
    document.error = reader.error;
    document.at = reader.at - document.held;
  }
  return document;
}

void json_close(json_document_t *document) {
  free_value(document->root);
  free(document->held);
  *document = (json_document_t){0};
}

// ---- writing

typedef struct {
  char *ptr;
  size_t len, room;
} writer_t;

static void put(writer_t *writer, const char *text, size_t len) {
  if (len == 0) return;
  if (writer->room - writer->len < len) {
    writer->room = 2 * writer->room + len;
    writer->ptr = sure(realloc(writer->ptr, writer->room));
  }
  memcpy(writer->ptr + writer->len, text, len);
  writer->len += len;
}

static void write_text(writer_t *writer, json_text_t text) {
  put(writer, "\"", 1);
  for (size_t at = 0; at < text.len; at++) {
    unsigned char byte = text.ptr[at];
    char escape[8] = {'\\', byte};
    if (byte < 0x20) {
      put(writer, escape, snprintf(escape, sizeof escape, "\\u%04x", byte));
    } else if (byte == '"' || byte == '\\') {
      put(writer, escape, 2);
    } else {
      put(writer, &text.ptr[at], 1);
    }
  }
  put(writer, "\"", 1);
}

// As it was read; otherwise with no more digits than it takes to read the same number again.
static void write_number(writer_t *writer, const json_t *number) {
  if (number->text.ptr) {
    put(writer, number->text.ptr, number->text.len);
    return;
  }
  char text[32];
  int digits = 15;
  do {
    snprintf(text, sizeof text, "%.*g", digits, number->number);
  } while (digits++ < 17 && strtod(text, NULL) != number->number);
  put(writer, text, strlen(text));
}

static void write_value(writer_t *writer, const json_t *value) {
  switch (value->kind) {
    case JSON_NULL:
      put(writer, "null", 4);
      return;
    case JSON_BOOL:
      put(writer, value->truth ? "true" : "false", value->truth ? 4 : 5);
      return;
    case JSON_NUMBER:
      write_number(writer, value);
      return;
    case JSON_TEXT:
      write_text(writer, value->text);
      return;
    case JSON_LIST:
    case JSON_OBJECT:
      break;
  }
  bool object = value->kind == JSON_OBJECT;
  put(writer, object ? "{" : "[", 1);
  for (const json_t *item = value->first; item; item = item->next) {
    if (item != value->first) put(writer, ",", 1);
    if (object) {
      write_text(writer, item->name);
      put(writer, ":", 1);
    }
    write_value(writer, item);
  }
  put(writer, object ? "}" : "]", 1);
}

char *json_write(const json_t *value, size_t *len) {
  writer_t writer = {0};
  write_value(&writer, value);
  *len = writer.len;
  return writer.ptr;
}
