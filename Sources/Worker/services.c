/* The host's side of the contract as the plugin sees it: every service call becomes one question over the
 * socket and waits for its answer. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "worker.h"

static const char too_large[] = "the request is larger than a service call may be";
static const char host_gone[] = "the host has ended the call";
static const char wrong_shape[] = "the host's answer does not fit the question";

static int32_t refuse(struct call *call, int32_t error_class, const char *why) {
    call->explanation = (datong_bytes){(const uint8_t *)why, strlen(why)};
    return error_class;
}

static void adopt(struct call *call, struct block *block) {
    block->next = call->arena;
    call->arena = block;
}

/* Take a block out of the arena; NULL when it is not there (released twice, or not ours). */
static struct block *disown(struct call *call, const void *private) {
    for (struct block **at = &call->arena; *at; at = &(*at)->next)
        if (*at == private && private) {
            struct block *block = *at;
            *at = block->next;
            return block;
        }
    return NULL;
}

/* Every request struct that has one: known size, no flag that must be understood. */
static int struct_valid(struct call *call, uint32_t size, size_t known, uint32_t flags, const char *name) {
    if (size < known || size > STRUCT_BYTES) {
        breach(call, DW_BREACH_SIZE, name);
        return 0;
    }
    if (flags & 0xffff0000u) {
        breach(call, DW_BREACH_FLAGS, name);
        return 0;
    }
    return 1;
}

static int put_checked(struct call *call, struct buffer *b, datong_bytes bytes, uint64_t limit, const char *what) {
    if (!bytes_valid(call, bytes, limit, what)) return 0;
    put_bytes(b, bytes);
    return 1;
}

/* Bytes that may be long: above what a frame may carry the service refuses, which is no breach. */
static int32_t put_long(struct call *call, struct buffer *b, datong_bytes bytes, const char *what) {
    if (!bytes_valid(call, bytes, INT_MAX, what)) return refuse(call, DATONG_BUG, what);
    if (b->size > DW_MAX_RESULT_BYTES || bytes.size > DW_MAX_RESULT_BYTES - b->size)
        return refuse(call, DATONG_DENIED, too_large);
    put_bytes(b, bytes);
    return DATONG_OK;
}

/* The answer: class and explanation, then a shape. */
struct answer {
    int32_t error_class;
    uint32_t may_have_arrived;
    struct block *block; /* in the arena */
    struct input in;
};

static int32_t ask(struct call *call, uint32_t shape, int wipe, struct answer *answer) {
    *answer = (struct answer){0};
    call->explanation = (datong_bytes){0};
    struct block *block = ask_host(this_thread, call);
    if (!block) {
        answer->may_have_arrived = 1;
        return answer->error_class = refuse(call, DATONG_CANCELLED, host_gone);
    }
    block->wipe = wipe;
    adopt(call, block);
    answer->block = block;
    answer->in = (struct input){block->data, block->size, 0};
    answer->error_class = (int32_t)get_u32(&answer->in);
    answer->may_have_arrived = get_u8(&answer->in);
    call->explanation = get_bytes(&answer->in);
    uint8_t given = get_u8(&answer->in);
    if (answer->in.bad || (answer->error_class == DATONG_OK && given != shape)) {
        answer->may_have_arrived = 1;
        return answer->error_class = refuse(call, DATONG_DENIED, wrong_shape);
    }
    return answer->error_class;
}

static int32_t ask_done(struct call *call) {
    struct answer answer;
    return ask(call, DW_SHAPE_NONE, 0, &answer);
}

static int32_t ask_bytes(struct call *call, int wipe, datong_reply *reply) {
    struct answer answer;
    int32_t result = ask(call, DW_SHAPE_BYTES, wipe, &answer);
    if (result != DATONG_OK) return result;
    reply->bytes = get_bytes(&answer.in);
    reply->host_private = answer.block;
    return answer.in.bad ? refuse(call, DATONG_DENIED, wrong_shape) : DATONG_OK;
}

/* A reply struct of a later minor is zero where this host knows nothing, and says how much is known. */
static void clear_reply(void *reply, uint32_t size, uint32_t known) {
    memset(reply, 0, size);
    memcpy(reply, &known, sizeof known);
}

static int reply_valid(struct call *call, datong_reply *reply) {
    if (!reply) {
        breach(call, DW_BREACH_VALUE, "datong_reply is NULL");
        return 0;
    }
    if (!struct_valid(call, reply->size, sizeof *reply, 0, "size of datong_reply")) return 0;
    clear_reply(reply, reply->size, sizeof *reply);
    return 1;
}

/* The call, with the request begun; NULL is answered DATONG_BUG. */
static struct call *begin(const datong_call *handle, uint32_t function) {
    struct call *call = current_call(handle);
    if (!call) return NULL;
    call->explanation = (datong_bytes){0};
    begin_request(this_thread, function);
    return call;
}
#define BODY (&this_thread->scratch)

static int effect_valid(struct call *call, uint32_t effect) {
    if (effect >= DATONG_EFFECT_READ && effect <= DATONG_EFFECT_AUTH) return 1;
    breach(call, DW_BREACH_VALUE, "effect is mandatory");
    return 0;
}

/* ---- http ---------------------------------------------------------------------------------------- */

static int put_http_lists(struct call *call, const datong_http_request *r) {
    if (r->header_count > HEADER_COUNT || r->insertion_count > HEADER_COUNT) {
        breach(call, DW_BREACH_LENGTH, "headers or insertions of datong_http_request");
        return 0;
    }
    if ((r->header_count && !r->headers) || (r->insertion_count && !r->insertions)) {
        breach(call, DW_BREACH_VALUE, "headers or insertions are NULL");
        return 0;
    }
    put_u32(BODY, (uint32_t)r->header_count);
    for (uint64_t i = 0; i < r->header_count; i++)
        if (!put_checked(call, BODY, r->headers[i].name, NAME_BYTES, "header name") ||
            !put_checked(call, BODY, r->headers[i].value, HEADER_VALUE_BYTES, "header value"))
            return 0;
    put_u32(BODY, (uint32_t)r->insertion_count);
    for (uint64_t i = 0; i < r->insertion_count; i++) {
        const datong_insertion *in = &r->insertions[i];
        uint64_t room = 0;
        if (in->part == DATONG_PART_URL) room = r->url.size;
        if (in->part == DATONG_PART_HEADER && in->index < r->header_count) room = r->headers[in->index].value.size;
        if (in->part == DATONG_PART_BODY) room = r->body.size;
        int known = in->part == DATONG_PART_URL || in->part == DATONG_PART_BODY ||
                    (in->part == DATONG_PART_HEADER && in->index < r->header_count);
        if (!known || in->offset > room) {
            breach(call, DW_BREACH_VALUE, "an insertion outside its part");
            return 0;
        }
        put_u32(BODY, in->part);
        put_u32(BODY, in->index);
        put_u64(BODY, in->offset);
        if (!put_checked(call, BODY, in->secret, NAME_BYTES, "secret expression")) return 0;
    }
    return 1;
}

/* The headers of an answer as the array the contract promises. */
static int take_http_reply(struct call *call, struct answer *answer, datong_http_reply *reply) {
    reply->status = (int32_t)get_u32(&answer->in);
    uint32_t count = get_count(&answer->in, 8);
    struct block *array = must_allocate(sizeof *array + count * sizeof(datong_header));
    memset(array, 0, sizeof *array);
    array->size = count * sizeof(datong_header);
    datong_header *headers = (datong_header *)(void *)array->data;
    for (uint32_t i = 0; i < count; i++) {
        headers[i].name = get_bytes(&answer->in);
        headers[i].value = get_bytes(&answer->in);
    }
    answer->block->companion = array;
    reply->headers = headers;
    reply->header_count = count;
    reply->body = get_bytes(&answer->in);
    reply->host_private = answer->block;
    if (!answer->in.bad) return DATONG_OK;
    reply->headers = NULL;
    reply->header_count = 0;
    reply->body = (datong_bytes){0};
    reply->status = 0;
    return refuse(call, DATONG_DENIED, wrong_shape);
}

static int32_t http_send(const datong_call *handle, const datong_http_request *r, datong_http_reply *reply) {
    struct call *call = begin(handle, DW_HTTP_SEND);
    if (!call) return DATONG_BUG;
    if (!r || !reply) {
        breach(call, DW_BREACH_VALUE, "http request or reply is NULL");
        return DATONG_BUG;
    }
    if (!struct_valid(call, r->size, sizeof *r, r->flags, "size or flags of datong_http_request") ||
        !struct_valid(call, reply->size, sizeof *reply, 0, "size of datong_http_reply") ||
        !effect_valid(call, r->effect))
        return DATONG_BUG;
    clear_reply(reply, reply->size, sizeof *reply);
    put_u32(BODY, r->effect);
    put_u32(BODY, r->flags);
    put_u32(BODY, r->timeout_ms);
    put_u64(BODY, r->max_reply_bytes);
    if (!put_checked(call, BODY, r->method, METHOD_BYTES, "method") || !put_checked(call, BODY, r->url, URL_BYTES, "url") ||
        !put_checked(call, BODY, r->session, NAME_BYTES, "session") ||
        !put_checked(call, BODY, r->meter, NAME_BYTES, "meter") ||
        !put_checked(call, BODY, r->body_blob, NAME_BYTES, "blob") || !put_http_lists(call, r))
        return DATONG_BUG;
    int32_t long_enough = put_long(call, BODY, r->body, "body of datong_http_request");
    if (long_enough != DATONG_OK) return long_enough;
    struct answer answer;
    int32_t result = ask(call, DW_SHAPE_HTTP, 0, &answer);
    reply->may_have_arrived = answer.may_have_arrived;
    return result == DATONG_OK ? take_http_reply(call, &answer, reply) : result;
}

static void http_release(const datong_call *handle, datong_http_reply *reply) {
    struct call *call = current_call(handle);
    if (!call || !reply || reply->size < sizeof *reply) return;
    struct block *block = disown(call, reply->host_private);
    if (block) {
        /* The explanation may point into it. */
        call->explanation = (datong_bytes){0};
        block_free(block);
    }
    reply->headers = NULL;
    reply->header_count = 0;
    reply->body = (datong_bytes){0};
    reply->host_private = NULL;
}

static const datong_http_service http_service = {sizeof(datong_http_service), 0, http_send, http_release};

/* ---- sql ------------------------------------------------------------------------------------------ */

static int32_t sql_run(const datong_call *handle, const datong_sql_request *r, datong_reply *rows) {
    struct call *call = begin(handle, DW_SQL_RUN);
    if (!call) return DATONG_BUG;
    if (!r) {
        breach(call, DW_BREACH_VALUE, "datong_sql_request is NULL");
        return DATONG_BUG;
    }
    if (!struct_valid(call, r->size, sizeof *r, r->flags, "size or flags of datong_sql_request") ||
        !reply_valid(call, rows) || !effect_valid(call, r->effect))
        return DATONG_BUG;
    put_u32(BODY, r->effect);
    put_u32(BODY, r->timeout_ms);
    put_u64(BODY, r->max_rows);
    put_u64(BODY, r->max_bytes);
    if (!put_checked(call, BODY, r->statement, NAME_BYTES, "statement")) return DATONG_BUG;
    int32_t result = put_long(call, BODY, r->parameters, "parameters of datong_sql_request");
    return result == DATONG_OK ? ask_bytes(call, 0, rows) : result;
}
static const datong_sql_service sql_service = {sizeof(datong_sql_service), 0, sql_run};

/* ---- crypto ------------------------------------------------------------------------------------------ */

static int32_t put_segment(struct call *call, const datong_segment *segment) {
    if (!bytes_valid(call, segment->secret, NAME_BYTES, "secret expression")) return DATONG_BUG;
    put_u8(BODY, segment->secret.size > 0);
    return put_long(call, BODY, segment->secret.size > 0 ? segment->secret : segment->literal, "segment");
}

static int32_t crypto_run(const datong_call *handle, const datong_crypto_request *r, datong_reply *reply) {
    struct call *call = begin(handle, DW_CRYPTO_RUN);
    if (!call) return DATONG_BUG;
    if (!r) {
        breach(call, DW_BREACH_VALUE, "datong_crypto_request is NULL");
        return DATONG_BUG;
    }
    if (!struct_valid(call, r->size, sizeof *r, r->flags, "size or flags of datong_crypto_request")) return DATONG_BUG;
    int verify = r->operation == DATONG_CRYPTO_VERIFY;
    datong_reply unused = {.size = sizeof unused};
    if (verify && !reply) reply = &unused;
    if (!reply_valid(call, reply)) return DATONG_BUG;
    if (r->operation < DATONG_CRYPTO_DIGEST || r->operation > DATONG_CRYPTO_OPEN || r->reserved) {
        breach(call, r->reserved ? DW_BREACH_FLAGS : DW_BREACH_VALUE, "operation of datong_crypto_request");
        return DATONG_BUG;
    }
    if (r->input_count > SEGMENT_COUNT || (r->input_count && !r->input)) {
        breach(call, DW_BREACH_LENGTH, "input of datong_crypto_request");
        return DATONG_BUG;
    }
    put_u32(BODY, r->operation);
    put_u32(BODY, r->flags);
    if (!put_checked(call, BODY, r->algorithm, ALGORITHM_BYTES, "algorithm")) return DATONG_BUG;
    int32_t result = put_segment(call, &r->key);
    if (result == DATONG_OK) result = put_long(call, BODY, r->iv, "iv");
    if (result == DATONG_OK) result = put_long(call, BODY, r->signature, "signature");
    if (result == DATONG_OK) result = put_long(call, BODY, r->additional, "additional data");
    put_u32(BODY, (uint32_t)r->input_count);
    for (uint64_t i = 0; i < r->input_count && result == DATONG_OK; i++) result = put_segment(call, &r->input[i]);
    if (result != DATONG_OK) return result;
    return verify ? ask_done(call) : ask_bytes(call, 1, reply);
}
static const datong_crypto_service crypto_service = {sizeof(datong_crypto_service), 0, crypto_run};

/* ---- secret -------------------------------------------------------------------------------------------- */

static int32_t secret_exists(const datong_call *handle, datong_bytes name) {
    struct call *call = begin(handle, DW_SECRET_EXISTS);
    if (!call || !put_checked(call, BODY, name, NAME_BYTES, "secret name")) return 0;
    struct answer answer;
    if (ask(call, DW_SHAPE_NUMBER, 0, &answer) != DATONG_OK) return 0;
    return get_u64(&answer.in) == 1;
}

static int32_t secret_reveal(const datong_call *handle, datong_bytes expression, datong_reply *reply) {
    struct call *call = begin(handle, DW_SECRET_REVEAL);
    if (!call || !reply_valid(call, reply) ||
        !put_checked(call, BODY, expression, NAME_BYTES, "secret expression"))
        return DATONG_BUG;
    return ask_bytes(call, 1, reply);
}

static int32_t secret_replace(const datong_call *handle, datong_bytes name, datong_bytes value) {
    struct call *call = begin(handle, DW_SECRET_REPLACE);
    if (!call || !put_checked(call, BODY, name, NAME_BYTES, "secret name")) return DATONG_BUG;
    int32_t result = put_long(call, BODY, value, "secret value");
    return result == DATONG_OK ? ask_done(call) : result;
}
static const datong_secret_service secret_service = {sizeof(datong_secret_service), 0, secret_exists, secret_reveal,
                                                     secret_replace};

/* ---- session ------------------------------------------------------------------------------------------- */

static int put_session(struct call *call, const datong_session_request *r) {
    if (!r) {
        breach(call, DW_BREACH_VALUE, "datong_session_request is NULL");
        return 0;
    }
    if (!struct_valid(call, r->size, sizeof *r, r->flags, "size or flags of datong_session_request")) return 0;
    if (r->reserved) breach(call, DW_BREACH_FLAGS, "reserved field of datong_session_request");
    put_u32(BODY, r->max_in_flight);
    return put_checked(call, BODY, r->name, NAME_BYTES, "session name") &&
           put_checked(call, BODY, r->principal, NAME_BYTES, "session principal");
}

static int32_t session_acquire(const datong_call *handle, const datong_session_request *r,
                               datong_session_reply *reply) {
    struct call *call = begin(handle, DW_SESSION_ACQUIRE);
    if (!call) return DATONG_BUG;
    if (!reply || !struct_valid(call, reply->size, sizeof *reply, 0, "size of datong_session_reply")) {
        if (!reply) breach(call, DW_BREACH_VALUE, "datong_session_reply is NULL");
        return DATONG_BUG;
    }
    if (!put_session(call, r)) return DATONG_BUG;
    clear_reply(reply, reply->size, sizeof *reply);
    struct answer answer;
    int32_t result = ask(call, DW_SHAPE_SESSION, 1, &answer);
    if (result != DATONG_OK) return result;
    reply->must_log_in = get_u8(&answer.in);
    reply->lease = get_u64(&answer.in);
    reply->value = get_bytes(&answer.in);
    reply->host_private = answer.block;
    return answer.in.bad ? refuse(call, DATONG_DENIED, wrong_shape) : DATONG_OK;
}

static int32_t session_publish(const datong_call *handle, uint64_t lease, datong_bytes value, int64_t ttl_ms) {
    struct call *call = begin(handle, DW_SESSION_PUBLISH);
    if (!call) return DATONG_BUG;
    put_u64(BODY, lease);
    put_u64(BODY, (uint64_t)ttl_ms);
    int32_t result = put_long(call, BODY, value, "session value");
    return result == DATONG_OK ? ask_done(call) : result;
}

static int32_t session_abandon(const datong_call *handle, uint64_t lease, uint32_t error_class) {
    struct call *call = begin(handle, DW_SESSION_ABANDON);
    if (!call) return DATONG_BUG;
    put_u64(BODY, lease);
    put_u32(BODY, error_class);
    return ask_done(call);
}

static int32_t session_invalidate(const datong_call *handle, const datong_session_request *r, datong_bytes value) {
    struct call *call = begin(handle, DW_SESSION_INVALIDATE);
    if (!call || !put_session(call, r)) return DATONG_BUG;
    int32_t result = put_long(call, BODY, value, "session value");
    return result == DATONG_OK ? ask_done(call) : result;
}
static const datong_session_service session_service = {sizeof(datong_session_service), 0, session_acquire,
                                                       session_publish, session_abandon, session_invalidate};

/* ---- state, checkpoint, blob ----------------------------------------------------------------------------- */

static int32_t state_get(const datong_call *handle, datong_bytes key, datong_reply *reply) {
    struct call *call = begin(handle, DW_STATE_GET);
    if (!call || !reply_valid(call, reply) || !put_checked(call, BODY, key, NAME_BYTES, "state key"))
        return DATONG_BUG;
    return ask_bytes(call, 1, reply);
}

static int32_t state_put(const datong_call *handle, datong_bytes key, datong_bytes value) {
    struct call *call = begin(handle, DW_STATE_PUT);
    if (!call || !put_checked(call, BODY, key, NAME_BYTES, "state key")) return DATONG_BUG;
    if (!bytes_valid(call, value, INT_MAX, "state value")) return DATONG_BUG;
    if (value.size > STATE_BYTES) return refuse(call, DATONG_DENIED, "a state value is at most 64 KiB");
    put_bytes(BODY, value);
    return ask_done(call);
}
static const datong_state_service state_service = {sizeof(datong_state_service), 0, state_get, state_put};

static int32_t checkpoint_save(const datong_call *handle, uint64_t index, datong_bytes bytes) {
    struct call *call = begin(handle, DW_CHECKPOINT_SAVE);
    if (!call) return DATONG_BUG;
    if (index >= call->record_count) {
        breach(call, DW_BREACH_INDEX, "checkpoint for a record that is not in the request");
        return DATONG_BUG;
    }
    if (!bytes_valid(call, bytes, INT_MAX, "checkpoint")) return DATONG_BUG;
    if (bytes.size > CHECKPOINT_BYTES) return refuse(call, DATONG_DENIED, "a checkpoint is at most 4 KiB");
    put_u32(BODY, (uint32_t)index);
    put_bytes(BODY, bytes);
    return ask_done(call);
}
static const datong_checkpoint_service checkpoint_service = {sizeof(datong_checkpoint_service), 0, checkpoint_save};

static int32_t blob_length(const datong_call *handle, datong_bytes blob, uint64_t *length) {
    struct call *call = begin(handle, DW_BLOB_LENGTH);
    if (!call || !length || !put_checked(call, BODY, blob, NAME_BYTES, "blob")) return DATONG_BUG;
    *length = 0;
    struct answer answer;
    int32_t result = ask(call, DW_SHAPE_NUMBER, 0, &answer);
    if (result == DATONG_OK) *length = get_u64(&answer.in);
    return result;
}

static int32_t blob_read(const datong_call *handle, datong_bytes blob, uint64_t offset, uint64_t size,
                         datong_reply *reply) {
    struct call *call = begin(handle, DW_BLOB_READ);
    if (!call || !reply_valid(call, reply) || !put_checked(call, BODY, blob, NAME_BYTES, "blob")) return DATONG_BUG;
    put_u64(BODY, offset);
    put_u64(BODY, size);
    return ask_bytes(call, 0, reply);
}

static int32_t blob_create(const datong_call *handle, datong_bytes bytes, datong_bytes media_type,
                           datong_reply *reply) {
    struct call *call = begin(handle, DW_BLOB_CREATE);
    if (!call || !reply_valid(call, reply) || !put_checked(call, BODY, media_type, NAME_BYTES, "media type"))
        return DATONG_BUG;
    int32_t result = put_long(call, BODY, bytes, "blob");
    return result == DATONG_OK ? ask_bytes(call, 0, reply) : result;
}
static const datong_blob_service blob_service = {sizeof(datong_blob_service), 0, blob_length, blob_read, blob_create};

/* ---- clock, id, log, metric, progress --------------------------------------------------------------------- */

static int64_t clock_now(const datong_call *handle) {
    struct call *call = begin(handle, DW_CLOCK_NOW);
    struct answer answer;
    if (!call || ask(call, DW_SHAPE_NUMBER, 0, &answer) != DATONG_OK) return 0;
    return (int64_t)get_u64(&answer.in);
}
static const datong_clock_service clock_service = {sizeof(datong_clock_service), 0, clock_now};

static int32_t id_random(const datong_call *handle, uint64_t count, datong_reply *reply) {
    struct call *call = begin(handle, DW_ID_RANDOM);
    if (!call || !reply_valid(call, reply)) return DATONG_BUG;
    if (count > RANDOM_BYTES) return refuse(call, DATONG_DENIED, "at most 1024 random bytes at once");
    put_u32(BODY, (uint32_t)count);
    return ask_bytes(call, 1, reply);
}
static const datong_id_service id_service = {sizeof(datong_id_service), 0, id_random};

/* Notes are not waited for. */
static void note(struct call *call) { send_frame(this_thread->worker, DW_NOTE, 0, call->id, BODY, NULL); }

static void log_write(const datong_call *handle, uint32_t level, datong_bytes text) {
    struct call *call = begin(handle, DW_NOTE_LOG);
    if (!call || !bytes_valid(call, text, INT_MAX, "log text")) return;
    if (level < DATONG_LOG_DEBUG || level > DATONG_LOG_ERROR) level = DATONG_LOG_INFO;
    if (text.size > LOG_BYTES) text.size = LOG_BYTES;
    put_u32(BODY, level);
    put_bytes(BODY, text);
    note(call);
}
static const datong_log_service log_service = {sizeof(datong_log_service), 0, log_write};

static void metric_count(const datong_call *handle, datong_bytes name, int64_t amount) {
    struct call *call = begin(handle, DW_NOTE_METRIC);
    if (!call || !put_checked(call, BODY, name, NAME_BYTES, "metric name")) return;
    put_u64(BODY, (uint64_t)amount);
    note(call);
}
static const datong_metric_service metric_service = {sizeof(datong_metric_service), 0, metric_count};

static void progress_report(const datong_call *handle, uint64_t done, uint64_t total) {
    struct call *call = begin(handle, DW_NOTE_PROGRESS);
    if (!call) return;
    put_u64(BODY, done);
    put_u64(BODY, total);
    note(call);
}
static const datong_progress_service progress_service = {sizeof(datong_progress_service), 0, progress_report};

/* ---- the host table ------------------------------------------------------------------------------------------ */

static const void *host_get_service(const char *id) {
    static const struct {
        const char *id;
        const void *service;
    } services[] = {
        {DATONG_SERVICE_HTTP, &http_service},       {DATONG_SERVICE_SQL, &sql_service},
        {DATONG_SERVICE_CRYPTO, &crypto_service},   {DATONG_SERVICE_SECRET, &secret_service},
        {DATONG_SERVICE_SESSION, &session_service}, {DATONG_SERVICE_STATE, &state_service},
        {DATONG_SERVICE_CHECKPOINT, &checkpoint_service}, {DATONG_SERVICE_BLOB, &blob_service},
        {DATONG_SERVICE_CLOCK, &clock_service},     {DATONG_SERVICE_ID, &id_service},
        {DATONG_SERVICE_LOG, &log_service},         {DATONG_SERVICE_METRIC, &metric_service},
        {DATONG_SERVICE_PROGRESS, &progress_service},
    };
    for (size_t i = 0; id && !rehearsal.bare && i < sizeof services / sizeof *services; i++)
        if (strcmp(services[i].id, id) == 0) return services[i].service;
    return NULL;
}

static void host_fail(const datong_call *handle, const datong_failure *failure) {
    struct call *call = current_call(handle);
    if (!call) return;
    if (call->failure.size > 0) {
        static const char text[] = "fail was called twice in one call; the first reason counts";
        log_write(handle, DATONG_LOG_WARNING, (datong_bytes){(const uint8_t *)text, sizeof text - 1});
        return;
    }
    failure_encode(call, failure, &call->failure);
}

static datong_bytes host_explain(const datong_call *handle) {
    struct call *call = current_call(handle);
    return call ? call->explanation : (datong_bytes){0};
}

static int32_t host_is_cancelled(const datong_call *handle) {
    struct call *call = current_call(handle);
    return call ? call_cancelled(call) : 1;
}

/* The range this host bears. */
const datong_host host_table = {
    sizeof(datong_host), 0, 1, DATONG_MINOR, DW_VERSION, host_get_service, host_fail, host_explain, host_is_cancelled,
};
