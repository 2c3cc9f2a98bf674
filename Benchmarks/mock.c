/* Both vendors of the benchmark in one thread: a source that gives pages of approvals and a target that takes vouchers.
 *
 *   mock PORT [--documents N] [--delay MS]     PORT 0 takes a free one; the first line on stdout says which
 *
 *   GET  /approvals?cursor=N   a page of 100 from document N on: {"list":[...],"has_more":true,"next":"N+100"}
 *   GET  /approval?id=pi-N     one document
 *   POST /vouchers             with Idempotency-Key; the same key again is told the same number
 *   GET  /voucher?key=K        what was stored under a key
 *   GET  /stats                what arrived, and whether it is complete and right
 *   POST /reset                forgets what arrived
 *
 * It checks completeness itself: every document must come once, and each voucher's debits and credits must both be
 * the sum of its document's rows.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "json.h"

#define PAGE 100u
#define CONNECTIONS 4096

static size_t documents = 20000;
static int64_t delay_ns;
static text *bodies;      /* one document each */
static text *pages;       /* whole answers */
static int64_t *amounts;  /* hundredths, what each voucher must come to */
static uint8_t *arrived;  /* vouchers per document */

/* ---- the documents -------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static const char *kinds[] = {"差旅费", "业务招待费", "办公费", "市内交通费", "通讯费"};
static const char *names[] = {"张三", "李四", "王五", "赵敏", "钱进", "孙立", "周洁", "吴刚"};
static const char *units[] = {"销售一部", "生产部", "采购部", "财务部"};
static const char *places[] = {"北京", "上海", "广州", "深圳", "成都", "武汉", "西安", "沈阳"};

__attribute__((format(printf, 2, 3))) static void print(text *t, const char *format, ...) {
    va_list list;
    va_start(list, format);
    va_list again;
    va_copy(again, list);
    int size = vsnprintf(NULL, 0, format, list);
    va_end(list);
    text_room(t, (size_t)size + 1);
    vsnprintf(t->data + t->size, (size_t)size + 1, format, again);
    va_end(again);
    t->size += (size_t)size;
}

static void escaped(text *into, const text *plain) {
    for (size_t i = 0; i < plain->size; i++) {
        if (plain->data[i] == '"' || plain->data[i] == '\\') text_literal(into, "\\");
        text_add(into, plain->data + i, 1);
    }
}

static void make_document(size_t index) {
    uint64_t random = mix(index);
    text table = {0};
    int64_t total = 0;
    unsigned rows = 3 + (unsigned)(random % 3); /* and one line for the credit: 4 to 6 */
    const char *place = places[(random >> 8) % 8];
    text_literal(&table, "[");
    for (unsigned row = 0; row < rows; row++) {
        uint64_t more = mix(index * 16 + row + 1000003);
        int64_t amount = 100 + (int64_t)(more % 499900);
        total += amount;
        print(&table,
              "%s{\"rowValue\":["
              "{\"label\":\"费用类型\",\"value\":\"%s\",\"key\":\"DDSelectField-R1\"},"
              "{\"label\":\"金额\",\"value\":\"%lld.%02lld\",\"key\":\"MoneyField-R2\"},"
              "{\"label\":\"摘要\",\"value\":\"%s往返第%u段\",\"key\":\"TextField-R3\"}]}",
              row ? "," : "", kinds[(more >> 20) % 5], (long long)(amount / 100), (long long)(amount % 100), place,
              row + 1);
    }
    text_literal(&table, "]");
    amounts[index] = total;
    unsigned day = 1 + (unsigned)(random >> 16) % 28, hour = 8 + (unsigned)(random >> 24) % 10;
    text *body = &bodies[index];
    print(body,
          "{\"instanceId\":\"pi-%06zu\",\"businessId\":\"202606%02u%02u34%09zu\",\"processCode\":\"PROC-BENCH\","
          "\"title\":\"%s提交的差旅报销\",\"status\":\"COMPLETED\",\"result\":\"agree\",\"bizAction\":\"NONE\","
          "\"originatorUserId\":\"user%03u\",\"originatorName\":\"%s\",\"jobNumber\":\"E%03u\","
          "\"originatorDeptId\":\"%u\",\"originatorDeptName\":\"%s\","
          "\"createTime\":\"2026-06-%02uT%02u:34:00+08:00\",\"finishTime\":\"2026-06-%02uT%02u:52:00+08:00\","
          "\"formComponentValues\":["
          "{\"id\":\"TextField-K2A\",\"name\":\"报销事由\",\"componentType\":\"TextField\",\"value\":\"%s客户拜访\"},"
          "{\"id\":\"MoneyField-K2B\",\"name\":\"总金额\",\"componentType\":\"MoneyField\",\"value\":\"%lld.%02lld\"},"
          "{\"id\":\"TableField-K2E\",\"name\":\"费用明细\",\"componentType\":\"TableField\",\"value\":\"",
          index, day, hour, index, names[(random >> 32) % 8], (unsigned)(random >> 32) % 8, names[(random >> 32) % 8],
          (unsigned)(random >> 32) % 8, 1001 + (unsigned)(random >> 40) % 4, units[(random >> 40) % 4], day, hour, day,
          hour, place, (long long)(total / 100), (long long)(total % 100));
    escaped(body, &table);
    print(body, "\"}],\"attachments\":[{\"fileId\":\"6430%05zu\",\"fileName\":\"invoice.pdf\",\"fileSize\":33300}]}",
          index);
    free(table.data);
}

static void make_pages(void) {
    size_t count = (documents + PAGE - 1) / PAGE;
    pages = calloc(count + 1, sizeof *pages);
    size_t total = 0;
    for (size_t page = 0; page <= count; page++) {
        text list = {0};
        size_t from = page * PAGE, to = from + PAGE < documents ? from + PAGE : documents;
        text_literal(&list, "{\"list\":[");
        for (size_t i = from; i < to; i++) {
            if (i > from) text_literal(&list, ",");
            text_add(&list, bodies[i].data, bodies[i].size);
            total += bodies[i].size;
        }
        print(&list, "],\"has_more\":%s,\"next\":\"%zu\"}", to < documents ? "true" : "false",
              to < documents ? to : documents);
        print(&pages[page], "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
              list.size);
        text_add(&pages[page], list.data, list.size);
        free(list.data);
    }
    fprintf(stderr, "mock: %zu documents of %zu bytes\n", documents, documents ? total / documents : 0);
}

/* ---- what arrived ---------------------------------------------------------------------------------- */

static struct {
    int64_t first_request, first_post, last_post;
    size_t posts, distinct, repeated, doubled, wrong, unknown, pages, finds, most_at_once;
    int64_t debit;
} seen;

struct entry {
    char key[64];
    size_t document;
};
static struct entry *table;
static size_t table_size;

static struct entry *look(span key) {
    uint64_t hash = 1469598103934665603u;
    for (size_t i = 0; i < key.size; i++) hash = (hash ^ (uint8_t)key.data[i]) * 1099511628211u;
    size_t at = (size_t)mix(hash) & (table_size - 1);
    while (table[at].key[0] && !(strlen(table[at].key) == key.size && !memcmp(table[at].key, key.data, key.size)))
        at = (at + 1) & (table_size - 1);
    return &table[at];
}

static void forget(void) {
    memset(&seen, 0, sizeof seen);
    memset(arrived, 0, documents);
    memset(table, 0, table_size * sizeof *table);
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Decimal text in hundredths; -1 when it is none. */
static int64_t hundredths(span s) {
    int64_t value = 0;
    int after = -1;
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] == '.' && after < 0) {
            after = 0;
        } else if (s.data[i] >= '0' && s.data[i] <= '9') {
            if (after == 2) return s.data[i] == '0' ? value : -1;
            value = value * 10 + (s.data[i] - '0');
            if (after >= 0) after++;
        } else {
            return -1;
        }
    }
    for (int i = after < 0 ? 0 : after; i < 2; i++) value *= 10;
    return value;
}

static void answer_json(text *out, const text *body, const char *status) {
    print(out, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", status, body->size);
    text_add(out, body->data, body->size);
}

static void take_voucher(span key, span body, text *out) {
    static text answer;
    answer.size = 0;
    int64_t now = now_ns();
    if (!seen.first_post) seen.first_post = now;
    seen.last_post = now;
    seen.posts++;
    span id = json_inside(json_get(json_get(body, "source"), "id"));
    size_t document = documents;
    if (id.size == 9 && !memcmp(id.data, "pi-", 3)) document = strtoul(id.data + 3, NULL, 10);
    if (key.size == 0 || key.size >= sizeof table[0].key || document >= documents || seen.distinct * 2 > table_size) {
        seen.unknown++;
        text_literal(&answer, "{\"error\":\"bad voucher\"}");
        answer_json(out, &answer, "400 Bad Request");
        return;
    }
    struct entry *entry = look(key);
    if (entry->key[0]) {
        seen.repeated++;
    } else {
        int64_t debit = 0, credit = 0;
        const char *at = NULL;
        span line;
        span lines = json_get(body, "lines");
        while (lines.size && json_element(lines, &at, &line)) {
            debit += hundredths(json_inside(json_get(line, "debit")));
            credit += hundredths(json_inside(json_get(line, "credit")));
        }
        if (debit != amounts[document] || credit != debit) seen.wrong++;
        if (arrived[document]++) seen.doubled++;
        memcpy(entry->key, key.data, key.size);
        entry->document = document;
        seen.distinct++;
        seen.debit += debit;
    }
    print(&answer, "{\"ok\":true,\"number\":\"记-%06zu\",\"id\":\"%zu\",\"messages\":[]}", entry->document,
          700000 + entry->document);
    answer_json(out, &answer, "200 OK");
}

static void stats(text *out) {
    static text answer;
    answer.size = 0;
    size_t complete = 0;
    int64_t expected = 0;
    for (size_t i = 0; i < documents; i++) {
        complete += arrived[i] > 0;
        expected += amounts[i];
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    print(&answer,
          "{\"documents\":%zu,\"arrived\":%zu,\"posts\":%zu,\"distinct_keys\":%zu,\"repeated\":%zu,\"doubled\":%zu,"
          "\"wrong_amount\":%zu,\"refused\":%zu,\"amount\":%lld,\"expected_amount\":%lld,\"pages\":%zu,\"finds\":%zu,"
          "\"most_at_once\":%zu,\"first_request_ns\":%lld,\"first_post_ns\":%lld,\"last_post_ns\":%lld,"
          "\"cpu_s\":%.3f}",
          documents, complete, seen.posts, seen.distinct, seen.repeated, seen.doubled, seen.wrong, seen.unknown,
          (long long)seen.debit, (long long)expected, seen.pages, seen.finds, seen.most_at_once,
          (long long)seen.first_request, (long long)seen.first_post, (long long)seen.last_post,
          (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
              (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    answer_json(out, &answer, "200 OK");
}

/* ---- the server -------------------------------------------------------------------------------------- */

struct connection {
    int fd;
    uint32_t generation;
    bool open, delayed, wants_write;
    text in, out;
    size_t sent;
};
static struct connection connections[CONNECTIONS];
static int poller;

struct late {
    int64_t due;
    int fd;
    uint32_t generation;
    text out;
};
static struct late *late_ring;
static size_t late_first, late_count;

static void hang_up(struct connection *c) {
    close(c->fd);
    c->open = false;
    c->generation++;
}

static void flush(struct connection *c) {
    while (c->sent < c->out.size) {
        ssize_t n = send(c->fd, c->out.data + c->sent, c->out.size - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) {
            if (!c->wants_write) {
                c->wants_write = true;
                epoll_ctl(poller, EPOLL_CTL_MOD, c->fd,
                          &(struct epoll_event){.events = EPOLLIN | EPOLLOUT, .data.fd = c->fd});
            }
            return;
        }
        if (n <= 0) return hang_up(c);
        c->sent += (size_t)n;
    }
    c->sent = c->out.size = 0;
    if (c->wants_write) {
        c->wants_write = false;
        epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &(struct epoll_event){.events = EPOLLIN, .data.fd = c->fd});
    }
}

static void route(struct connection *c, span method, span path, span key, span body) {
    static text answer;
    text *out = &c->out;
    bool control = !strncmp(path.data, "/stats ", 7) || !strncmp(path.data, "/reset ", 7);
    if (!control && !seen.first_request) seen.first_request = now_ns();
    if (span_is(method, "GET") && !strncmp(path.data, "/approvals?cursor=", 18)) {
        size_t page = strtoul(path.data + 18, NULL, 10) / PAGE, last = (documents + PAGE - 1) / PAGE;
        seen.pages++;
        text *whole = &pages[page < last ? page : last];
        text_add(out, whole->data, whole->size);
    } else if (span_is(method, "GET") && !strncmp(path.data, "/approval?id=pi-", 16)) {
        size_t index = strtoul(path.data + 16, NULL, 10);
        if (index < documents) {
            answer_json(out, &bodies[index], "200 OK");
        } else {
            text_literal(out, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        }
    } else if (span_is(method, "POST") && !strncmp(path.data, "/vouchers ", 10)) {
        if (delay_ns) {
            struct late *late = &late_ring[(late_first + late_count++) % CONNECTIONS];
            late->due = now_ns() + delay_ns;
            late->fd = c->fd;
            late->generation = c->generation;
            late->out.size = 0;
            take_voucher(key, body, &late->out);
            c->delayed = true;
            if (late_count > seen.most_at_once) seen.most_at_once = late_count;
        } else {
            take_voucher(key, body, out);
        }
    } else if (span_is(method, "GET") && !strncmp(path.data, "/voucher?key=", 13)) {
        seen.finds++;
        span wanted = {path.data + 13, path.size - 13};
        struct entry *entry = look(wanted);
        answer.size = 0;
        if (entry->key[0]) {
            print(&answer, "{\"found\":true,\"number\":\"记-%06zu\",\"id\":\"%zu\"}", entry->document,
                  700000 + entry->document);
        } else {
            text_literal(&answer, "{\"found\":false}");
        }
        answer_json(out, &answer, "200 OK");
    } else if (!strncmp(path.data, "/stats ", 7)) {
        stats(out);
    } else if (!strncmp(path.data, "/reset ", 7)) {
        forget();
        text_literal(out, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    } else {
        text_literal(out, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    }
}

/* Every whole request in the buffer. */
static void serve(struct connection *c) {
    size_t done = 0;
    while (!c->delayed && c->open) {
        char *from = c->in.data + done;
        size_t left = c->in.size - done;
        char *end = left ? memmem(from, left, "\r\n\r\n", 4) : NULL;
        if (!end) break;
        size_t head = (size_t)(end - from) + 4, length = 0;
        span key = {NULL, 0};
        char *line = memchr(from, '\n', head);
        while (line && line + 1 < end) {
            line++;
            if (!strncasecmp(line, "content-length:", 15)) length = strtoul(line + 15, NULL, 10);
            if (!strncasecmp(line, "idempotency-key:", 16)) {
                const char *value = line + 16;
                while (*value == ' ') value++;
                key = (span){value, (size_t)((char *)memchr(value, '\r', head) - value)};
            }
            line = memchr(line, '\n', (size_t)(end - line));
        }
        if (left < head + length) break;
        char *space = memchr(from, ' ', head);
        char *after = space ? memchr(space + 1, ' ', head - (size_t)(space + 1 - from)) : NULL;
        if (!after) return hang_up(c);
        route(c, (span){from, (size_t)(space - from)}, (span){space + 1, (size_t)(after - space) - 1}, key,
              (span){from + head, length});
        done += head + length;
    }
    if (!c->open) return;
    memmove(c->in.data, c->in.data + done, c->in.size - done);
    c->in.size -= done;
    flush(c);
}

static void hear(struct connection *c) {
    for (;;) {
        text_room(&c->in, 65536);
        ssize_t n = recv(c->fd, c->in.data + c->in.size, 65536, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) break;
        if (n <= 0) return hang_up(c);
        c->in.size += (size_t)n;
        if (n < 65536) break;
    }
    serve(c);
}

static void answer_late(void) {
    int64_t now = now_ns();
    while (late_count && late_ring[late_first].due <= now) {
        struct late *late = &late_ring[late_first];
        struct connection *c = &connections[late->fd];
        if (c->open && c->generation == late->generation) {
            c->delayed = false;
            text_add(&c->out, late->out.data, late->out.size);
            serve(c);
        }
        late_first = (late_first + 1) % CONNECTIONS;
        late_count--;
    }
}

int main(int argc, char **argv) {
    int port = argc > 1 ? atoi(argv[1]) : 0;
    for (int i = 2; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--documents")) documents = strtoul(argv[i + 1], NULL, 10);
        if (!strcmp(argv[i], "--delay")) delay_ns = (int64_t)(atof(argv[i + 1]) * 1e6);
    }
    signal(SIGPIPE, SIG_IGN);
    bodies = calloc(documents + 1, sizeof *bodies);
    amounts = calloc(documents + 1, sizeof *amounts);
    arrived = calloc(documents + 1, 1);
    late_ring = calloc(CONNECTIONS, sizeof *late_ring);
    for (table_size = 1024; table_size < documents * 4; table_size *= 2) {}
    table = calloc(table_size, sizeof *table);
    if (!bodies || !amounts || !arrived || !late_ring || !table) return 1;
    for (size_t i = 0; i < documents; i++) make_document(i);
    make_pages();

    int server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(server, (struct sockaddr *)&address, size) || listen(server, 256) ||
        getsockname(server, (struct sockaddr *)&address, &size)) {
        perror("mock");
        return 1;
    }
    poller = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(poller, EPOLL_CTL_ADD, server, &(struct epoll_event){.events = EPOLLIN, .data.fd = server});
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);

    for (;;) {
        struct epoll_event events[256];
        int wait = -1;
        if (late_count) {
            int64_t left = late_ring[late_first].due - now_ns();
            wait = left > 0 ? (int)((left + 999999) / 1000000) : 0;
        }
        int count = epoll_wait(poller, events, 256, wait);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == server) {
                int new = accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (new < 0) continue;
                if (new >= CONNECTIONS) {
                    close(new);
                    continue;
                }
                setsockopt(new, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                struct connection *c = &connections[new];
                c->fd = new;
                c->open = true;
                c->delayed = c->wants_write = false;
                c->in.size = c->out.size = c->sent = 0;
                epoll_ctl(poller, EPOLL_CTL_ADD, new, &(struct epoll_event){.events = EPOLLIN, .data.fd = new});
                continue;
            }
            struct connection *c = &connections[fd];
            if (c->open && (events[i].events & EPOLLOUT)) flush(c);
            if (c->open && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) hear(c);
        }
        answer_late();
    }
}
