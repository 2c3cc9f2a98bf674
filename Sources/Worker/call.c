/* What holds for every call: who may use it, what is a breach, how a failure is written down. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "worker.h"

_Thread_local struct thread *this_thread;
struct worker *sole_worker;

/* A breach with no call to charge it to is charged to the worker. In-process a thread the plugin started
 * itself belongs to no worker; it is refused all the same. */
static void stray(void) {
    struct worker *w = this_thread ? this_thread->worker : sole_worker;
    if (w) atomic_fetch_or(&w->stray, DW_BREACH_OUTSIDE);
}

static struct lease *current_lease(void) { return &this_thread->leases[this_thread->lease_at % LEASES_KEPT]; }

struct call *current_call(const datong_call *call) {
    if (this_thread && this_thread->current && call == &current_lease()->call) return this_thread->current;
    stray();
    return NULL;
}

struct call *current_sink(void *context) {
    if (this_thread && this_thread->current && (uint64_t)(uintptr_t)context == this_thread->current->serial)
        return this_thread->current;
    stray();
    return NULL;
}

void breach(struct call *call, uint32_t what, const char *text) {
    if (!call) return;
    call->breaches |= what;
    size_t used = strlen(call->breach_text), more = strlen(text);
    if (strstr(call->breach_text, text) || used + more + 3 > sizeof call->breach_text) return;
    if (used) {
        memcpy(call->breach_text + used, "; ", 2);
        used += 2;
    }
    memcpy(call->breach_text + used, text, more + 1);
}

int bytes_valid(struct call *call, datong_bytes bytes, uint64_t limit, const char *what) {
    if (bytes.size <= limit && (bytes.data || bytes.size == 0)) return 1;
    breach(call, DW_BREACH_LENGTH, what);
    return 0;
}

int call_cancelled(const struct call *call) {
    return atomic_load(&call->cancelled) || monotonic_ms() >= call->monotonic_deadline_ms;
}

static void put_cut(struct call *call, struct buffer *b, datong_bytes text, const char *what) {
    if (!bytes_valid(call, text, INT_MAX, what)) text = (datong_bytes){0};
    if (text.size > FAILURE_TEXT_BYTES) {
        text.size = FAILURE_TEXT_BYTES;
        while (text.size > 0 && (text.data[text.size] & 0xc0) == 0x80) text.size--;
    }
    put_bytes(b, text);
}

int failure_encode(struct call *call, const datong_failure *failure, struct buffer *into) {
    if (!failure) {
        breach(call, DW_BREACH_VALUE, "failure is NULL");
        return 0;
    }
    if (failure->size < sizeof *failure || failure->size > STRUCT_BYTES) {
        breach(call, DW_BREACH_SIZE, "size of datong_failure");
        return 0;
    }
    if (failure->flags & 0xffff0000u) breach(call, DW_BREACH_FLAGS, "flags of datong_failure");
    uint32_t count = failure->message_count;
    if (count == 0) breach(call, DW_BREACH_VALUE, "a failure without a message");
    if (count > 0 && !failure->messages) {
        breach(call, DW_BREACH_VALUE, "messages of datong_failure are NULL");
        count = 0;
    }
    if (count > FAILURE_MESSAGES) count = FAILURE_MESSAGES; /* the cause comes first */
    put_u32(into, failure->error_class);
    put_u32(into, count);
    for (uint32_t i = 0; i < count; i++) {
        put_cut(call, into, failure->messages[i].text, "message text");
        put_cut(call, into, failure->messages[i].language, "message language");
        put_cut(call, into, failure->messages[i].vendor_code, "message code");
    }
    put_cut(call, into, failure->vendor_code, "vendor code");
    put_cut(call, into, failure->field, "field");
    put_cut(call, into, failure->existing, "existing number");
    put_u64(into, (uint64_t)failure->retry_after_ms);
    return 1;
}

void fail_from_worker(struct call *call, uint32_t error_class, const char *zh, const char *en) {
    struct buffer *b = &call->failure;
    b->size = 0;
    put_u32(b, error_class);
    put_u32(b, 2);
    put_text(b, zh);
    put_text(b, "zh");
    put_text(b, "");
    put_text(b, en);
    put_text(b, "en");
    put_text(b, "");
    for (int i = 0; i < 3; i++) put_text(b, "");
    put_u64(b, (uint64_t)(int64_t)-1);
}

void block_free(struct block *block) {
    if (!block) return;
    block_free(block->companion);
    if (block->wipe) explicit_bzero(block->data, block->size);
    free(block);
}

void arena_free(struct call *call) {
    while (call->arena) {
        struct block *block = call->arena;
        call->arena = block->next;
        block_free(block);
    }
    call->explanation = (datong_bytes){0};
}
