#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "worker.h"

void *must_allocate(size_t size) {
    void *memory = malloc(size ? size : 1);
    if (!memory) abort();
    return memory;
}

void *must_reallocate(void *old, size_t size) {
    void *memory = realloc(old, size ? size : 1);
    if (!memory) abort();
    return memory;
}

int64_t monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void put_raw(struct buffer *b, const void *data, size_t size) {
    if (size == 0) return;
    if (b->room - b->size < size) {
        size_t room = b->room ? b->room : 256;
        while (room - b->size < size) room *= 2;
        b->data = must_reallocate(b->data, room);
        b->room = room;
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

/* x86-64 and arm64 are little endian, so the bytes of a number are the wire's. */
void put_u8(struct buffer *b, uint8_t value) { put_raw(b, &value, sizeof value); }
void put_u16(struct buffer *b, uint16_t value) { put_raw(b, &value, sizeof value); }
void put_u32(struct buffer *b, uint32_t value) { put_raw(b, &value, sizeof value); }
void put_u64(struct buffer *b, uint64_t value) { put_raw(b, &value, sizeof value); }

void put_bytes(struct buffer *b, datong_bytes bytes) {
    put_u32(b, (uint32_t)bytes.size);
    put_raw(b, bytes.data, bytes.size);
}

void put_text(struct buffer *b, const char *text) {
    size_t size = text ? strlen(text) : 0;
    put_u32(b, (uint32_t)size);
    put_raw(b, text, size);
}

void buffer_free(struct buffer *b) {
    free(b->data);
    *b = (struct buffer){0};
}

static int take(struct input *in, void *into, size_t size) {
    if (in->left < size) {
        in->bad = 1;
        in->left = 0;
        memset(into, 0, size);
        return 0;
    }
    memcpy(into, in->at, size);
    in->at += size;
    in->left -= size;
    return 1;
}

uint8_t get_u8(struct input *in) {
    uint8_t value;
    take(in, &value, sizeof value);
    return value;
}

uint16_t get_u16(struct input *in) {
    uint16_t value;
    take(in, &value, sizeof value);
    return value;
}

uint32_t get_u32(struct input *in) {
    uint32_t value;
    take(in, &value, sizeof value);
    return value;
}

uint64_t get_u64(struct input *in) {
    uint64_t value;
    take(in, &value, sizeof value);
    return value;
}

datong_bytes get_bytes(struct input *in) {
    uint32_t size = get_u32(in);
    if (in->bad || in->left < size) {
        in->bad = 1;
        in->left = 0;
        return (datong_bytes){0};
    }
    datong_bytes bytes = {size ? in->at : NULL, size};
    in->at += size;
    in->left -= size;
    return bytes;
}

uint32_t get_count(struct input *in, size_t least) {
    uint32_t count = get_u32(in);
    if (in->bad || count > in->left / least) {
        in->bad = 1;
        in->left = 0;
        return 0;
    }
    return count;
}
