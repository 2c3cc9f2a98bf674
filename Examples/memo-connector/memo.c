/*
 * A whole connector in one file, from datong_plugin.h alone.
 *
 * The vendor is a small service that keeps memos:
 *     GET  /health                      {"version":"1"}
 *     GET  /memos?after=N&limit=K       {"memos":[{"id":"1","key":"..","memo":{..}}],"last":true}
 *     GET  /memos?key=KEY               the same: none or one
 *     GET  /memos/ID                    {"id":..,"key":..,"memo":{..}}, or 404 {"error":"no such memo"}
 *     POST /memos {"key":..,"memo":..}  201 {"id":..}; 200 {"id":..} when it has the key already
 * Every request carries "authorization: Bearer TOKEN"; the token is a secret that this code never sees.
 */
#include "datong_plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(s) ((datong_bytes){(const uint8_t *)(s), sizeof(s) - 1})
#define DOCUMENT "x-memo"

static datong_bytes text(const char *s) { return (datong_bytes){(const uint8_t *)s, strlen(s)}; }
static int same(datong_bytes a, const char *b) { return a.size == strlen(b) && memcmp(a.data, b, a.size) == 0; }

static const datong_http_service *http;

/* A service that is missing is a host this connector cannot work with. */
static int32_t init(const datong_host *host) {
    http = host ? host->get_service(DATONG_SERVICE_HTTP) : NULL;
    return http ? DATONG_OK : DATONG_UNSUPPORTED;
}
static void shut(void) {}

/* ---- why something failed ------------------------------------------------------------------------------ */

static datong_failure failure_of(uint32_t error_class, const datong_message *messages, int64_t retry_after_ms) {
    return (datong_failure){.size = sizeof(datong_failure), .error_class = error_class, .message_count = 2,
                            .messages = messages, .retry_after_ms = retry_after_ms};
}

/* What went wrong with one request. `class` 0: nothing. */
struct trouble {
    uint32_t class;
    const char *zh;
    const char *en;
    int64_t retry_after_ms;
};
#define TROUBLE(c, z, e) ((struct trouble){c, z, e, -1})

static int32_t fail(const datong_call *call, struct trouble t) {
    datong_message messages[] = {{text(t.zh), TEXT("zh"), {0}}, {text(t.en), TEXT("en"), {0}}};
    datong_failure failure = failure_of(t.class, messages, t.retry_after_ms);
    call->host->fail(call, &failure);
    return DATONG_FAILED;
}

/* ---- JSON: as much as an answer of this vendor needs ------------------------------------------------------- */

#define DEPTH 64

struct json {
    const uint8_t *at;
    const uint8_t *end;
};

static void blanks(struct json *j) {
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\t' || *j->at == '\n' || *j->at == '\r')) j->at++;
}
static int take(struct json *j, char c) {
    blanks(j);
    if (j->at >= j->end || *j->at != (uint8_t)c) return 0;
    j->at++;
    return 1;
}
static int hex(uint8_t c) { return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f'); }

/* Past a string; its inside, escapes and all. */
static int take_string(struct json *j, datong_bytes *inside) {
    if (!take(j, '"')) return 0;
    const uint8_t *start = j->at;
    while (j->at < j->end && *j->at != '"') {
        if (*j->at < 0x20) return 0;
        if (*j->at++ != '\\') continue;
        if (j->at >= j->end || !strchr("\"\\/bfnrtu", *j->at) || !*j->at) return 0;
        if (*j->at++ == 'u') {
            for (int i = 0; i < 4; i++, j->at++)
                if (j->at >= j->end || !hex(*j->at)) return 0;
        }
    }
    if (j->at >= j->end) return 0;
    *inside = (datong_bytes){start, (uint64_t)(j->at - start)};
    j->at++;
    return 1;
}

static int digits(struct json *j) {
    const uint8_t *start = j->at;
    while (j->at < j->end && *j->at >= '0' && *j->at <= '9') j->at++;
    return j->at > start;
}
static int take_number(struct json *j) {
    if (j->at < j->end && *j->at == '-') j->at++;
    const uint8_t *start = j->at;
    if (!digits(j) || (*start == '0' && j->at > start + 1)) return 0;
    if (j->at < j->end && *j->at == '.') {
        j->at++;
        if (!digits(j)) return 0;
    }
    if (j->at < j->end && (*j->at | 32) == 'e') {
        j->at++;
        if (j->at < j->end && (*j->at == '+' || *j->at == '-')) j->at++;
        return digits(j);
    }
    return 1;
}
static int take_word(struct json *j, const char *word) {
    size_t n = strlen(word);
    if ((size_t)(j->end - j->at) < n || memcmp(j->at, word, n) != 0) return 0;
    j->at += n;
    return 1;
}

static int take_value(struct json *j, int depth) {
    blanks(j);
    if (j->at >= j->end || depth > DEPTH) return 0;
    datong_bytes waste;
    uint8_t c = *j->at;
    if (c == '"') return take_string(j, &waste);
    if (c != '{' && c != '[') {
        if (c == 't') return take_word(j, "true");
        if (c == 'f') return take_word(j, "false");
        if (c == 'n') return take_word(j, "null");
        return take_number(j);
    }
    char close = c == '{' ? '}' : ']';
    j->at++;
    if (take(j, close)) return 1;
    do {
        if (c == '{' && (!take_string(j, &waste) || !take(j, ':'))) return 0;
        if (!take_value(j, depth + 1)) return 0;
    } while (take(j, ','));
    return take(j, close);
}

/* One whole object and nothing behind it. */
static int is_object(datong_bytes bytes) {
    struct json j = {bytes.data, bytes.data + bytes.size};
    blanks(&j);
    if (j.at >= j.end || *j.at != '{' || !take_value(&j, 0)) return 0;
    blanks(&j);
    return j.at == j.end;
}

/* A member of a sound object as it stands there; empty when it is missing. */
static datong_bytes member(datong_bytes object, const char *name) {
    struct json j = {object.data, object.data + object.size};
    datong_bytes key;
    if (!take(&j, '{')) return (datong_bytes){0};
    while (take_string(&j, &key) && take(&j, ':')) {
        blanks(&j);
        const uint8_t *start = j.at;
        if (!take_value(&j, 0)) break;
        if (same(key, name)) return (datong_bytes){start, (uint64_t)(j.at - start)};
        if (!take(&j, ',')) break;
    }
    return (datong_bytes){0};
}

/* A member that is a plain string, without its quotes; empty when it is none, or holds an escape. */
static datong_bytes plain(datong_bytes object, const char *name) {
    datong_bytes value = member(object, name);
    if (value.size < 2 || value.data[0] != '"' || memchr(value.data, '\\', value.size)) return (datong_bytes){0};
    return (datong_bytes){value.data + 1, value.size - 2};
}

/* The next element of a sound array; `j` stands behind "[" or behind the last element. */
static int next_element(struct json *j, datong_bytes *element) {
    take(j, ',');
    blanks(j);
    const uint8_t *start = j->at;
    if (j->at >= j->end || *j->at == ']' || !take_value(j, 0)) return 0;
    *element = (datong_bytes){start, (uint64_t)(j->at - start)};
    return 1;
}

/* ---- the vendor ------------------------------------------------------------------------------------------ */

struct connection {
    char endpoint[512];
};

static int64_t retry_after(const datong_http_reply *reply) {
    for (uint64_t i = 0; i < reply->header_count; i++) {
        datong_bytes value = reply->headers[i].value;
        if (!same(reply->headers[i].name, "retry-after") || value.size == 0 || value.size > 6) continue;
        int64_t seconds = 0;
        for (uint64_t n = 0; n < value.size; n++) {
            if (value.data[n] < '0' || value.data[n] > '9') return -1;
            seconds = seconds * 10 + (value.data[n] - '0');
        }
        return seconds * 1000;
    }
    return -1;
}

/* One exchange; an answer of 200, 201 or 404 with a JSON object is no trouble. */
static struct trouble ask(const struct connection *c, const datong_call *call, uint32_t effect, const char *method,
                          const char *path, datong_bytes body, datong_http_reply *reply) {
    char url[1536];
    if ((size_t)snprintf(url, sizeof url, "%s%s", c->endpoint, path) >= sizeof url)
        return TROUBLE(DATONG_INVALID_RECORD, "地址过长", "the address is too long");
    datong_header headers[] = {{TEXT("authorization"), TEXT("Bearer ")}, {TEXT("content-type"), TEXT("application/json")}};
    datong_insertion token = {DATONG_PART_HEADER, 0, 7, TEXT("token")};
    datong_http_request request = {.size = sizeof request, .effect = effect, .method = text(method), .url = text(url),
                                   .headers = headers, .header_count = 2, .body = body, .insertions = &token,
                                   .insertion_count = 1};
    *reply = (datong_http_reply){.size = sizeof *reply};
    int32_t result = http->send(call, &request, reply);
    /* The service has said what is known of the vendor: its class is the answer. */
    if (result == DATONG_DENIED) return TROUBLE(DATONG_UNSUPPORTED, "主机不允许该请求", "the host refused the request");
    if (result != DATONG_OK) return TROUBLE((uint32_t)result, "没有收到回答", "no answer came");
    int writes = effect == DATONG_EFFECT_WRITE;
    if (reply->status == 401 || reply->status == 403)
        return TROUBLE(DATONG_AUTH_DENIED, "令牌被拒绝", "the token was refused");
    if (reply->status == 429)
        return (struct trouble){DATONG_THROTTLED, "对方要求放慢", "the vendor asks to slow down", retry_after(reply)};
    if (reply->status >= 500)
        return TROUBLE(writes ? DATONG_UNKNOWN_OUTCOME : DATONG_TRANSIENT, "对方出错", "the vendor failed");
    int is_ours = is_object(reply->body);
    if ((reply->status == 400 || reply->status == 422) && writes && is_ours)
        return TROUBLE(DATONG_INVALID_RECORD, "对方拒绝该单据", "the vendor refused the document");
    if (!is_ours || (reply->status != 200 && reply->status != 201 && reply->status != 404))
        return TROUBLE(writes ? DATONG_UNKNOWN_OUTCOME : DATONG_SCHEMA_DRIFT, "回答不是约定的内容",
                       "the answer is not what was agreed");
    return (struct trouble){0};
}

#define DRIFT TROUBLE(DATONG_SCHEMA_DRIFT, "回答缺少约定的字段", "the answer lacks a field it should have")

/* ---- describe, probe -------------------------------------------------------------------------------------- */

static int32_t describe(const datong_call *call, const datong_text_sink *sink) {
    (void)call;
    sink->put(sink->context, TEXT(
        "{\"id\":\"memo\",\"version\":\"0.1.0\",\"title\":{\"zh\":\"便笺\",\"en\":\"Memos\"},\"products\":[{"
        "\"id\":\"standard\",\"title\":{\"zh\":\"标准版\",\"en\":\"Standard\"},"
        "\"settings\":{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false},"
        "\"secrets\":{\"token\":{\"required\":true,\"title\":{\"zh\":\"访问令牌\",\"en\":\"Access token\"}}},"
        "\"concurrency\":{\"read\":2,\"write\":4,\"find\":4},"
        "\"documents\":[{\"type\":\"" DOCUMENT "\",\"abilities\":[\"write\",\"find\"],"
        "\"settings\":{\"type\":\"object\",\"properties\":{}},"
        "\"key\":{\"max_bytes\":64,\"alphabet\":\"a-z0-9-\"},\"unique_key\":true,"
        "\"batch\":{\"max\":10,\"kind\":\"independent\"}}],"
        "\"streams\":[{\"document\":\"" DOCUMENT "\",\"abilities\":[\"read\"],\"filter\":{\"type\":\"object\"}}],"
        "\"state\":{\"reads\":[1,1],\"writes\":1}}]}"));
    return DATONG_OK;
}

static int32_t probe(void *connection, const datong_call *call, const datong_text_sink *sink) {
    datong_http_reply reply;
    struct trouble t = ask(connection, call, DATONG_EFFECT_READ, "GET", "/health", (datong_bytes){0}, &reply);
    if (t.class) return fail(call, t);
    datong_bytes version = plain(reply.body, "version");
    if (version.size == 0 || version.size > 40) return fail(call, DRIFT);
    char out[512];
    int n = snprintf(out, sizeof out,
                     "{\"vendor\":\"memos\",\"version\":\"%.*s\",\"fingerprint\":\"%.*s\",\"checks\":[{\"id\":\"health\","
                     "\"ok\":true,\"zh\":\"可以访问\",\"en\":\"can be reached\"}]}",
                     (int)version.size, (const char *)version.data, (int)version.size, (const char *)version.data);
    sink->put(sink->context, (datong_bytes){(uint8_t *)out, (uint64_t)n});
    return DATONG_OK;
}

/* ---- read --------------------------------------------------------------------------------------------------- */

static int give(const datong_read_sink *sink, datong_bytes memo, struct trouble *t) {
    datong_record record = {.size = sizeof record, .id = plain(memo, "id"), .json = member(memo, "memo")};
    if (record.id.size == 0 || !is_object(record.json)) return *t = DRIFT, 1;
    return sink->record(sink->context, &record);
}

/* What may stand in a path as it is. */
static int is_safe(datong_bytes bytes) {
    if (bytes.size == 0 || bytes.size > 64) return 0;
    for (uint64_t i = 0; i < bytes.size; i++) {
        uint8_t c = bytes.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-')) return 0;
    }
    return 1;
}

static int32_t read_named(struct connection *c, const datong_call *call, const datong_read_request *request,
                          const datong_read_sink *sink) {
    for (uint64_t i = 0; i < request->id_count; i++) {
        datong_http_reply reply;
        char path[128];
        if (!is_safe(request->ids[i])) continue; /* no memo has such an id */
        snprintf(path, sizeof path, "/memos/%.*s", (int)request->ids[i].size, (const char *)request->ids[i].data);
        struct trouble t = ask(c, call, DATONG_EFFECT_READ, "GET", path, (datong_bytes){0}, &reply);
        if (t.class) return fail(call, t);
        if (reply.status == 404) {
            /* Absent only in the vendor's own words: a wrong address says 404 too. */
            if (!same(plain(reply.body, "error"), "no such memo")) return fail(call, DRIFT);
            continue;
        }
        int stop = give(sink, reply.body, &t);
        if (t.class) return fail(call, t);
        if (stop) break;
    }
    return DATONG_OK;
}

static int32_t read_page(void *connection, const datong_call *call, const datong_read_request *request,
                         const datong_read_sink *sink) {
    if (!same(request->document, DOCUMENT))
        return fail(call, TROUBLE(DATONG_UNSUPPORTED, "没有这种单据", "there is no such document"));
    if (request->ids) return read_named(connection, call, request, sink);
    datong_bytes cursor = request->cursor.size ? request->cursor : TEXT("0");
    if (!is_safe(cursor)) return fail(call, TROUBLE(DATONG_INVALID_RECORD, "游标不合规则", "not a cursor of ours"));
    char path[192];
    snprintf(path, sizeof path, "/memos?after=%.*s&limit=%llu", (int)cursor.size, (const char *)cursor.data,
             (unsigned long long)request->max_records);
    datong_http_reply reply;
    struct trouble t = ask(connection, call, DATONG_EFFECT_READ, "GET", path, (datong_bytes){0}, &reply);
    if (t.class) return fail(call, t);
    datong_bytes memos = member(reply.body, "memos"), last = member(reply.body, "last"), memo;
    struct json j = {memos.data, memos.data + memos.size};
    if (!take(&j, '[') || (!same(last, "true") && !same(last, "false"))) return fail(call, DRIFT);
    while (next_element(&j, &memo)) {
        int stop = give(sink, memo, &t);
        if (t.class) return fail(call, t);
        if (stop) return DATONG_OK;
        cursor = plain(memo, "id");
    }
    sink->page(sink->context, cursor, same(last, "false"));
    return DATONG_OK;
}

/* ---- write, find ---------------------------------------------------------------------------------------------- */

static void write_one(struct connection *c, const datong_call *call, const datong_write_record *record,
                      datong_write_result *result, struct trouble *t, datong_http_reply *reply) {
    if (!is_safe(record->key) || !is_object(record->json)) {
        *t = TROUBLE(DATONG_INVALID_RECORD, "单据不是 JSON 对象", "the document is no JSON object");
        return;
    }
    if (call->host->is_cancelled(call)) {
        *t = TROUBLE(DATONG_CANCELLED, "已取消", "cancelled");
        return;
    }
    size_t room = record->json.size + record->key.size + 64;
    char *body = malloc(room);
    if (!body) {
        *t = TROUBLE(DATONG_TRANSIENT, "内存不足", "out of memory");
        return;
    }
    int n = snprintf(body, room, "{\"key\":\"%.*s\",\"memo\":", (int)record->key.size, (const char *)record->key.data);
    memcpy(body + n, record->json.data, record->json.size);
    body[(size_t)n + record->json.size] = '}';
    datong_bytes bytes = {(uint8_t *)body, (uint64_t)n + record->json.size + 1};
    *t = ask(c, call, DATONG_EFFECT_WRITE, "POST", "/memos", bytes, reply);
    free(body);
    if (t->class) return;
    result->number = result->id = plain(reply->body, "id");
    result->outcome = reply->status == 201 ? DATONG_APPLIED : DATONG_EXISTED;
    if (reply->status == 404 || result->number.size == 0)
        *t = TROUBLE(DATONG_UNKNOWN_OUTCOME, "回答没有编号", "the answer holds no number");
}

static int32_t write_records(void *connection, const datong_call *call, const datong_write_request *request,
                             const datong_write_sink *sink) {
    if (!same(request->document, DOCUMENT))
        return fail(call, TROUBLE(DATONG_UNSUPPORTED, "没有这种单据", "there is no such document"));
    for (uint64_t i = 0; i < request->record_count; i++) {
        datong_write_result result = {.size = sizeof result, .index = i};
        struct trouble t = {0};
        datong_http_reply reply = {.size = sizeof reply};
        write_one(connection, call, &request->records[i], &result, &t, &reply);
        datong_message messages[2];
        datong_failure failure;
        if (t.class) {
            messages[0] = (datong_message){text(t.zh), TEXT("zh"), {0}};
            messages[1] = (datong_message){text(t.en), TEXT("en"), {0}};
            failure = failure_of(t.class, messages, t.retry_after_ms);
            result = (datong_write_result){.size = sizeof result, .index = i, .outcome = DATONG_REFUSED, .failure = &failure};
        }
        if (sink->result(sink->context, &result) != 0) return DATONG_OK;
    }
    return DATONG_OK;
}

static int32_t find(void *connection, const datong_call *call, const datong_find_request *request,
                    const datong_find_sink *sink) {
    if (!same(request->document, DOCUMENT) || !is_safe(request->key))
        return fail(call, TROUBLE(DATONG_UNSUPPORTED, "只能按幂等键查找", "looks by idempotency key only"));
    char path[160];
    snprintf(path, sizeof path, "/memos?key=%.*s", (int)request->key.size, (const char *)request->key.data);
    datong_http_reply reply;
    struct trouble t = ask(connection, call, DATONG_EFFECT_READ, "GET", path, (datong_bytes){0}, &reply);
    if (t.class) return fail(call, t);
    datong_bytes memos = member(reply.body, "memos"), memo;
    struct json j = {memos.data, memos.data + memos.size};
    /* Absent is a list that is there and empty, nothing less: on "absent" the host sends again. */
    if (!take(&j, '[')) return fail(call, DRIFT);
    while (next_element(&j, &memo)) {
        datong_bytes id = plain(memo, "id"), key = plain(memo, "key");
        if (id.size == 0 || key.size != request->key.size || memcmp(key.data, request->key.data, key.size) != 0)
            return fail(call, DRIFT);
        if (sink->found(sink->context, id, id, member(memo, "memo")) != 0) return DATONG_OK;
    }
    return DATONG_OK;
}

/* ---- the plugin --------------------------------------------------------------------------------------------------- */

static int32_t open_it(const datong_call *call, const datong_open_request *request, void **connection) {
    struct connection *c = calloc(1, sizeof *c);
    uint64_t n = request->endpoint.size;
    while (n > 0 && request->endpoint.data[n - 1] == '/') n--;
    if (!c || n == 0 || n >= sizeof c->endpoint) {
        free(c);
        return fail(call, TROUBLE(DATONG_INVALID_RECORD, "地址不可用", "the endpoint cannot be used"));
    }
    memcpy(c->endpoint, request->endpoint.data, n);
    *connection = c;
    return DATONG_OK;
}
static void close_it(void *connection) { free(connection); }

static const void *ability(const char *id) {
    static const datong_describe_ability d = {sizeof d, 0, describe};
    static const datong_probe_ability p = {sizeof p, 0, probe};
    static const datong_read_ability r = {sizeof r, 0, read_page};
    static const datong_write_ability w = {sizeof w, 0, write_records};
    static const datong_find_ability f = {sizeof f, 0, find};
    if (strcmp(id, DATONG_ABILITY_DESCRIBE) == 0) return &d;
    if (strcmp(id, DATONG_ABILITY_PROBE) == 0) return &p;
    if (strcmp(id, DATONG_ABILITY_READ) == 0) return &r;
    if (strcmp(id, DATONG_ABILITY_WRITE) == 0) return &w;
    return strcmp(id, DATONG_ABILITY_FIND) == 0 ? &f : NULL;
}

DATONG_DEFINE_PLUGIN("memo", "0.1.0", "", init, shut, ability, open_it, close_it);
