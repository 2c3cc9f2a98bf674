/* A plugin that does what the document type of a call tells it to, good and bad. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "datong_plugin.h"
#include "ruin.h"

static const datong_host *host;
static const datong_http_service *http;
static const datong_crypto_service *crypto;
static const datong_secret_service *secret;
static const datong_session_service *session;
static const datong_state_service *state;
static const datong_checkpoint_service *checkpoint;
static const datong_blob_service *blob;
static const datong_sql_service *sql;
static const datong_clock_service *clock_service;
static const datong_id_service *ids;
static const datong_log_service *logger;
static const datong_metric_service *metric;
static const datong_progress_service *progress;

static datong_bytes text(const char *words) {
    return (datong_bytes){(const uint8_t *)words, strlen(words)};
}

static int32_t fail(const datong_call *call, uint32_t error_class, const char *why) {
    datong_message message = {text(why), text("en"), text("V-1")};
    datong_failure failure = {.size = sizeof failure, .error_class = error_class, .message_count = 1,
                              .messages = &message, .vendor_code = text("77"), .retry_after_ms = -1};
    call->host->fail(call, &failure);
    return DATONG_FAILED;
}

static int32_t init(const datong_host *given) {
    host = given;
    http = host->get_service(DATONG_SERVICE_HTTP);
    crypto = host->get_service(DATONG_SERVICE_CRYPTO);
    secret = host->get_service(DATONG_SERVICE_SECRET);
    session = host->get_service(DATONG_SERVICE_SESSION);
    state = host->get_service(DATONG_SERVICE_STATE);
    checkpoint = host->get_service(DATONG_SERVICE_CHECKPOINT);
    blob = host->get_service(DATONG_SERVICE_BLOB);
    sql = host->get_service(DATONG_SERVICE_SQL);
    clock_service = host->get_service(DATONG_SERVICE_CLOCK);
    ids = host->get_service(DATONG_SERVICE_ID);
    logger = host->get_service(DATONG_SERVICE_LOG);
    metric = host->get_service(DATONG_SERVICE_METRIC);
    progress = host->get_service(DATONG_SERVICE_PROGRESS);
    return host->get_service("datong.http/2") == NULL ? DATONG_OK : DATONG_BUG;
}
static void shut(void) {}

static int32_t open_connection(const datong_call *call, const datong_open_request *request, void **connection) {
    if (is(request->product, "closed")) return fail(call, DATONG_UNSUPPORTED, "this product line is closed");
    char *copy = calloc(1, 4096);
    snprintf(copy, 4096, "%.*s|%.*s|%.*s|%.*s|%.*s|%.*s", (int)request->connection.size,
             (const char *)request->connection.data, (int)request->product.size, (const char *)request->product.data,
             (int)request->endpoint.size, (const char *)request->endpoint.data, (int)request->settings.size,
             (const char *)request->settings.data, (int)request->secrets.size, (const char *)request->secrets.data,
             (int)request->time_zone.size, (const char *)request->time_zone.data);
    *connection = copy;
    return DATONG_OK;
}
static void close_connection(void *connection) { free(connection); }

static int32_t describe(const datong_call *call, const datong_text_sink *sink) {
    (void)call;
    sink->put(sink->context, text("{\"id\":\"puppet\"}"));
    return DATONG_OK;
}

/* One HTTP request of the given effect; the answer's body as text, or the class as "!15". */
static int32_t exchange(const datong_call *call, uint32_t effect, datong_bytes body, char *into, size_t room) {
    datong_header headers[] = {{text("content-type"), text("application/json")}, {text("x-key"), text("")}};
    datong_insertion insertions[] = {{DATONG_PART_HEADER, 1, 0, text("app_secret | hex")}};
    datong_http_request request = {
        .size = sizeof request, .effect = effect, .method = text("POST"), .url = text("https://erp.example.com/api"),
        .headers = headers, .header_count = 2, .body = body, .insertions = insertions, .insertion_count = 1,
        .session = text("login"), .max_reply_bytes = 1000, .meter = text("m"), .flags = DATONG_HTTP_HTTP11};
    datong_http_reply reply = {.size = sizeof reply};
    int32_t result = http->send(call, &request, &reply);
    if (result != DATONG_OK) {
        datong_bytes why = host->explain(call);
        snprintf(into, room, "!%d %u %.*s", (int)result, reply.may_have_arrived, (int)why.size, (const char *)why.data);
        return result;
    }
    datong_bytes first = reply.header_count ? reply.headers[0].value : (datong_bytes){0};
    snprintf(into, room, "%d %.*s %.*s", (int)reply.status, (int)first.size, (const char *)first.data,
             (int)reply.body.size, (const char *)reply.body.data);
    http->release(call, &reply);
    http->release(call, &reply); /* twice does no harm */
    return DATONG_OK;
}

/* Every service once, in a fixed order, written down. */
static int32_t probe(void *connection, const datong_call *call, const datong_text_sink *sink) {
    char out[8192], one[1024];
    size_t n = 0;
    n += (size_t)snprintf(out + n, sizeof out - n, "open %s\n", (const char *)connection);
    n += (size_t)snprintf(out + n, sizeof out - n, "call %u %u %llu %.*s\n", call->flags, call->attempt,
                          (unsigned long long)call->fence_epoch, (int)call->trace_id.size,
                          (const char *)call->trace_id.data);
    n += (size_t)snprintf(out + n, sizeof out - n, "now %lld\n", (long long)clock_service->now_ms(call));
    exchange(call, DATONG_EFFECT_READ, text("hello"), one, sizeof one);
    n += (size_t)snprintf(out + n, sizeof out - n, "http %s\n", one);
#define SHOW(name, expression)                                                                            \
    do {                                                                                                  \
        datong_reply r = {.size = sizeof r};                                                              \
        int32_t result = (expression);                                                                    \
        datong_bytes why = host->explain(call);                                                           \
        n += (size_t)snprintf(out + n, sizeof out - n, "%s %d %.*s%.*s\n", name, (int)result,             \
                              (int)r.bytes.size, (const char *)r.bytes.data, (int)why.size,               \
                              (const char *)why.data);                                                    \
    } while (0)
    datong_sql_request query = {.size = sizeof query, .effect = DATONG_EFFECT_READ, .statement = text("stock"),
                                .parameters = text("{\"item\":\"A\"}"), .max_rows = 5, .max_bytes = 500};
    SHOW("sql", sql->run(call, &query, &r));
    datong_segment parts[] = {{text("b"), {0}}, {{0}, text("app_secret | upper")}};
    datong_crypto_request sign = {.size = sizeof sign, .flags = DATONG_CRYPTO_SORT_SEGMENTS,
                                  .operation = DATONG_CRYPTO_HMAC, .algorithm = text("sha256"),
                                  .key = {{0}, text("app_secret")}, .input = parts, .input_count = 2};
    SHOW("hmac", crypto->run(call, &sign, &r));
    datong_crypto_request verify = {.size = sizeof verify, .operation = DATONG_CRYPTO_VERIFY,
                                    .algorithm = text("ed25519"), .key = {text("PEM"), {0}},
                                    .input = parts, .input_count = 1, .signature = text("sig")};
    SHOW("verify", crypto->run(call, &verify, &r));
    n += (size_t)snprintf(out + n, sizeof out - n, "exists %d %d\n", (int)secret->exists(call, text("app_secret")),
                          (int)secret->exists(call, text("other")));
    SHOW("reveal", secret->reveal(call, text("app_secret"), &r));
    SHOW("replace", secret->replace(call, text("refresh"), text("new")));
    datong_session_request login = {.size = sizeof login, .name = text("token"), .principal = text("me"),
                                    .max_in_flight = 3};
    datong_session_reply place = {.size = sizeof place};
    int32_t got = session->acquire(call, &login, &place);
    n += (size_t)snprintf(out + n, sizeof out - n, "acquire %d %u %llu\n", (int)got, place.must_log_in,
                          (unsigned long long)place.lease);
    SHOW("publish", session->publish(call, place.lease, text("tok"), 7200000));
    got = session->acquire(call, &login, &place);
    n += (size_t)snprintf(out + n, sizeof out - n, "again %d %u %.*s\n", (int)got, place.must_log_in,
                          (int)place.value.size, (const char *)place.value.data);
    SHOW("invalidate", session->invalidate(call, &login, text("tok")));
    SHOW("abandon", session->abandon(call, 9, DATONG_AUTH_DENIED));
    SHOW("put", state->put(call, text("k"), text("v")));
    SHOW("get", state->get(call, text("k"), &r));
    uint64_t length = 0;
    got = blob->length(call, text("b1"), &length);
    n += (size_t)snprintf(out + n, sizeof out - n, "length %d %llu\n", (int)got, (unsigned long long)length);
    SHOW("blob", blob->read(call, text("b1"), 2, 3, &r));
    SHOW("create", blob->create(call, text("data"), text("text/plain"), &r));
    SHOW("random", ids->random(call, 4, &r));
    SHOW("much", ids->random(call, 4096, &r));
    logger->write(call, DATONG_LOG_WARNING, text("a line"));
    metric->count(call, text("things"), 3);
    progress->report(call, 1, 2);
    sink->put(sink->context, (datong_bytes){(uint8_t *)out, n});
    return DATONG_OK;
}

static int32_t read_page(void *connection, const datong_call *call, const datong_read_request *request,
                         const datong_read_sink *sink) {
    (void)connection;
    if (request->ids) {
        for (uint64_t i = 0; i < request->id_count; i++) {
            if (is(request->ids[i], "gone")) continue;
            while (is(request->document, "until-stopped") && !host->is_cancelled(call)) usleep(1000);
            datong_record record = {.size = sizeof record, .id = request->ids[i], .json = text("{}")};
            if (sink->record(sink->context, &record) != 0) return DATONG_OK;
        }
        return DATONG_OK;
    }
    if (is(request->document, "no-page")) return DATONG_OK;
    if (is(request->document, "too-many")) {
        datong_record record = {.size = sizeof record, .id = text("x"), .json = text("{}")};
        for (uint64_t i = 0; i <= request->max_records; i++) sink->record(sink->context, &record);
        sink->page(sink->context, text("c"), 0);
        return DATONG_OK;
    }
    if (is(request->document, "after-page")) {
        datong_record record = {.size = sizeof record, .id = text("x"), .json = text("{}")};
        sink->page(sink->context, text("c"), 0);
        sink->record(sink->context, &record);
        return DATONG_OK;
    }
    if (is(request->document, "flood")) {
        size_t size = 1 << 20;
        uint8_t *bytes = malloc(size);
        memset(bytes, ' ', size);
        datong_record record = {.size = sizeof record, .id = text("x"), .json = {bytes, size}};
        while (sink->record(sink->context, &record) == 0) {}
        free(bytes);
        sink->page(sink->context, text("c"), 0);
        return DATONG_OK;
    }
    if (is(request->document, "until-stopped")) {
        datong_record record = {.size = sizeof record, .id = text("x"), .json = text("{}")};
        while (sink->record(sink->context, &record) == 0) usleep(1000);
        return DATONG_OK;
    }
    if (is(request->document, "bad-text")) {
        datong_record record = {.size = sizeof record, .id = text("a\xff"), .json = text("{}")};
        sink->record(sink->context, &record);
        sink->page(sink->context, text("c"), 0);
        return DATONG_OK;
    }
    datong_record records[] = {
        {.size = sizeof *records, .id = text("d1"), .version = text("v1"), .json = request->filter},
        {.size = sizeof *records, .id = text("d2"), .flags = DATONG_RECORD_HINT},
        {.size = sizeof *records, .id = text("d3"), .flags = DATONG_RECORD_DELETED},
    };
    for (int i = 0; i < 3; i++) sink->record(sink->context, &records[i]);
    char cursor[64];
    int n = snprintf(cursor, sizeof cursor, "%.*s+%lld+%llu", (int)request->cursor.size,
                     (const char *)request->cursor.data, (long long)request->since_ms,
                     (unsigned long long)request->max_records);
    sink->page(sink->context, (datong_bytes){(uint8_t *)cursor, (uint64_t)n}, request->cursor.size == 0);
    (void)call;
    return DATONG_OK;
}

static const datong_write_sink *kept_sink;
static void *kept_context;
static int32_t (*kept_result)(void *, const datong_write_result *);
static const datong_call *kept_call;

static int32_t give(const datong_write_sink *sink, uint64_t index, const char *number) {
    datong_write_result result = {.size = sizeof result, .index = index, .outcome = DATONG_APPLIED,
                                  .number = text(number)};
    return sink->result(sink->context, &result);
}

static void *rogue(void *context) {
    datong_write_result result = {.size = sizeof result, .outcome = DATONG_APPLIED, .number = text("rogue")};
    kept_result(context, &result);
    return NULL;
}

static int32_t write_records(void *connection, const datong_call *call, const datong_write_request *request,
                             const datong_write_sink *sink) {
    (void)connection;
    datong_bytes what = request->document;
    ruin(what);
    if (is(what, "polite-loop")) {
        progress->report(call, 0, 0);
        while (!host->is_cancelled(call)) usleep(1000);
        return fail(call, DATONG_CANCELLED, "stopped as asked");
    }
    if (is(what, "late-success")) {
        progress->report(call, 0, 0);
        while (!host->is_cancelled(call)) usleep(1000);
        give(sink, 0, "late");
        return DATONG_OK;
    }
    if (is(what, "until-stopped")) {
        for (uint64_t i = 0; give(sink, i, "done") == 0; i++)
            while (i == 0 && !host->is_cancelled(call)) usleep(1000);
        return DATONG_OK;
    }
    if (is(what, "fail")) return fail(call, DATONG_THROTTLED, "too fast");
    if (is(what, "fail-twice")) {
        fail(call, DATONG_AUTH_DENIED, "first");
        return fail(call, DATONG_TRANSIENT, "second");
    }
    if (is(what, "fail-unknown-class")) return fail(call, 99, "from the future");
    if (is(what, "post-and-die")) {
        char one[512];
        exchange(call, DATONG_EFFECT_WRITE, text("x"), one, sizeof one);
        abort();
    }
    if (is(what, "post-and-fail") || is(what, "post-and-pass-on")) {
        char one[512];
        uint32_t said = (uint32_t)exchange(call, DATONG_EFFECT_WRITE, text("x"), one, sizeof one);
        return fail(call, is(what, "post-and-fail") ? DATONG_TRANSIENT : said, one);
    }
    if (is(what, "read-and-fail")) {
        char one[512];
        exchange(call, DATONG_EFFECT_READ, text("x"), one, sizeof one);
        return fail(call, DATONG_TRANSIENT, one);
    }
    if (is(what, "fat-headers")) {
        static uint8_t fat[65536];
        datong_header headers[1024];
        for (int i = 0; i < 1024; i++) headers[i] = (datong_header){text("x"), {fat, sizeof fat}};
        size_t size = 48u << 20;
        uint8_t *body = calloc(1, size);
        datong_http_request request = {.size = sizeof request, .effect = DATONG_EFFECT_READ, .method = text("POST"),
                                       .url = text("https://erp.example.com/api"), .headers = headers,
                                       .header_count = 1024, .body = {body, size}};
        datong_http_reply reply = {.size = sizeof reply};
        uint32_t result = (uint32_t)http->send(call, &request, &reply);
        free(body);
        return fail(call, result, "as the service says");
    }
    if (is(what, "endless-times")) {
        datong_message message = {text("later"), text("en"), {0}};
        datong_failure failure = {.size = sizeof failure, .error_class = DATONG_THROTTLED, .message_count = 1,
                                  .messages = &message, .retry_after_ms = INT64_MAX};
        datong_write_result results[] = {
            {.size = sizeof *results, .outcome = DATONG_ACCEPTED, .token = text("t"), .poll_after_ms = INT64_MAX},
            {.size = sizeof *results, .index = 1, .outcome = DATONG_REFUSED, .failure = &failure},
        };
        session->publish(call, 1, text("tok"), INT64_MAX);
        for (int i = 0; i < 2; i++) sink->result(sink->context, &results[i]);
        return DATONG_OK;
    }
    if (is(what, "partial-fail")) {
        give(sink, 1, "one");
        return fail(call, DATONG_UNREACHABLE, "the line went dead");
    }
    /* Breaches. */
    if (is(what, "short")) return give(sink, 0, "only"), DATONG_OK;
    if (is(what, "range")) return give(sink, 0, "a"), give(sink, 1, "b"), give(sink, 2, "c"), DATONG_OK;
    if (is(what, "twice")) return give(sink, 0, "a"), give(sink, 1, "b"), give(sink, 1, "c"), DATONG_OK;
    if (is(what, "no-reason")) return DATONG_FAILED;
    if (is(what, "ok-after-fail")) {
        fail(call, DATONG_TRANSIENT, "no");
        give(sink, 0, "a");
        give(sink, 1, "b");
        return DATONG_OK;
    }
    if (is(what, "return-99")) return give(sink, 0, "a"), give(sink, 1, "b"), 99;
    if (is(what, "wrong-size")) {
        datong_write_result result = {.size = 4, .outcome = DATONG_APPLIED};
        sink->result(sink->context, &result);
        return give(sink, 1, "b"), DATONG_OK;
    }
    if (is(what, "absurd-size")) {
        datong_write_result result = {.size = 0x7fffffff, .outcome = DATONG_APPLIED};
        sink->result(sink->context, &result);
        return give(sink, 1, "b"), DATONG_OK;
    }
    if (is(what, "huge-length") || is(what, "null-data")) {
        datong_write_result result = {.size = sizeof result, .outcome = DATONG_APPLIED};
        result.number = is(what, "null-data") ? (datong_bytes){NULL, 5} : (datong_bytes){what.data, 1ull << 40};
        sink->result(sink->context, &result);
        return give(sink, 1, "b"), DATONG_OK;
    }
    if (is(what, "must-understand")) {
        datong_write_result result = {.size = sizeof result, .flags = 0x10000, .outcome = DATONG_APPLIED};
        sink->result(sink->context, &result);
        return give(sink, 1, "b"), DATONG_OK;
    }
    if (is(what, "may-ignore")) {
        datong_write_result result = {.size = sizeof result, .flags = 0x8000, .outcome = DATONG_APPLIED,
                                      .number = text("a")};
        sink->result(sink->context, &result);
        return give(sink, 1, "b"), DATONG_OK;
    }
    if (is(what, "odd-outcome")) {
        datong_write_result result = {.size = sizeof result, .outcome = 42};
        sink->result(sink->context, &result);
        return give(sink, 1, "b"), DATONG_OK;
    }
    if (is(what, "no-effect")) {
        char one[512];
        exchange(call, 0, text("x"), one, sizeof one);
        return give(sink, 0, "a"), give(sink, 1, "b"), DATONG_OK;
    }
    if (is(what, "null-request")) {
        http->send(call, NULL, NULL);
        return give(sink, 0, "a"), give(sink, 1, "b"), DATONG_OK;
    }
    if (is(what, "keep")) {
        kept_sink = sink;
        kept_context = sink->context;
        kept_result = sink->result;
        kept_call = call;
        return give(sink, 0, "a"), give(sink, 1, "b"), DATONG_OK;
    }
    if (is(what, "use-kept-sink")) {
        datong_write_result result = {.size = sizeof result, .outcome = DATONG_APPLIED, .number = text("late")};
        kept_result(kept_context, &result);
        return give(sink, 0, "a"), give(sink, 1, "b"), DATONG_OK;
    }
    if (is(what, "use-kept-call")) {
        clock_service->now_ms(kept_call);
        return give(sink, 0, "a"), give(sink, 1, "b"), DATONG_OK;
    }
    if (is(what, "rogue-thread")) {
        pthread_t thread;
        kept_result = sink->result;
        pthread_create(&thread, NULL, rogue, sink->context);
        pthread_join(thread, NULL);
        return give(sink, 0, "a"), give(sink, 1, "b"), DATONG_OK;
    }
    if (is(what, "outcomes")) {
        datong_message messages[] = {{text("科目不存在"), text("zh"), text("E1")}, {text("general error"), {0}, {0}}};
        datong_failure failure = {.size = sizeof failure, .error_class = DATONG_INVALID_RECORD, .message_count = 2,
                                  .messages = messages, .vendor_code = text("500"), .field = text("/lines/0/account"),
                                  .existing = text("N-1"), .retry_after_ms = 1500};
        datong_write_result results[] = {
            {.size = sizeof *results, .index = 4, .outcome = DATONG_REFUSED, .failure = &failure},
            {.size = sizeof *results, .index = 0, .outcome = DATONG_APPLIED, .number = text("1"), .id = text("i"),
             .read_back = request->records[0].json},
            {.size = sizeof *results, .index = 1, .outcome = DATONG_EXISTED, .number = text("2")},
            {.size = sizeof *results, .index = 2, .outcome = DATONG_ACCEPTED, .token = text("t"), .poll_after_ms = 60000},
            {.size = sizeof *results, .index = 3, .outcome = DATONG_WAITING, .token = text("w"), .number = text("4")},
        };
        for (int i = 0; i < 5; i++) sink->result(sink->context, &results[i]);
        return DATONG_OK;
    }
    if (is(what, "later-minor")) {
        /* A reply struct with a field this host does not know yet. */
        struct {
            datong_reply reply;
            uint64_t later;
        } r = {.reply = {.size = sizeof r}, .later = 5};
        int32_t got = state->get(call, text("k"), &r.reply);
        char seen[64];
        snprintf(seen, sizeof seen, "%d %u %llu", (int)got, r.reply.size, (unsigned long long)r.later);
        return give(sink, 0, seen), DATONG_OK;
    }
    if (is(what, "checkpoint-range")) {
        checkpoint->save(call, 2, text("x"));
        return give(sink, 0, "a"), give(sink, 1, "b"), DATONG_OK;
    }
    char one[1024];
    for (uint64_t i = 0; i < request->record_count; i++) {
        const datong_write_record *record = &request->records[i];
        if (is(what, "post")) {
            if (exchange(call, DATONG_EFFECT_WRITE, record->json, one, sizeof one) != DATONG_OK)
                return fail(call, DATONG_UNKNOWN_OUTCOME, one);
        } else if (is(what, "checkpoint")) {
            snprintf(one, sizeof one, "%d", (int)checkpoint->save(call, i, text("saved")));
        } else {
            snprintf(one, sizeof one, "%.*s,%.*s,%.*s,%.*s,%.*s", (int)record->key.size, (const char *)record->key.data,
                     (int)record->checkpoint.size, (const char *)record->checkpoint.data, (int)record->token.size,
                     (const char *)record->token.data, (int)record->expected.size,
                     (const char *)record->expected.data, (int)request->settings.size,
                     (const char *)request->settings.data);
        }
        datong_write_result result = {.size = sizeof result, .index = i, .outcome = DATONG_APPLIED,
                                      .number = text(one), .read_back = record->json};
        sink->result(sink->context, &result);
    }
    return DATONG_OK;
}

static int32_t find(void *connection, const datong_call *call, const datong_find_request *request,
                    const datong_find_sink *sink) {
    (void)connection;
    if (is(request->document, "absent")) return DATONG_OK;
    while (is(request->document, "until-stopped") && !host->is_cancelled(call)) usleep(1000);
    if (sink->found(sink->context, request->key, request->business, request->json) != 0) return DATONG_OK;
    sink->found(sink->context, text("N-2"), (datong_bytes){0}, request->checkpoint);
    return DATONG_OK;
}

/* What the process looks like from inside. */
static size_t inspect(char *out, size_t room) {
    size_t n = (size_t)snprintf(out, room, "descriptors");
    for (int fd = 0; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0) n += (size_t)snprintf(out + n, room - n, " %d", fd);
    struct rlimit core, files;
    getrlimit(RLIMIT_CORE, &core);
    getrlimit(RLIMIT_NOFILE, &files);
    char byte;
    n += (size_t)snprintf(out + n, room - n,
                          "\ndumpable %d\nno-new-privileges %d\ncore %llu\nfiles %llu\nstdin %s\n"
                          "environment",
                          prctl(PR_GET_DUMPABLE), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
                          (unsigned long long)core.rlim_max, (unsigned long long)files.rlim_max,
                          read(0, &byte, 1) == 0 ? "empty" : "full");
    for (char **e = environ; *e; e++) n += (size_t)snprintf(out + n, room - n, " %s", *e);
    n += (size_t)snprintf(out + n, room - n, "\n%s process group\n", getpgrp() == getpid() ? "own" : "shared");
    return n;
}

static int32_t query(void *connection, const datong_call *call, datong_bytes name, datong_bytes parameters,
                     const datong_text_sink *sink) {
    (void)connection;
    if (is(name, "slow")) {
        char one[256];
        exchange(call, DATONG_EFFECT_READ, parameters, one, sizeof one);
        sink->put(sink->context, text(one));
        return DATONG_OK;
    }
    if (is(name, "inspect")) {
        char out[4096];
        size_t n = inspect(out, sizeof out);
        sink->put(sink->context, (datong_bytes){(uint8_t *)out, n});
        return DATONG_OK;
    }
    if (is(name, "silent")) return DATONG_OK;
    if (is(name, "both")) {
        sink->put(sink->context, text("1"));
        sink->put(sink->context, text("2"));
        return DATONG_OK;
    }
    sink->put(sink->context, parameters);
    return DATONG_OK;
}

static int32_t rotate(void *connection, const datong_call *call, datong_bytes name, datong_bytes step,
                      const datong_text_sink *sink) {
    (void)connection;
    (void)call;
    char out[128];
    int n = snprintf(out, sizeof out, "%.*s:%.*s", (int)name.size, (const char *)name.data, (int)step.size,
                     (const char *)step.data);
    sink->put(sink->context, (datong_bytes){(uint8_t *)out, (uint64_t)n});
    return DATONG_OK;
}

static int32_t listen_open(void *connection, const datong_call *call, const datong_listen_sink *sink) {
    (void)connection;
    (void)call;
    datong_header headers[] = {{text("ticket"), text("once")}};
    datong_listen_endpoint endpoint = {.size = sizeof endpoint, .url = text("wss://events.example.com/"),
                                       .headers = headers, .header_count = 1, .ping_interval_ms = 5000};
    sink->endpoint(sink->context, &endpoint);
    return DATONG_OK;
}

static int32_t listen_frame(void *connection, const datong_call *call, datong_bytes frame,
                            const datong_event_sink *sink) {
    (void)connection;
    datong_hint hint = {.size = sizeof hint, .document = text("approval"), .id = frame, .event_id = text("e1"),
                        .kind = text("finish"), .json = text("{}")};
    while (is(frame, "until-stopped") && !host->is_cancelled(call)) usleep(1000);
    sink->send_now(sink->context, text("pong"));
    if (sink->hint(sink->context, &hint) != 0) return DATONG_OK;
    sink->send_after_durable(sink->context, text("ack"));
    sink->reconnect(sink->context, text("soon"));
    return DATONG_OK;
}

static int32_t receive(void *connection, const datong_call *call, const datong_receive_request *request,
                       const datong_receive_sink *sink) {
    (void)connection;
    (void)call;
    if (is(request->path, "/silent")) return DATONG_OK;
    if (is(request->path, "/fat")) {
        static uint8_t fat[65536];
        datong_header headers[1024];
        for (int i = 0; i < 1024; i++) headers[i] = (datong_header){{fat, sizeof fat}, {fat, sizeof fat}};
        sink->answer(sink->context, 200, headers, 1024, (datong_bytes){0}, 0);
        return DATONG_OK;
    }
    datong_hint hint = {.size = sizeof hint, .document = text("approval"), .id = request->body};
    sink->hint(sink->context, &hint);
    sink->answer(sink->context, 200, request->headers, request->header_count, request->query, 1);
    return DATONG_OK;
}

static int32_t identify(void *connection, const datong_call *call, datong_bytes user, const datong_text_sink *sink) {
    (void)connection;
    (void)call;
    sink->put(sink->context, user);
    return DATONG_OK;
}

static int32_t migrate(const datong_call *call, uint32_t from, datong_bytes key, datong_bytes value,
                       const datong_text_sink *sink) {
    (void)call;
    char out[128];
    int n = snprintf(out, sizeof out, "%u %.*s %.*s", from, (int)key.size, (const char *)key.data, (int)value.size,
                     (const char *)value.data);
    sink->put(sink->context, (datong_bytes){(uint8_t *)out, (uint64_t)n});
    return DATONG_OK;
}

#ifndef QUERY_FLAGS
#define QUERY_FLAGS 0
#endif

static const void *ability(const char *id) {
    static const datong_describe_ability d = {sizeof d, 0, describe};
    static const datong_probe_ability p = {sizeof p, 0, probe};
    static const datong_read_ability r = {sizeof r, 0, read_page};
    static const datong_write_ability w = {sizeof w, 0, write_records};
    static const datong_poll_ability o = {sizeof o, 0, write_records};
    static const datong_void_ability v = {sizeof v, 0, write_records};
    static const datong_find_ability f = {sizeof f, 0, find};
    static const datong_query_ability q = {sizeof q, QUERY_FLAGS, query};
    static const datong_rotate_ability t = {sizeof t, 0, rotate};
    static const datong_listen_ability l = {sizeof l, 0, listen_open, listen_frame};
    static const datong_receive_ability e = {sizeof e, 0, receive};
    static const datong_identify_ability i = {sizeof i, 0, identify};
    static const datong_migrate_state_ability m = {sizeof m, 0, migrate};
    static const struct {
        const char *id;
        const void *ability;
    } all[] = {{DATONG_ABILITY_DESCRIBE, &d}, {DATONG_ABILITY_PROBE, &p},   {DATONG_ABILITY_READ, &r},
               {DATONG_ABILITY_WRITE, &w},    {DATONG_ABILITY_POLL, &o},    {DATONG_ABILITY_VOID, &v},
               {DATONG_ABILITY_FIND, &f},     {DATONG_ABILITY_QUERY, &q},   {DATONG_ABILITY_ROTATE, &t},
               {DATONG_ABILITY_LISTEN, &l},   {DATONG_ABILITY_RECEIVE, &e}, {DATONG_ABILITY_IDENTIFY, &i},
               {DATONG_ABILITY_MIGRATE_STATE, &m}};
    for (size_t n = 0; n < sizeof all / sizeof *all; n++)
        if (strcmp(all[n].id, id) == 0) return all[n].ability;
    return NULL;
}

DATONG_DEFINE_PLUGIN("puppet", "0.1.0", "fixture", init, shut, ability, open_connection, close_connection);
