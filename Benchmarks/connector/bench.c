/* The connector that the benchmark runs in datong: the mock's approvals as a source, the mock's vouchers as a target.
 *
 * Plain C against the plugin header alone. Two products of one library: `source` reads pages by cursor and turns the
 * vendor's form (the table field is JSON text inside JSON) into the approval document; `target` writes a voucher
 * with one POST under its idempotency key, and finds it by that key. `query` "echo" gives its parameters back: it
 * is what the boundary is timed with.
 */
#include "datong_plugin.h"

#include "../json.h"

static const datong_host *host;
static const datong_http_service *http;

struct site {
    char *base; /* the endpoint, ends with a slash */
    size_t base_size;
};

static datong_bytes bytes(const char *words) { return (datong_bytes){(const uint8_t *)words, strlen(words)}; }
static datong_bytes of(span s) { return (datong_bytes){(const uint8_t *)s.data, s.size}; }
static span as_span(datong_bytes b) { return (span){(const char *)b.data, b.size}; }

static int32_t fail(const datong_call *call, uint32_t error_class, const char *why) {
    datong_message message = {bytes(why), bytes("en"), bytes("")};
    datong_failure failure = {.size = sizeof failure,
                              .error_class = error_class,
                              .message_count = 1,
                              .messages = &message,
                              .retry_after_ms = -1};
    call->host->fail(call, &failure);
    return DATONG_FAILED;
}

static int32_t init(const datong_host *given) {
    host = given;
    http = host->get_service(DATONG_SERVICE_HTTP);
    return DATONG_OK;
}
static void shut(void) {}

static int32_t open_site(const datong_call *call, const datong_open_request *request, void **connection) {
    (void)call;
    struct site *site = malloc(sizeof *site);
    if (!site) return fail(call, DATONG_BUG, "no memory");
    site->base_size = request->endpoint.size;
    site->base = malloc(site->base_size);
    if (!site->base) {
        free(site);
        return fail(call, DATONG_BUG, "no memory");
    }
    memcpy(site->base, request->endpoint.data, site->base_size);
    *connection = site;
    return DATONG_OK;
}
static void close_site(void *connection) {
    struct site *site = connection;
    free(site->base);
    free(site);
}

static int32_t describe(const datong_call *call, const datong_text_sink *sink) {
    (void)call;
    sink->put(
        sink->context,
        bytes("{\"id\":\"bench\",\"version\":\"1.0.0\",\"title\":{\"zh\":\"性能测量\",\"en\":\"Benchmark\"},\"products\":["
              "{\"id\":\"source\",\"title\":{\"zh\":\"来源\",\"en\":\"Source\"},"
              "\"settings\":{\"type\":\"object\",\"properties\":{}},\"secrets\":{},\"hosts\":[],"
              "\"http\":{\"version\":\"1.1\"},\"concurrency\":{\"read\":2,\"probe\":1,\"query\":64},\"limits\":[],"
              "\"documents\":[],"
              "\"streams\":[{\"document\":\"approval\",\"abilities\":[\"read\"],\"filter\":{\"type\":\"object\"}}]},"
              "{\"id\":\"target\",\"title\":{\"zh\":\"目标\",\"en\":\"Target\"},"
              "\"settings\":{\"type\":\"object\",\"properties\":{}},\"secrets\":{},\"hosts\":[],"
              "\"http\":{\"version\":\"1.1\"},\"concurrency\":{\"write\":64,\"find\":16,\"probe\":1},"
              "\"limits\":[{\"id\":\"concurrency\",\"max\":64}],"
              "\"documents\":[{\"type\":\"voucher\",\"abilities\":[\"write\",\"find\"],"
              "\"settings\":{\"type\":\"object\",\"properties\":{}},"
              "\"key\":{\"max_bytes\":63,\"alphabet\":\"a-z0-9\"},\"unique_key\":true,\"commit_horizon_ms\":2000,"
              "\"batch\":{\"max\":1,\"kind\":\"independent\"}}],\"streams\":[]}]}"));
    return DATONG_OK;
}

static int32_t probe(void *connection, const datong_call *call, const datong_text_sink *sink) {
    (void)connection;
    (void)call;
    sink->put(sink->context, bytes("{\"vendor\":\"mock\",\"version\":\"1\",\"fingerprint\":\"1\",\"checks\":[]}"));
    return DATONG_OK;
}

static int32_t query(void *connection, const datong_call *call, datong_bytes name, datong_bytes parameters,
                     const datong_text_sink *sink) {
    (void)connection;
    if (name.size != 4 || memcmp(name.data, "echo", 4)) return fail(call, DATONG_UNSUPPORTED, "only echo");
    sink->put(sink->context, parameters);
    return DATONG_OK;
}

/* One exchange; `path` is appended to the endpoint. */
static int32_t exchange(struct site *site, const datong_call *call, uint32_t effect, const char *method, span path,
                        datong_bytes key, datong_bytes body, datong_http_reply *reply) {
    text url = {0};
    text_add(&url, site->base, site->base_size);
    text_span(&url, path);
    datong_header headers[] = {{bytes("Content-Type"), bytes("application/json")}, {bytes("Idempotency-Key"), key}};
    datong_http_request request = {.size = sizeof request,
                                   .effect = effect,
                                   .method = bytes(method),
                                   .url = {(const uint8_t *)url.data, url.size},
                                   .headers = headers,
                                   .header_count = key.size ? 2 : 0,
                                   .body = body};
    *reply = (datong_http_reply){.size = sizeof *reply};
    int32_t result = http->send(call, &request, reply);
    free(url.data);
    return result;
}

/* ---- reading ---------------------------------------------------------------------------------------- */

static void member(text *out, const char *name, span value) {
    text_literal(out, "\"");
    text_add(out, name, strlen(name));
    text_literal(out, "\":");
    if (value.size) {
        text_span(out, value);
    } else {
        text_literal(out, "null");
    }
    text_literal(out, ",");
}

static const char *kind_of(span component) {
    span inside = json_inside(component);
    if (span_is(inside, "MoneyField")) return "money";
    if (span_is(inside, "TableField")) return "table";
    return "text";
}

static void rows(text *out, span table, text *scratch) {
    scratch->size = 0;
    json_unescape(table, scratch);
    span list = {scratch->data, scratch->size}, row, cell;
    const char *at = NULL;
    text_literal(out, "\"rows\":[");
    while (list.size && json_element(list, &at, &row)) {
        if (out->data[out->size - 1] == '}') text_literal(out, ",");
        text_literal(out, "{\"fields\":[");
        const char *cell_at = NULL;
        span cells = json_get(row, "rowValue");
        while (cells.size && json_element(cells, &cell_at, &cell)) {
            if (out->data[out->size - 1] == '}') text_literal(out, ",");
            span id = json_get(cell, "key");
            text_literal(out, "{");
            member(out, "id", id);
            member(out, "label", json_get(cell, "label"));
            text_literal(out, "\"kind\":");
            if (id.size > 6 && !memcmp(id.data, "\"Money", 6)) {
                text_literal(out, "\"money\",\"value\":");
            } else {
                text_literal(out, "\"text\",\"value\":");
            }
            text_span(out, json_get(cell, "value"));
            text_literal(out, "}");
        }
        text_literal(out, "]}");
    }
    text_literal(out, "]}");
}

/* The mock's form as the approval document. One pass over the members. */
static span approval(span source, text *out, text *scratch) {
    span id = {0}, number = {0}, template = {0}, title = {0}, result = {0}, user = {0}, person = {0}, job = {0};
    span unit = {0}, unit_name = {0}, created = {0}, finished = {0}, fields = {0}, files = {0}, name, value;
    const struct {
        const char *name;
        span *into;
    } wanted[] = {{"instanceId", &id},
                  {"businessId", &number},
                  {"processCode", &template},
                  {"title", &title},
                  {"result", &result},
                  {"originatorUserId", &user},
                  {"originatorName", &person},
                  {"jobNumber", &job},
                  {"originatorDeptId", &unit},
                  {"originatorDeptName", &unit_name},
                  {"createTime", &created},
                  {"finishTime", &finished},
                  {"formComponentValues", &fields},
                  {"attachments", &files}};
    const char *at = NULL;
    while (json_member(source, &at, &name, &value))
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
            if (span_is(name, wanted[i].name)) {
                *wanted[i].into = value;
                break;
            }
    out->size = 0;
    text_literal(out, "{");
    member(out, "id", id);
    member(out, "number", number);
    member(out, "template", template);
    member(out, "title", title);
    text_literal(out, "\"status\":\"completed\",");
    member(out, "result", result);
    text_literal(out, "\"action\":\"none\",\"applicant\":{");
    member(out, "id", user);
    member(out, "name", person);
    member(out, "employee_number", job);
    text_literal(out, "\"department\":{");
    member(out, "name", unit_name);
    text_literal(out, "\"id\":");
    text_span(out, unit);
    text_literal(out, "}},");
    member(out, "created_at", created);
    member(out, "finished_at", finished);
    text_literal(out, "\"fields\":[");
    span field;
    at = NULL;
    while (fields.size && json_element(fields, &at, &field)) {
        if (out->data[out->size - 1] == '}') text_literal(out, ",");
        const char *kind = kind_of(json_get(field, "componentType"));
        text_literal(out, "{");
        member(out, "id", json_get(field, "id"));
        member(out, "label", json_get(field, "name"));
        text_literal(out, "\"kind\":\"");
        text_add(out, kind, strlen(kind));
        text_literal(out, "\",");
        if (!strcmp(kind, "table")) {
            rows(out, json_get(field, "value"), scratch);
        } else {
            text_literal(out, "\"value\":");
            text_span(out, json_get(field, "value"));
            text_literal(out, "}");
        }
    }
    text_literal(out, "],\"attachments\":[");
    at = NULL;
    while (files.size && json_element(files, &at, &field)) {
        if (out->data[out->size - 1] == '}') text_literal(out, ",");
        text_literal(out, "{");
        member(out, "name", json_get(field, "fileName"));
        member(out, "size", json_get(field, "fileSize"));
        text_literal(out, "\"id\":");
        text_span(out, json_get(field, "fileId"));
        text_literal(out, "}");
    }
    text_literal(out, "]}");
    return json_inside(id);
}

static int32_t give(span document, const datong_read_sink *sink, text *out, text *scratch) {
    datong_record record = {.size = sizeof record};
    record.id = of(approval(document, out, scratch));
    record.json = (datong_bytes){(const uint8_t *)out->data, out->size};
    return sink->record(sink->context, &record);
}

static int32_t read_named(struct site *site, const datong_call *call, const datong_read_request *request,
                          const datong_read_sink *sink, text *out, text *scratch) {
    for (uint64_t i = 0; i < request->id_count; i++) {
        text path = {0};
        text_literal(&path, "approval?id=");
        text_span(&path, as_span(request->ids[i]));
        datong_http_reply reply;
        int32_t result = exchange(site, call, DATONG_EFFECT_READ, "GET", (span){path.data, path.size}, bytes(""),
                                  bytes(""), &reply);
        free(path.data);
        if (result != DATONG_OK) return fail(call, (uint32_t)result, "the source did not answer");
        if (reply.status == 200) give(as_span(reply.body), sink, out, scratch);
        http->release(call, &reply);
    }
    return DATONG_OK;
}

static int32_t read_page(struct site *site, const datong_call *call, const datong_read_request *request,
                         const datong_read_sink *sink, text *out, text *scratch) {
    text path = {0};
    text_literal(&path, "approvals?cursor=");
    if (request->cursor.size) {
        text_span(&path, as_span(request->cursor));
    } else {
        text_literal(&path, "0");
    }
    datong_http_reply reply;
    int32_t result =
        exchange(site, call, DATONG_EFFECT_READ, "GET", (span){path.data, path.size}, bytes(""), bytes(""), &reply);
    free(path.data);
    if (result != DATONG_OK) return fail(call, (uint32_t)result, "the source did not answer");
    if (reply.status != 200) return fail(call, DATONG_TRANSIENT, "the source refused");
    span page = as_span(reply.body), list = json_get(page, "list"), document;
    const char *at = NULL;
    while (list.size && json_element(list, &at, &document))
        if (give(document, sink, out, scratch)) break;
    sink->page(sink->context, of(json_inside(json_get(page, "next"))), span_is(json_get(page, "has_more"), "true"));
    http->release(call, &reply);
    return DATONG_OK;
}

static int32_t read_approvals(void *connection, const datong_call *call, const datong_read_request *request,
                              const datong_read_sink *sink) {
    text out = {0}, scratch = {0};
    int32_t result = request->ids ? read_named(connection, call, request, sink, &out, &scratch)
                                  : read_page(connection, call, request, sink, &out, &scratch);
    free(out.data);
    free(scratch.data);
    return result;
}

/* ---- writing ---------------------------------------------------------------------------------------- */

static int32_t write_vouchers(void *connection, const datong_call *call, const datong_write_request *request,
                              const datong_write_sink *sink) {
    for (uint64_t i = 0; i < request->record_count; i++) {
        const datong_write_record *record = &request->records[i];
        datong_http_reply reply;
        int32_t sent = exchange(connection, call, DATONG_EFFECT_WRITE, "POST", (span){"vouchers", 8}, record->key,
                                record->json, &reply);
        datong_write_result result = {.size = sizeof result, .index = i, .poll_after_ms = -1};
        datong_message message = {bytes("the target did not take it"), bytes("en"), bytes("")};
        datong_failure failure = {.size = sizeof failure,
                                  .error_class = sent != DATONG_OK      ? (uint32_t)sent
                                                 : reply.status == 400 ? DATONG_INVALID_RECORD
                                                                       : DATONG_TRANSIENT,
                                  .message_count = 1,
                                  .messages = &message,
                                  .retry_after_ms = -1};
        span answer = sent == DATONG_OK ? as_span(reply.body) : (span){0};
        span number = json_inside(json_get(answer, "number"));
        if (sent == DATONG_OK && reply.status == 200 && number.size) {
            result.outcome = DATONG_APPLIED;
            result.number = of(number);
            result.id = of(json_inside(json_get(answer, "id")));
        } else {
            result.outcome = DATONG_REFUSED;
            result.failure = &failure;
        }
        sink->result(sink->context, &result);
        if (sent == DATONG_OK) http->release(call, &reply);
    }
    return DATONG_OK;
}

static int32_t find_voucher(void *connection, const datong_call *call, const datong_find_request *request,
                            const datong_find_sink *sink) {
    text path = {0};
    text_literal(&path, "voucher?key=");
    text_span(&path, as_span(request->key));
    datong_http_reply reply;
    int32_t result = exchange(connection, call, DATONG_EFFECT_READ, "GET", (span){path.data, path.size}, bytes(""),
                              bytes(""), &reply);
    free(path.data);
    if (result != DATONG_OK) return fail(call, (uint32_t)result, "the target did not answer");
    span answer = as_span(reply.body);
    if (span_is(json_get(answer, "found"), "true"))
        sink->found(sink->context, of(json_inside(json_get(answer, "number"))), of(json_inside(json_get(answer, "id"))),
                    bytes(""));
    http->release(call, &reply);
    return DATONG_OK;
}

static const datong_describe_ability describe_ability = {sizeof describe_ability, 0, describe};
static const datong_probe_ability probe_ability = {sizeof probe_ability, 0, probe};
static const datong_read_ability read_ability = {sizeof read_ability, 0, read_approvals};
static const datong_write_ability write_ability = {sizeof write_ability, 0, write_vouchers};
static const datong_find_ability find_ability = {sizeof find_ability, 0, find_voucher};
static const datong_query_ability query_ability = {sizeof query_ability, 0, query};

static const void *ability(const char *id) {
    const struct {
        const char *id;
        const void *table;
    } all[] = {{DATONG_ABILITY_DESCRIBE, &describe_ability}, {DATONG_ABILITY_PROBE, &probe_ability},
               {DATONG_ABILITY_READ, &read_ability},         {DATONG_ABILITY_WRITE, &write_ability},
               {DATONG_ABILITY_FIND, &find_ability},         {DATONG_ABILITY_QUERY, &query_ability}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (!strcmp(id, all[i].id)) return all[i].table;
    return NULL;
}

DATONG_DEFINE_PLUGIN("bench", "1.0.0", "", init, shut, ability, open_site, close_site);
