/* What the job costs with next to nothing around it: libcurl multi, fields picked out of the JSON without a tree,
 * SQLite with synchronous=FULL. No retries, no time-outs, no limits, no mapping language, no intent before the
 * request. The bound that a general host can come near to, not a product.
 *
 *   limit URL CONCURRENCY FILE rows|page
 *
 * `rows`: a durable row per document, one commit per batch of answers. `page`: one durable cursor per page.
 */
#include <curl/curl.h>
#include <sqlite3.h>

#include "json.h"

#define MANY 256

static const char *base;
static sqlite3 *store;
static sqlite3_stmt *insert, *cursor_write;

static void must(int ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "limit: %s\n", what);
    exit(1);
}
static void sql(const char *statement) {
    must(sqlite3_exec(store, statement, NULL, NULL, NULL) == SQLITE_OK, statement);
}

static void open_store(const char *path) {
    must(sqlite3_open(path, &store) == SQLITE_OK, "sqlite3_open");
    sql("PRAGMA journal_mode=WAL");
    sql("PRAGMA synchronous=FULL");
    sql("CREATE TABLE IF NOT EXISTS voucher (document TEXT PRIMARY KEY, key TEXT, number TEXT) WITHOUT ROWID");
    sql("CREATE TABLE IF NOT EXISTS position (id INTEGER PRIMARY KEY, cursor TEXT)");
    must(sqlite3_prepare_v2(store, "INSERT OR REPLACE INTO voucher VALUES (?,?,?)", -1, &insert, NULL) == SQLITE_OK,
         "insert");
    const char *put = "INSERT OR REPLACE INTO position VALUES (1,?)";
    must(sqlite3_prepare_v2(store, put, -1, &cursor_write, NULL) == SQLITE_OK, "cursor");
}

static void cursor_store(span cursor) {
    sqlite3_bind_text(cursor_write, 1, cursor.data, (int)cursor.size, SQLITE_STATIC);
    must(sqlite3_step(cursor_write) == SQLITE_DONE, "cursor");
    sqlite3_reset(cursor_write);
}

static const char *account_of(span kind) {
    static const struct {
        const char *kind, *account;
    } table[] = {{"差旅费", "6602.01"}, {"业务招待费", "6602.02"}, {"办公费", "6602.03"},
                 {"市内交通费", "6602.04"}, {"通讯费", "6602.05"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (span_is(kind, table[i].kind)) return table[i].account;
    must(0, "a kind without an account");
    return NULL;
}
static const char *department_of(span id) {
    static const struct {
        const char *id, *code;
    } table[] = {{"1001", "BM001"}, {"1002", "BM002"}, {"1003", "BM003"}, {"1004", "BM004"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (span_is(id, table[i].id)) return table[i].code;
    must(0, "a department without a code");
    return NULL;
}

static void quoted(text *out, const char *name, const char *value, size_t size) {
    text_literal(out, "\"");
    text_add(out, name, strlen(name));
    text_literal(out, "\":\"");
    text_add(out, value, size);
    text_literal(out, "\",");
}
#define QUOTED(out, name, s) quoted(out, name, (s).data, (s).size)

/* The same voucher as the mapping of the datong row makes. */
static void map(span document, text *out, text *scratch) {
    span fields = json_get(document, "formComponentValues"), field, reason = {0}, total = {0}, table = {0};
    const char *at = NULL;
    while (json_element(fields, &at, &field)) {
        span name = json_inside(json_get(field, "name")), value = json_get(field, "value");
        if (span_is(name, "报销事由")) reason = json_inside(value);
        if (span_is(name, "总金额")) total = json_inside(value);
        if (span_is(name, "费用明细")) table = value;
    }
    span finished = json_inside(json_get(document, "finishTime"));
    span person = json_inside(json_get(document, "originatorName"));
    span number = json_inside(json_get(document, "businessId")), id = json_inside(json_get(document, "instanceId"));
    const char *department = department_of(json_inside(json_get(document, "originatorDeptId")));
    finished.size = 10;
    out->size = 0;
    text_literal(out, "{\"book\":\"001\",");
    QUOTED(out, "date", finished);
    QUOTED(out, "business_date", finished);
    text_literal(out, "\"group\":\"记\",\"attachment_count\":1,");
    QUOTED(out, "reference", number);
    text_literal(out, "\"summary\":\"");
    text_span(out, person);
    text_literal(out, "报销");
    text_span(out, reason);
    text_literal(out, "\",\"lines\":[");
    scratch->size = 0;
    json_unescape(table, scratch);
    span list = {scratch->data, scratch->size}, row, cell;
    at = NULL;
    while (json_element(list, &at, &row)) {
        span kind = {0}, amount = {0}, words = {0};
        const char *cell_at = NULL;
        while (json_element(json_get(row, "rowValue"), &cell_at, &cell)) {
            span label = json_inside(json_get(cell, "label")), value = json_inside(json_get(cell, "value"));
            if (span_is(label, "费用类型")) kind = value;
            if (span_is(label, "金额")) amount = value;
            if (span_is(label, "摘要")) words = value;
        }
        const char *account = account_of(kind);
        text_literal(out, "{");
        QUOTED(out, "summary", words);
        quoted(out, "account", account, strlen(account));
        text_literal(out, "\"dimensions\":{\"department\":\"");
        text_add(out, department, strlen(department));
        text_literal(out, "\"},\"currency\":\"CNY\",\"rate\":\"1\",");
        QUOTED(out, "debit", amount);
        text_literal(out, "\"credit\":\"0\"},");
    }
    text_literal(out, "{\"summary\":\"付");
    text_span(out, person);
    text_literal(out, "报销款\",\"account\":\"1002.01\",\"currency\":\"CNY\",\"rate\":\"1\",");
    text_literal(out, "\"debit\":\"0\",\"credit\":\"");
    text_span(out, total);
    text_literal(out, "\"}],\"source\":{\"document\":\"approval\",");
    QUOTED(out, "id", id);
    text_literal(out, "\"number\":\"");
    text_span(out, number);
    text_literal(out, "\"}}");
}

struct post {
    CURL *easy;
    struct curl_slist *headers;
    span id;
    char key[40];
    text body, answer;
};

static size_t keep(char *data, size_t one, size_t count, void *into) {
    text_add(into, data, one * count);
    return one * count;
}

static void start(struct post *post, CURLM *multi, span document, text *scratch) {
    map(document, &post->body, scratch);
    post->id = json_inside(json_get(document, "instanceId"));
    uint64_t hash = 1469598103934665603u;
    for (size_t i = 0; i < post->id.size; i++) hash = (hash ^ (uint8_t)post->id.data[i]) * 1099511628211u;
    snprintf(post->key, sizeof post->key, "%016llx%.*s", (unsigned long long)hash, (int)post->id.size, post->id.data);
    char line[80];
    snprintf(line, sizeof line, "Idempotency-Key: %s", post->key);
    curl_slist_free_all(post->headers);
    post->headers = curl_slist_append(curl_slist_append(NULL, "Content-Type: application/json"), line);
    post->headers = curl_slist_append(post->headers, "Expect:");
    post->answer.size = 0;
    curl_easy_setopt(post->easy, CURLOPT_HTTPHEADER, post->headers);
    curl_easy_setopt(post->easy, CURLOPT_POSTFIELDS, post->body.data);
    curl_easy_setopt(post->easy, CURLOPT_POSTFIELDSIZE, (long)post->body.size);
    curl_multi_add_handle(multi, post->easy);
}

static void record(struct post *post) {
    long status = 0;
    curl_easy_getinfo(post->easy, CURLINFO_RESPONSE_CODE, &status);
    span number = json_inside(json_get((span){post->answer.data, post->answer.size}, "number"));
    must(status == 200 && number.size, "a voucher was not taken");
    sqlite3_bind_text(insert, 1, post->id.data, (int)post->id.size, SQLITE_STATIC);
    sqlite3_bind_text(insert, 2, post->key, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 3, number.data, (int)number.size, SQLITE_STATIC);
    must(sqlite3_step(insert) == SQLITE_DONE, "insert");
    sqlite3_reset(insert);
}

int main(int argc, char **argv) {
    must(argc == 5, "usage: limit URL CONCURRENCY FILE rows|page");
    base = argv[1];
    int places = atoi(argv[2]), rows = !strcmp(argv[4], "rows");
    must(places > 0 && places <= MANY, "concurrency");
    open_store(argv[3]);
    curl_global_init(CURL_GLOBAL_ALL);
    CURLM *multi = curl_multi_init();
    CURL *reader = curl_easy_init();
    text page = {0}, scratch = {0}, cursor = {0};
    struct post posts[MANY] = {0};
    char url[512];
    snprintf(url, sizeof url, "%svouchers", base);
    for (int i = 0; i < places; i++) {
        posts[i].easy = curl_easy_init();
        curl_easy_setopt(posts[i].easy, CURLOPT_URL, url);
        curl_easy_setopt(posts[i].easy, CURLOPT_WRITEFUNCTION, keep);
        curl_easy_setopt(posts[i].easy, CURLOPT_WRITEDATA, &posts[i].answer);
        curl_easy_setopt(posts[i].easy, CURLOPT_PRIVATE, &posts[i]);
    }
    curl_easy_setopt(reader, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(reader, CURLOPT_WRITEDATA, &page);
    text_literal(&cursor, "0");
    for (int more = 1; more;) {
        snprintf(url, sizeof url, "%sapprovals?cursor=%.*s", base, (int)cursor.size, cursor.data);
        curl_easy_setopt(reader, CURLOPT_URL, url);
        page.size = 0;
        must(curl_easy_perform(reader) == CURLE_OK, "page");
        span whole = {page.data, page.size}, list = json_get(whole, "list"), document;
        span next = json_inside(json_get(whole, "next"));
        more = span_is(json_get(whole, "has_more"), "true");
        const char *at = NULL;
        int running = 0, left = 1;
        for (int i = 0; i < places && left; i++) {
            left = json_element(list, &at, &document);
            if (left) {
                start(&posts[i], multi, document, &scratch);
                running++;
            }
        }
        while (running > 0) {
            int active = 0, waiting = 0, done = 0;
            struct post *answered[MANY];
            curl_multi_perform(multi, &active);
            CURLMsg *message;
            while ((message = curl_multi_info_read(multi, &waiting))) {
                struct post *post = NULL;
                must(message->msg == CURLMSG_DONE && message->data.result == CURLE_OK, "post");
                curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&post);
                curl_multi_remove_handle(multi, post->easy);
                answered[done++] = post;
                running--;
            }
            if (done && rows) {
                sql("BEGIN IMMEDIATE");
                for (int i = 0; i < done; i++) record(answered[i]);
            }
            for (int i = 0; i < done && left; i++) {
                left = json_element(list, &at, &document);
                if (left) {
                    start(answered[i], multi, document, &scratch);
                    running++;
                }
            }
            /* What was started above is on its way while the disk works. */
            if (done && rows) {
                curl_multi_perform(multi, &active);
                sql("COMMIT");
            }
            /* Fewer active than running: some ended meanwhile and are to be collected at once. */
            if (running && active == running) curl_multi_poll(multi, NULL, 0, 1000, NULL);
        }
        cursor_store(next);
        cursor.size = 0;
        text_span(&cursor, next);
    }
    sqlite3_close(store);
    return 0;
}
