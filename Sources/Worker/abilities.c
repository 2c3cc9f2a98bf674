/* From a CALL frame to the plugin's function, and from its sinks to the items of a RESULT. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "worker.h"


static _Atomic uint64_t serials = 1u << 16;

/* ---- sinks ---------------------------------------------------------------------------------------- */

/* Is there room for so many more bytes? Past the limit the whole result is worthless, and says so. */
static int room(struct call *call, uint64_t more) {
    if (call->items.size + more <= DW_MAX_RESULT_BYTES) return 1;
    breach(call, DW_BREACH_TOO_MUCH, "more than 64 MiB in one result");
    return 0;
}

static void item(struct call *call, uint32_t tag) {
    put_u8(&call->items, (uint8_t)tag);
    call->item_count++;
}

/* What a sink answers: go on, or stop. */
static int32_t onward(struct call *call) {
    if (call_cancelled(call)) call->stopped = 1;
    return call->stopped;
}

static int sink_struct(struct call *call, const void *given, uint32_t size, size_t known, const char *name) {
    if (!given || size < known || size > STRUCT_BYTES) {
        breach(call, given ? DW_BREACH_SIZE : DW_BREACH_VALUE, name);
        return 0;
    }
    return 1;
}

/* The things a call gives once. */
static int once(struct call *call, const char *what) {
    if (call->closed) {
        breach(call, DW_BREACH_TWICE, what);
        return 0;
    }
    return 1;
}

static int32_t sink_text(void *context, datong_bytes json) {
    struct call *call = current_sink(context);
    if (!call || !once(call, "text twice") || !bytes_valid(call, json, INT_MAX, "text") || !room(call, json.size))
        return 1;
    call->closed = 1;
    item(call, DW_ITEM_TEXT);
    put_bytes(&call->items, json);
    return onward(call);
}

static int32_t sink_record(void *context, const datong_record *r) {
    struct call *call = current_sink(context);
    if (!call || !sink_struct(call, r, r ? r->size : 0, sizeof *r, "datong_record")) return 1;
    if (!once(call, "a record after the page")) return 1;
    if (call->records >= call->max_records) {
        breach(call, DW_BREACH_TOO_MUCH, "more records than asked for");
        return 1;
    }
    uint32_t kind = r->flags & (DATONG_RECORD_HINT | DATONG_RECORD_DELETED);
    if ((r->flags & 0xffff0000u) || kind == (DATONG_RECORD_HINT | DATONG_RECORD_DELETED)) {
        breach(call, DW_BREACH_FLAGS, "flags of datong_record");
        return 1;
    }
    if (!bytes_valid(call, r->id, ID_BYTES, "id of datong_record") ||
        !bytes_valid(call, r->version, TEXT_FIELD_BYTES, "version of datong_record") ||
        !bytes_valid(call, r->json, INT_MAX, "json of datong_record"))
        return 1;
    if (r->id.size == 0 || (kind == 0 && r->json.size == 0) ||
        (kind == DATONG_RECORD_DELETED && r->json.size != 0)) {
        breach(call, DW_BREACH_VALUE, "a record without id, without document, or a deleted one with a document");
        return 1;
    }
    if (!room(call, r->json.size)) return 1;
    call->records++;
    item(call, DW_ITEM_RECORD);
    put_u8(&call->items, kind == DATONG_RECORD_HINT ? 1 : kind == DATONG_RECORD_DELETED ? 2 : 0);
    put_bytes(&call->items, r->id);
    put_bytes(&call->items, r->version);
    put_bytes(&call->items, r->json);
    return onward(call);
}

static int32_t sink_page(void *context, datong_bytes cursor, uint32_t more) {
    struct call *call = current_sink(context);
    if (!call || !once(call, "page twice") || !bytes_valid(call, cursor, CURSOR_BYTES, "cursor")) return 1;
    if (more > 1) {
        breach(call, DW_BREACH_VALUE, "`more` is 0 or 1");
        return 1;
    }
    call->closed = 1;
    item(call, DW_ITEM_PAGE);
    put_bytes(&call->items, cursor);
    put_u8(&call->items, (uint8_t)more);
    return onward(call);
}

static int32_t sink_result(void *context, const datong_write_result *r) {
    struct call *call = current_sink(context);
    if (!call || !sink_struct(call, r, r ? r->size : 0, sizeof *r, "datong_write_result")) return 1;
    if (r->index >= call->record_count) {
        breach(call, DW_BREACH_INDEX, "a result for a record that is not in the request");
        return 1;
    }
    if (call->seen[r->index]) {
        breach(call, DW_BREACH_TWICE, "a record has two results");
        return 1;
    }
    if ((r->flags & 0xffff0000u) || r->reserved) {
        breach(call, DW_BREACH_FLAGS, "flags of datong_write_result");
        return 1;
    }
    if (r->outcome < DATONG_APPLIED || r->outcome > DATONG_REFUSED) {
        breach(call, DW_BREACH_VALUE, "an outcome this host does not know");
        return 1;
    }
    if (!bytes_valid(call, r->number, TEXT_FIELD_BYTES, "number") ||
        !bytes_valid(call, r->id, TEXT_FIELD_BYTES, "id") ||
        !bytes_valid(call, r->read_back, INT_MAX, "read_back") ||
        !bytes_valid(call, r->token, TOKEN_BYTES, "token") || !room(call, r->read_back.size))
        return 1;
    if ((r->outcome == DATONG_ACCEPTED || r->outcome == DATONG_WAITING) && r->token.size == 0) {
        breach(call, DW_BREACH_VALUE, "accepted or waiting without a token");
        return 1;
    }
    struct buffer failure = {0};
    if (r->outcome == DATONG_REFUSED && !failure_encode(call, r->failure, &failure)) return 1;
    call->seen[r->index] = 1;
    item(call, DW_ITEM_WRITE);
    put_u32(&call->items, (uint32_t)r->index);
    put_u32(&call->items, r->outcome);
    put_bytes(&call->items, r->number);
    put_bytes(&call->items, r->id);
    put_bytes(&call->items, r->read_back);
    put_bytes(&call->items, r->token);
    put_u64(&call->items, (uint64_t)r->poll_after_ms);
    put_raw(&call->items, failure.data, failure.size);
    buffer_free(&failure);
    return onward(call);
}

static int32_t sink_found(void *context, datong_bytes number, datong_bytes id, datong_bytes read_back) {
    struct call *call = current_sink(context);
    if (!call || !bytes_valid(call, number, TEXT_FIELD_BYTES, "number") ||
        !bytes_valid(call, id, TEXT_FIELD_BYTES, "id") || !bytes_valid(call, read_back, INT_MAX, "read_back") ||
        !room(call, read_back.size))
        return 1;
    item(call, DW_ITEM_FOUND);
    put_bytes(&call->items, number);
    put_bytes(&call->items, id);
    put_bytes(&call->items, read_back);
    return onward(call);
}

static int32_t sink_hint(void *context, const datong_hint *h) {
    struct call *call = current_sink(context);
    if (!call || !sink_struct(call, h, h ? h->size : 0, sizeof *h, "datong_hint")) return 1;
    if (h->flags & 0xffff0000u) {
        breach(call, DW_BREACH_FLAGS, "flags of datong_hint");
        return 1;
    }
    if (!bytes_valid(call, h->document, ID_BYTES, "document") || !bytes_valid(call, h->id, ID_BYTES, "id") ||
        !bytes_valid(call, h->event_id, TEXT_FIELD_BYTES, "event_id") ||
        !bytes_valid(call, h->kind, TEXT_FIELD_BYTES, "kind") || !bytes_valid(call, h->json, INT_MAX, "json") ||
        !room(call, h->json.size))
        return 1;
    item(call, DW_ITEM_HINT);
    put_bytes(&call->items, h->document);
    put_bytes(&call->items, h->id);
    put_bytes(&call->items, h->event_id);
    put_bytes(&call->items, h->kind);
    put_bytes(&call->items, h->json);
    return onward(call);
}

static int32_t event_bytes(void *context, datong_bytes bytes, uint32_t tag) {
    struct call *call = current_sink(context);
    if (!call || !bytes_valid(call, bytes, INT_MAX, "frame") || !room(call, bytes.size)) return 1;
    item(call, tag);
    put_bytes(&call->items, bytes);
    return onward(call);
}
static int32_t sink_send_now(void *context, datong_bytes frame) {
    return event_bytes(context, frame, DW_ITEM_SEND_NOW);
}
static int32_t sink_send_after(void *context, datong_bytes frame) {
    return event_bytes(context, frame, DW_ITEM_SEND_AFTER_DURABLE);
}
static int32_t sink_reconnect(void *context, datong_bytes reason) {
    return event_bytes(context, reason, DW_ITEM_RECONNECT);
}

/* Headers and what comes with them, checked as a whole before anything is written. */
static int headers_valid(struct call *call, const datong_header *headers, uint64_t count, uint64_t more) {
    if (count > HEADER_COUNT || (count && !headers)) {
        breach(call, DW_BREACH_LENGTH, "headers");
        return 0;
    }
    for (uint64_t i = 0; i < count; i++)
        if (!bytes_valid(call, headers[i].name, TEXT_FIELD_BYTES, "header name") ||
            !bytes_valid(call, headers[i].value, TEXT_FIELD_BYTES, "header value"))
            return 0;
    for (uint64_t i = 0; i < count; i++) more += headers[i].name.size + headers[i].value.size;
    return room(call, more);
}
static void put_headers(struct call *call, const datong_header *headers, uint64_t count) {
    put_u32(&call->items, (uint32_t)count);
    for (uint64_t i = 0; i < count; i++) {
        put_bytes(&call->items, headers[i].name);
        put_bytes(&call->items, headers[i].value);
    }
}

static int32_t sink_endpoint(void *context, const datong_listen_endpoint *e) {
    struct call *call = current_sink(context);
    if (!call || !sink_struct(call, e, e ? e->size : 0, sizeof *e, "datong_listen_endpoint")) return 1;
    if (!once(call, "endpoint twice") || !bytes_valid(call, e->url, TEXT_FIELD_BYTES, "url") ||
        !headers_valid(call, e->headers, e->header_count, e->url.size))
        return 1;
    if (e->flags & 0xffff0000u) {
        breach(call, DW_BREACH_FLAGS, "flags of datong_listen_endpoint");
        return 1;
    }
    call->closed = 1;
    item(call, DW_ITEM_ENDPOINT);
    put_bytes(&call->items, e->url);
    put_headers(call, e->headers, e->header_count);
    put_u32(&call->items, e->ping_interval_ms);
    put_u32(&call->items, e->idle_timeout_ms);
    return onward(call);
}

static int32_t sink_answer(void *context, uint32_t status, const datong_header *headers, uint64_t header_count,
                           datong_bytes body, uint32_t after_durable) {
    struct call *call = current_sink(context);
    if (!call || !once(call, "answer twice") || !bytes_valid(call, body, INT_MAX, "body") ||
        !headers_valid(call, headers, header_count, body.size))
        return 1;
    if (status < 200 || status > 599 || after_durable > 1) {
        breach(call, DW_BREACH_VALUE, "an answer with a status outside 200...599");
        return 1;
    }
    call->closed = 1;
    item(call, DW_ITEM_ANSWER);
    put_u32(&call->items, status);
    put_headers(call, headers, header_count);
    put_bytes(&call->items, body);
    put_u8(&call->items, (uint8_t)after_durable);
    return onward(call);
}

/* ---- one call ---------------------------------------------------------------------------------------- */

/* The ability, checked; NULL after writing the failure down. */
static const void *ability(struct call *call, const char *id, size_t known) {
    const void *found = this_thread->worker->plugin->get_ability(id);
    if (!found) {
        fail_from_worker(call, DATONG_UNSUPPORTED, "连接器没有这项能力",
                         "the connector does not offer this ability");
        return NULL;
    }
    struct {
        uint32_t size;
        uint32_t flags;
    } head;
    memcpy(&head, found, sizeof head);
    if (head.size < known || head.size > STRUCT_BYTES) {
        breach(call, DW_BREACH_SIZE, "size of an ability");
        return NULL;
    }
    if (head.flags & 0xffff0000u) {
        breach(call, DW_BREACH_FLAGS, "flags of an ability");
        return NULL;
    }
    return found;
}

#define ABILITY(type, id) const type *a = ability(call, id, sizeof(type))
#define MISSING(function) (!(function) && (breach(call, DW_BREACH_VALUE, "an ability without its function"), 1))
#define NOT_RUN DATONG_FAILED

/* OK after a sink has asked the plugin to return: what was given is not all there is. */
static int32_t ended_early(struct call *call) {
    if (call->failure.size == 0)
        fail_from_worker(call, DATONG_CANCELLED, "已按要求提前结束", "ended early, as asked");
    return DATONG_FAILED;
}

/* OK without all that belongs to it: a breach, unless a sink has asked for it. */
static int32_t incomplete(struct call *call, const char *what) {
    if (call->stopped) return ended_early(call);
    breach(call, DW_BREACH_MISSING_RESULT, what);
    return DATONG_OK;
}

static int32_t run_text(struct call *call, struct lease *lease, void *connection) {
    lease->sink.text = (datong_text_sink){GIVEN_SIZE(lease->sink.text), 0, (void *)(uintptr_t)call->serial, sink_text};
    const datong_call *c = &lease->call;
    const datong_text_sink *sink = &lease->sink.text;
    switch (call->op) {
    case DW_OP_DESCRIBE: {
        ABILITY(datong_describe_ability, DATONG_ABILITY_DESCRIBE);
        return !a || MISSING(a->describe) ? NOT_RUN : a->describe(c, sink);
    }
    case DW_OP_PROBE: {
        ABILITY(datong_probe_ability, DATONG_ABILITY_PROBE);
        return !a || MISSING(a->probe) ? NOT_RUN : a->probe(connection, c, sink);
    }
    case DW_OP_QUERY: {
        ABILITY(datong_query_ability, DATONG_ABILITY_QUERY);
        datong_bytes name = get_bytes(&call->request);
        datong_bytes parameters = get_bytes(&call->request);
        return !a || MISSING(a->query) ? NOT_RUN : a->query(connection, c, name, parameters, sink);
    }
    case DW_OP_ROTATE: {
        ABILITY(datong_rotate_ability, DATONG_ABILITY_ROTATE);
        datong_bytes name = get_bytes(&call->request);
        datong_bytes step = get_bytes(&call->request);
        return !a || MISSING(a->rotate) ? NOT_RUN : a->rotate(connection, c, name, step, sink);
    }
    case DW_OP_IDENTIFY: {
        ABILITY(datong_identify_ability, DATONG_ABILITY_IDENTIFY);
        datong_bytes user = get_bytes(&call->request);
        return !a || MISSING(a->identify) ? NOT_RUN : a->identify(connection, c, user, sink);
    }
    default: {
        ABILITY(datong_migrate_state_ability, DATONG_ABILITY_MIGRATE_STATE);
        uint32_t from = get_u32(&call->request);
        datong_bytes key = get_bytes(&call->request);
        datong_bytes value = get_bytes(&call->request);
        return !a || MISSING(a->migrate) ? NOT_RUN : a->migrate(c, from, key, value, sink);
    }
    }
}

static int32_t run_read(struct call *call, struct lease *lease, void *connection) {
    ABILITY(datong_read_ability, DATONG_ABILITY_READ);
    if (!a || MISSING(a->read)) return NOT_RUN;
    datong_read_request request = {.size = GIVEN_SIZE(request)};
    request.document = get_bytes(&call->request);
    request.filter = get_bytes(&call->request);
    datong_bytes *ids = NULL;
    if (get_u8(&call->request)) {
        request.since_ms = -1;
        request.id_count = get_count(&call->request, 4);
        ids = must_allocate(request.id_count * sizeof *ids);
        for (uint64_t i = 0; i < request.id_count; i++) ids[i] = get_bytes(&call->request);
        request.ids = ids;
        request.max_records = request.id_count;
    } else {
        request.cursor = get_bytes(&call->request);
        request.since_ms = (int64_t)get_u64(&call->request);
        request.max_records = get_u64(&call->request);
    }
    call->max_records = request.max_records;
    lease->sink.read = (datong_read_sink){GIVEN_SIZE(lease->sink.read), 0, (void *)(uintptr_t)call->serial, sink_record,
                                          sink_page};
    int32_t result = a->read(connection, &lease->call, &request, &lease->sink.read);
    /* Without its page a page read has no cursor, and the sweep would stand still or lose records. */
    int named = ids != NULL;
    free(ids);
    if (result != DATONG_OK || call->closed) return result;
    if (!named) return incomplete(call, "a page read without its page");
    /* One that is left out counts as not being there any more. */
    return call->stopped && call->records < request.id_count ? ended_early(call) : result;
}

static int32_t run_write(struct call *call, struct lease *lease, void *connection) {
    datong_write_function *function = NULL;
    if (call->op == DW_OP_WRITE) {
        ABILITY(datong_write_ability, DATONG_ABILITY_WRITE);
        if (!a || MISSING(a->write)) return NOT_RUN;
        function = a->write;
    } else if (call->op == DW_OP_POLL) {
        ABILITY(datong_poll_ability, DATONG_ABILITY_POLL);
        if (!a || MISSING(a->poll)) return NOT_RUN;
        function = a->poll;
    } else {
        ABILITY(datong_void_ability, DATONG_ABILITY_VOID);
        if (!a || MISSING(a->undo)) return NOT_RUN;
        function = a->undo;
    }
    datong_write_request request = {.size = GIVEN_SIZE(request)};
    request.document = get_bytes(&call->request);
    request.settings = get_bytes(&call->request);
    uint32_t count = get_count(&call->request, 20);
    datong_write_record *records = must_allocate(count * sizeof *records);
    for (uint32_t i = 0; i < count; i++) {
        records[i] = (datong_write_record){.size = sizeof *records};
        records[i].key = get_bytes(&call->request);
        records[i].json = get_bytes(&call->request);
        records[i].checkpoint = get_bytes(&call->request);
        records[i].token = get_bytes(&call->request);
        records[i].expected = get_bytes(&call->request);
    }
    request.records = records;
    request.record_count = count;
    call->record_count = count;
    call->seen = must_allocate(count);
    memset(call->seen, 0, count);
    lease->sink.write =
        (datong_write_sink){GIVEN_SIZE(lease->sink.write), 0, (void *)(uintptr_t)call->serial, sink_result};
    int32_t result = function(connection, &lease->call, &request, &lease->sink.write);
    uint32_t seen = 0;
    for (uint32_t i = 0; i < count; i++) seen += call->seen[i];
    free(records);
    return result == DATONG_OK && seen < count ? incomplete(call, "fewer results than records") : result;
}

static int32_t run_find(struct call *call, struct lease *lease, void *connection) {
    ABILITY(datong_find_ability, DATONG_ABILITY_FIND);
    if (!a || MISSING(a->find)) return NOT_RUN;
    datong_find_request request = {.size = GIVEN_SIZE(request)};
    request.document = get_bytes(&call->request);
    request.settings = get_bytes(&call->request);
    request.key = get_bytes(&call->request);
    request.business = get_bytes(&call->request);
    request.json = get_bytes(&call->request);
    request.checkpoint = get_bytes(&call->request);
    lease->sink.find = (datong_find_sink){GIVEN_SIZE(lease->sink.find), 0, (void *)(uintptr_t)call->serial, sink_found};
    int32_t result = a->find(connection, &lease->call, &request, &lease->sink.find);
    return result == DATONG_OK && call->stopped ? ended_early(call) : result;
}

static int32_t run_listen(struct call *call, struct lease *lease, void *connection) {
    ABILITY(datong_listen_ability, DATONG_ABILITY_LISTEN);
    if (!a || MISSING(a->open) || MISSING(a->frame)) return NOT_RUN;
    if (call->op == DW_OP_LISTEN_FRAME) {
        datong_bytes frame = get_bytes(&call->request);
        lease->sink.event = (datong_event_sink){GIVEN_SIZE(lease->sink.event), 0, (void *)(uintptr_t)call->serial,
                                                sink_hint, sink_send_now, sink_send_after, sink_reconnect};
        int32_t result = a->frame(connection, &lease->call, frame, &lease->sink.event);
        return result == DATONG_OK && call->stopped ? ended_early(call) : result;
    }
    lease->sink.listen =
        (datong_listen_sink){GIVEN_SIZE(lease->sink.listen), 0, (void *)(uintptr_t)call->serial, sink_endpoint};
    int32_t result = a->open(connection, &lease->call, &lease->sink.listen);
    return result == DATONG_OK && !call->closed ? incomplete(call, "listen without an endpoint") : result;
}

static int32_t run_receive(struct call *call, struct lease *lease, void *connection) {
    ABILITY(datong_receive_ability, DATONG_ABILITY_RECEIVE);
    if (!a || MISSING(a->receive)) return NOT_RUN;
    datong_receive_request request = {.size = GIVEN_SIZE(request)};
    request.method = get_bytes(&call->request);
    request.path = get_bytes(&call->request);
    request.query = get_bytes(&call->request);
    request.header_count = get_count(&call->request, 8);
    datong_header *headers = must_allocate(request.header_count * sizeof *headers);
    for (uint64_t i = 0; i < request.header_count; i++) {
        headers[i].name = get_bytes(&call->request);
        headers[i].value = get_bytes(&call->request);
    }
    request.headers = headers;
    request.body = get_bytes(&call->request);
    lease->sink.receive = (datong_receive_sink){GIVEN_SIZE(lease->sink.receive), 0, (void *)(uintptr_t)call->serial,
                                                sink_hint, sink_answer};
    int32_t result = a->receive(connection, &lease->call, &request, &lease->sink.receive);
    free(headers);
    return result == DATONG_OK && !call->closed ? incomplete(call, "a webhook without an answer") : result;
}

static int32_t run_open(struct call *call, struct lease *lease) {
    struct worker *w = this_thread->worker;
    if (!get_u8(&call->request)) return DATONG_OK; /* no connection: describe and migrate only */
    datong_open_request request = {.size = GIVEN_SIZE(request)};
    request.connection = get_bytes(&call->request);
    request.product = get_bytes(&call->request);
    request.endpoint = get_bytes(&call->request);
    request.settings = get_bytes(&call->request);
    request.secrets = get_bytes(&call->request);
    request.time_zone = get_bytes(&call->request);
    void *connection = NULL;
    int32_t result = rehearsal.cycles ? rehearse_cycles(call, &lease->call, &request) : DATONG_OK;
    if (result != DATONG_OK) return result;
    result = w->plugin->open(&lease->call, &request, &connection);
    if (result == DATONG_OK && !connection) breach(call, DW_BREACH_MISSING_RESULT, "open without a connection");
    if (result == DATONG_OK) w->connection = connection;
    return result;
}

static int needs_connection(uint32_t op) {
    return op != DW_OP_OPEN && op != DW_OP_DESCRIBE && op != DW_OP_MIGRATE_STATE;
}

static int32_t run(struct call *call, struct lease *lease) {
    void *connection = this_thread->worker->connection;
    if (atomic_load(&call->cancelled)) {
        fail_from_worker(call, DATONG_CANCELLED, "开始之前已取消", "cancelled before it began");
        return DATONG_FAILED;
    }
    if (needs_connection(call->op) && !connection) {
        fail_from_worker(call, DATONG_BUG, "没有打开连接", "no connection is open");
        return DATONG_FAILED;
    }
    switch (call->op) {
    case DW_OP_OPEN: return run_open(call, lease);
    case DW_OP_READ: return run_read(call, lease, connection);
    case DW_OP_WRITE:
    case DW_OP_POLL:
    case DW_OP_UNDO: return run_write(call, lease, connection);
    case DW_OP_FIND: return run_find(call, lease, connection);
    case DW_OP_LISTEN_OPEN:
    case DW_OP_LISTEN_FRAME: return run_listen(call, lease, connection);
    case DW_OP_RECEIVE: return run_receive(call, lease, connection);
    default: {
        int32_t result = run_text(call, lease, connection);
        return result == DATONG_OK && !call->closed ? incomplete(call, "OK without its text") : result;
    }
    }
}

void run_call(struct thread *thread, struct call *call) {
    struct lease *lease = &thread->leases[++thread->lease_at % LEASES_KEPT];
    memset(lease, 0, sizeof *lease);
    call->serial = atomic_fetch_add(&serials, 1);
    lease->call = (datong_call){
        .size = GIVEN_SIZE(lease->call),
        .flags = call->flags,
        .host = offered_host(),
        .call_id = call->id,
        .deadline_ms = call->deadline_ms,
        .fence_epoch = call->fence_epoch,
        .attempt = call->attempt,
        .trace_id = call->trace,
    };
    int32_t result = run(call, lease);
    /* Pointers into the call's memory end with it; the struct itself stays readable for a while. */
    lease->call.trace_id = (datong_bytes){0};
    if (result != DATONG_OK && result != DATONG_FAILED) {
        breach(call, DW_BREACH_RETURN, "neither DATONG_OK nor DATONG_FAILED was returned");
    } else if (result == DATONG_OK && call->failure.size > 0) {
        breach(call, DW_BREACH_RETURN, "DATONG_OK after fail");
    } else if (result == DATONG_FAILED && call->failure.size == 0 && call->breaches == 0) {
        breach(call, DW_BREACH_NO_REASON, "DATONG_FAILED without a reason");
    }
}

void list_abilities(const datong_plugin *plugin, struct buffer *into) {
    static const char *const known[] = {
        DATONG_ABILITY_DESCRIBE, DATONG_ABILITY_PROBE,  DATONG_ABILITY_READ,    DATONG_ABILITY_WRITE,
        DATONG_ABILITY_POLL,     DATONG_ABILITY_VOID,   DATONG_ABILITY_FIND,    DATONG_ABILITY_QUERY,
        DATONG_ABILITY_ROTATE,   DATONG_ABILITY_LISTEN, DATONG_ABILITY_RECEIVE, DATONG_ABILITY_IDENTIFY,
        DATONG_ABILITY_MIGRATE_STATE,
        /* No contract has these: a plugin that offers one answers without looking at what it is asked. */
        "datong.write/99", "datong.nothing/1",
    };
    uint32_t count = 0;
    struct buffer names = {0};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (plugin->get_ability(known[i])) {
            put_text(&names, known[i]);
            count++;
        }
    put_u32(into, count);
    put_raw(into, names.data, names.size);
    buffer_free(&names);
}
