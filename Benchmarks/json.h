/* The little JSON that the mock's clients written in C need: finding members without building a tree, taking one
 * level of escapes off a string, and appending to a buffer. Input is what the mock sends; it is not for wild JSON. */
#ifndef BENCH_JSON_H
#define BENCH_JSON_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct span {
    const char *data;
    size_t size;
} span;

typedef struct text {
    char *data;
    size_t size, room;
} text;

static inline void text_room(text *t, size_t more) {
    if (t->size + more <= t->room) return;
    t->room = (t->size + more) * 2 + 256;
    t->data = realloc(t->data, t->room);
    if (!t->data) abort();
}
static inline void text_add(text *t, const char *data, size_t size) {
    text_room(t, size);
    memcpy(t->data + t->size, data, size);
    t->size += size;
}
static inline void text_span(text *t, span s) {
    if (s.size) text_add(t, s.data, s.size);
}
#define text_literal(t, literal) text_add((t), (literal), sizeof(literal) - 1)

static inline const char *json_space(const char *p, const char *end) {
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) p++;
    return p;
}

/* After the string that begins at `p`. */
static inline const char *json_string_end(const char *p, const char *end) {
    for (p++; p < end; p++) {
        if (*p == '\\') {
            p++;
        } else if (*p == '"') {
            return p + 1;
        }
    }
    return end;
}

/* After the value that begins at `p`. */
static inline const char *json_end(const char *p, const char *end) {
    if (p >= end) return end;
    if (*p == '"') return json_string_end(p, end);
    if (*p == '{' || *p == '[') {
        int depth = 0;
        while (p < end) {
            if (*p == '"') {
                p = json_string_end(p, end);
                continue;
            }
            if (*p == '{' || *p == '[') depth++;
            if ((*p == '}' || *p == ']') && --depth == 0) return p + 1;
            p++;
        }
        return end;
    }
    while (p < end && *p != ',' && *p != '}' && *p != ']' && *p != ' ') p++;
    return p;
}

/* The next member of an object; `*at` begins as NULL. 0 at the end. */
static inline int json_member(span object, const char **at, span *name, span *value) {
    const char *end = object.data + object.size;
    const char *p = *at ? *at : object.data + 1;
    p = json_space(p, end);
    if (p < end && *p == ',') p = json_space(p + 1, end);
    if (p >= end || *p != '"') return 0;
    const char *after = json_string_end(p, end);
    *name = (span){p + 1, (size_t)(after - p) - 2};
    p = json_space(after, end);
    p = json_space(p + 1, end);
    after = json_end(p, end);
    *value = (span){p, (size_t)(after - p)};
    *at = after;
    return 1;
}

/* The next element of an array; `*at` begins as NULL. 0 at the end. */
static inline int json_element(span array, const char **at, span *value) {
    const char *end = array.data + array.size;
    const char *p = json_space(*at ? *at : array.data + 1, end);
    if (p < end && *p == ',') p = json_space(p + 1, end);
    if (p >= end || *p == ']') return 0;
    const char *after = json_end(p, end);
    *value = (span){p, (size_t)(after - p)};
    *at = after;
    return 1;
}

static inline int span_is(span s, const char *word) {
    return s.size == strlen(word) && memcmp(s.data, word, s.size) == 0;
}

/* The member of that name, or an empty span. */
static inline span json_get(span object, const char *wanted) {
    const char *at = NULL;
    span name, value;
    if (object.size < 2 || object.data[0] != '{') return (span){NULL, 0};
    while (json_member(object, &at, &name, &value))
        if (span_is(name, wanted)) return value;
    return (span){NULL, 0};
}

/* A string without its quotes, its escapes as they are. */
static inline span json_inside(span string) {
    return string.size >= 2 ? (span){string.data + 1, string.size - 2} : (span){NULL, 0};
}

/* A string's text with one level of escapes taken off. The mock escapes nothing outside ASCII. */
static inline void json_unescape(span string, text *into) {
    span s = json_inside(string);
    text_room(into, s.size);
    for (size_t i = 0; i < s.size; i++) {
        char c = s.data[i];
        if (c == '\\' && i + 1 < s.size) {
            c = s.data[++i];
            if (c == 'n') c = '\n';
            if (c == 't') c = '\t';
        }
        into->data[into->size++] = c;
    }
}
#endif
