// JSON (RFC 8259): a text is read into a tree of values, and such a tree is written as a text.
//
// It is strict: what other readers could take for something else is refused. A number keeps the text that it
// came with, so that what nobody touches is written as it was read. Of members with one name the last holds.

#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>

// Characters in UTF-8. They have a length of their own, since they may hold zeros.
typedef struct {
  const char *ptr;
  size_t len;
} json_text_t;

typedef enum { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_TEXT, JSON_LIST, JSON_OBJECT } json_kind_t;

// A value. Lists and objects hold theirs as a chain: `first`, and from there `next`.
typedef struct json {
  json_kind_t kind;
  bool truth;        // of a JSON_BOOL
  double number;     // of a JSON_NUMBER, the nearest there is
  json_text_t text;  // of a JSON_TEXT; of a JSON_NUMBER as it was written, without `ptr` for one that was not
  json_text_t name;  // of a member of an object
  struct json *first, *next;
} json_t;

// What came of reading.
typedef struct {
  json_t *root;       // NULL when the text is no JSON
  const char *error;  // what is wrong then, for people
  size_t at;          // and how many bytes before it are right
  char *held;         // the characters of the values
} json_document_t;

// Reads a text, which may go away afterwards. `json_close` frees what comes of it, right or wrong.
json_document_t json_read(const char *text, size_t len);
void json_close(json_document_t *document);

// Writes a value. The text is of the length `len`, without a zero behind it, and is the caller's to free.
char *json_write(const json_t *value, size_t *len);

// The member of an object, or NULL where there is none.
json_t *json_member(const json_t *object, json_text_t name);

// Give an object a member, in place of the one of that name. Texts are not copied: they have to last as long
// as the object.
void json_put_number(json_t *object, const char *name, double number);
void json_put_text(json_t *object, const char *name, json_text_t text);

// The characters of a text of C.
json_text_t json_text(const char *text);

// Whether a value is there and of this kind.
static inline bool json_is(const json_t *value, json_kind_t kind) { return value && value->kind == kind; }

#endif
