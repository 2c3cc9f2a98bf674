/*
 * datong_plugin.h - the contract between the datong host and a connector plugin.
 *
 * A plugin is one shared library with exactly one exported symbol, the constant
 * `datong_plugin_v0`. The host never runs it in its own address space outside tests: it starts a
 * worker process, the worker loads the library, and the calls below cross a socket. The plugin sees
 * none of that. For a plugin every function here is a plain blocking C function.
 *
 * THE RULES, ONCE
 *
 *  Bytes      `datong_bytes` is always BORROWED. What the plugin passes to the host is read before
 *             the host function returns. What the host passes to the plugin stays valid until the
 *             plugin function that received it returns; a service reply may be given back earlier
 *             with its release function. No side ever frees the other side's memory.
 *  Text       UTF-8, no terminating NUL counted. Data is JSON text. Money and quantities are decimal
 *             STRINGS inside that JSON, never binary floating point. Instants carry an offset
 *             ("2026-01-05T18:34:00+08:00"); business dates are "2026-01-05" and never shift.
 *  Numbers    fixed width, little endian (x86-64 and arm64 only). No bool, enum, long or bit-field.
 *  Growth     every struct begins with `size`, the bytes its writer knew. A struct is only ever
 *             appended to. A reader takes min(size, own size) bytes and treats the rest as zero.
 *             An array of such structs is laid out by the host in the size its element had in the
 *             agreed minor, so plain indexing is safe. Structs without a size never change.
 *             A reply struct is given with its `size` set; the host zeroes it, fills in what it knows
 *             and sets `size` to that.
 *             Reserved fields must be zero. An unknown flag in the low half (0x0000ffff) is
 *             ignored, in the high half (0xffff0000) it refuses the struct. An unknown error class
 *             is treated as DATONG_BUG. An unknown JSON member is kept and passed through.
 *  Failure    a plugin function returns DATONG_OK, or DATONG_FAILED after exactly one call of
 *             `call->host->fail`. A service returns DATONG_OK or a DATONG_* error class; the text of
 *             the last refusal is `call->host->explain(call)`. Nothing may unwind across the border:
 *             no C++ exception, no longjmp. A crash costs the worker and is reported as DATONG_BUG.
 *  Manners    a plugin opens no socket and no file, starts no thread or process, never sleeps,
 *             never retries, installs no signal handler, and changes neither locale, environment
 *             nor working directory. It asks the services. It may log in again once, and repeat one
 *             call once, when the vendor says the session is gone; every other retry is the host's.
 *  Threads    each function carries a tag:
 *               [once]      at most once at a time in the process, before and after everything else
 *               [any]       on any worker thread, several at once up to the concurrency that
 *                           `describe` declares for the ability; the plugin locks its own data
 *               [in-call]   a host function: only on the thread, and only during the call, that
 *                           received the `datong_call`
 *  State      a worker may be killed at any moment and started again. What must survive goes
 *             through the services `session`, `state` and `checkpoint`.
 *
 * Version 0 may still change between releases of the host. It is frozen as version 1 later.
 */
#ifndef DATONG_PLUGIN_H
#define DATONG_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- negotiation --------------------------------------------------------------------------- */

/* "DTPL", little endian: the first field a host reads after the size. */
#define DATONG_MAGIC 0x4c505444u
/* The epoch is also in the symbol's name, so a host of another epoch finds no symbol at all. */
#define DATONG_EPOCH 0u
/* The newest minor this header describes. A host offers [min..max]; a plugin states the oldest it
 * needs and the one it was built with. Agreed minor = min(host max, plugin built). Outside the range
 * the plugin is refused with all four numbers and the side to upgrade. */
#define DATONG_MINOR 1u

/* ---- error classes --------------------------------------------------------------------------
 * What went wrong decides what the host does, so the class matters more than the text. */
#define DATONG_OK 0
#define DATONG_FAILED 1            /* plugin functions only: `fail` has been called            */
#define DATONG_TRANSIENT 10        /* may work later; the vendor certainly did not apply it    */
#define DATONG_THROTTLED 11        /* a rate limit; set retry_after_ms if the vendor says when */
#define DATONG_QUOTA_SPENT 12      /* a daily or monthly allowance; retry_after_ms = its reset */
#define DATONG_AUTH_EXPIRED 13     /* session gone and one new log-in did not help             */
#define DATONG_AUTH_DENIED 14      /* wrong secret, locked or missing permission: never hammer */
#define DATONG_UNREACHABLE 15      /* no connection: nothing was sent                          */
#define DATONG_UNKNOWN_OUTCOME 16  /* a write may have been applied: look before sending again */
#define DATONG_CONFLICT 17         /* it exists already, or changed meanwhile; set `existing`  */
#define DATONG_INVALID_RECORD 18   /* this document can never pass as it is; set `field`       */
#define DATONG_SCHEMA_DRIFT 19     /* the vendor's answer or form is not what was built for    */
#define DATONG_UNSUPPORTED 20      /* the product line or edition cannot do this               */
#define DATONG_BUG 21              /* the plugin broke this contract                           */
#define DATONG_CANCELLED 22        /* the host asked to stop, or the deadline passed           */
#define DATONG_DENIED 23           /* a service refused: not declared, not approved, too large */

/* ---- borrowed bytes and lists --------------------------------------------------------------- */

/* Borrowed bytes. data may be NULL only when size is 0. Sizes above 2^31 are refused. */
typedef struct datong_bytes {
    const uint8_t *data;
    uint64_t size;
} datong_bytes;

/* One human-readable message. `language` is "zh", "en" or empty for the vendor's own words.
 * Never put a secret, a token or a whole request into `text`: it is shown to people. */
typedef struct datong_message {
    datong_bytes text;
    datong_bytes language;
    /* The vendor's code of this message, or empty. Also one of the host's own, under which a person is then told of
     * the failure: E-NET-NNN as `explain` gave it, E-ANSWER-001 a web page in place of data, 002 an answer that
     * cannot be read (cut, or no JSON), 003 an empty one. */
    datong_bytes vendor_code;
} datong_message;

/* Why something failed. Passed by the plugin to `fail` or inside a record's result. */
typedef struct datong_failure {
    uint32_t size;
    uint32_t flags;               /* none defined */
    uint32_t error_class;         /* DATONG_TRANSIENT ... DATONG_CANCELLED */
    uint32_t message_count;       /* at least 1 */
    const datong_message *messages; /* THE CAUSE FIRST, whatever order the vendor used */
    datong_bytes vendor_code;     /* as the vendor wrote it: text, number or empty */
    datong_bytes field;           /* JSON pointer into the record, e.g. "/lines/0/account" */
    datong_bytes existing;        /* the vendor's number of the document already there */
    int64_t retry_after_ms;       /* from now; -1 when the vendor did not say */
} datong_failure;

typedef struct datong_host datong_host;

/* The context of one call. Valid until the plugin function returns; do not keep it. */
typedef struct datong_call {
    uint32_t size;
    uint32_t flags;               /* DATONG_CALL_* */
    const datong_host *host;
    uint64_t call_id;             /* unique in this worker */
    int64_t deadline_ms;          /* host clock, ms since 1970: return before it */
    uint64_t fence_epoch;         /* the writer generation; the host drops calls of an older one */
    uint32_t attempt;             /* 1 for the first delivery of a document */
    uint32_t reserved;
    datong_bytes trace_id;        /* goes into every log line about this work */
} datong_call;

#define DATONG_CALL_PROBE 0x1u     /* use a fresh session scope: prove the credentials anew */
#define DATONG_CALL_PRACTICE 0x2u  /* the workspace is marked `practice` */

/* ---- the host ------------------------------------------------------------------------------- */

struct datong_host {
    uint32_t size;
    uint32_t flags;
    uint32_t minor_min;           /* the range the host offers */
    uint32_t minor_max;
    const char *version;          /* the host's version, for logs */
    /* A service by id and revision, e.g. "datong.http/1". NULL: this host does not offer it, or the
     * operator did not approve it for this plugin. [any], also outside a call. The table lives as
     * long as the process. */
    const void *(*get_service)(const char *id);
    /* Record why the current call fails, then return DATONG_FAILED. [in-call] A second call in the
     * same call is ignored and logged. */
    void (*fail)(const datong_call *call, const datong_failure *failure);
    /* Text of the last service refusal in this call, empty if none. [in-call] What the network did begins with its
     * code and a space: "E-NET-032 the reply ...". */
    datong_bytes (*explain)(const datong_call *call);
    /* 1 once the host wants this call to end early; poll it in long loops. [in-call] */
    int32_t (*is_cancelled)(const datong_call *call);
};

/* ---- service datong.http/1 ------------------------------------------------------------------
 * The one way out. The host enforces the allow-list, TLS, proxy, limits and size, records the call
 * when asked (secrets masked), fills in secrets, and keeps the cookie jar. One attempt, never a
 * redirect. */

#define DATONG_EFFECT_READ 1u  /* repeating it changes nothing */
#define DATONG_EFFECT_WRITE 2u /* may create or change a business document: after the first byte only a
                                * clear answer ends the attempt; anything else is an unknown outcome */
#define DATONG_EFFECT_AUTH 3u  /* log-in, token: changes nothing in the books */

#define DATONG_PART_URL 1u
#define DATONG_PART_HEADER 2u /* `index` names the header */
#define DATONG_PART_BODY 3u

/* Insert a secret at a byte offset. By position and not by a marker in the text, because the text
 * carries what people typed, and a marker typed by a person must never become a secret. Insertions of
 * one part come in ascending offset; offsets count the bytes as passed, before any insertion. */
typedef struct datong_insertion {
    uint32_t part;        /* DATONG_PART_* */
    uint32_t index;       /* header index, else 0 */
    uint64_t offset;
    datong_bytes secret;  /* secret expression, see datong_segment */
} datong_insertion;

typedef struct datong_header {
    datong_bytes name;
    datong_bytes value;
} datong_header;

typedef struct datong_http_request {
    uint32_t size;
    uint32_t flags;               /* DATONG_HTTP_* */
    uint32_t effect;              /* DATONG_EFFECT_*: mandatory */
    uint32_t timeout_ms;          /* 0: what the call's deadline leaves */
    datong_bytes method;          /* "GET", "POST" ... */
    datong_bytes url;             /* absolute; its origin must be on the connection's allow-list */
    const datong_header *headers;
    uint64_t header_count;
    datong_bytes body;            /* sent exactly as given, after insertions */
    const datong_insertion *insertions;
    uint64_t insertion_count;
    datong_bytes session;         /* session whose cookie jar is used, or empty: no cookies */
    uint64_t max_reply_bytes;     /* 0: the host's default; above it the reply is refused */
    datong_bytes body_blob;       /* upload this blob instead of `body` */
    datong_bytes meter;           /* which limits of the profile this call spends, "" for all calls */
} datong_http_request;

#define DATONG_HTTP_HTTP11 0x1u        /* the vendor breaks on HTTP/2 */
#define DATONG_HTTP_REPLY_TO_BLOB 0x2u /* keep the body in a blob; `body` then is its handle */

typedef struct datong_http_reply {
    uint32_t size;
    uint32_t flags;
    int32_t status;               /* 0 when there was no answer */
    uint32_t may_have_arrived;    /* 1 once the first byte of the request was handed to the network */
    const datong_header *headers; /* names in lower case; repeated headers stay separate */
    uint64_t header_count;
    datong_bytes body;
    void *host_private;
} datong_http_reply;

typedef struct datong_http_service {
    uint32_t size;
    uint32_t flags;
    /* Send one request and wait. Set reply->size first. DATONG_OK: an HTTP answer of any status
     * arrived whole. Else UNREACHABLE (nothing sent), TRANSIENT (a read or auth failed on the way),
     * UNKNOWN_OUTCOME (a write may have arrived), CANCELLED (deadline, or our own limits leave no call
     * before it; nothing sent), QUOTA_SPENT (our own daily or monthly allowance; nothing sent), DENIED (allow-list, size, malformed). [in-call] */
    int32_t (*send)(const datong_call *call, const datong_http_request *request, datong_http_reply *reply);
    /* Give the reply's memory back before the call ends. Optional. [in-call] */
    void (*release)(const datong_call *call, datong_http_reply *reply);
} datong_http_service;
#define DATONG_SERVICE_HTTP "datong.http/1"

/* ---- service datong.crypto/1 ----------------------------------------------------------------
 * Vendor algorithms over secrets the plugin never sees. */

/* A piece of input: literal bytes, or a secret expression. Concatenated in order.
 *
 * A secret expression is a secret's name as the connection's `secrets:` lists it, then steps:
 *     app_secret
 *     app_id | after:_ | base64-decode | xor-text:0054f3 | base64
 * Steps: after:X before:X (first occurrence of X; the whole, or nothing, where X is missing),
 * upper lower hex base64 base64url base64-decode hex-decode url url-twice xml json (string body, no
 * quotes) utf8 (refuse other bytes) xor-text:T xor-hex:H sha1 sha256 md5 rot13 require-length:N.
 * The host evaluates it; the result is a secret too. */
typedef struct datong_segment {
    datong_bytes literal; /* used when `secret` is empty */
    datong_bytes secret;
} datong_segment;

#define DATONG_CRYPTO_DIGEST 1u       /* algorithm md5 sha1 sha256 sha512 sm3 */
#define DATONG_CRYPTO_HMAC 2u         /* algorithm sha1 sha256 sha512; key */
#define DATONG_CRYPTO_ENCRYPT 3u      /* algorithm aes-128-cbc aes-256-cbc aes-256-ctr aes-256-gcm; key, iv */
#define DATONG_CRYPTO_DECRYPT 4u
#define DATONG_CRYPTO_SIGN 5u         /* algorithm rsa-sha256 rsa-sha1 rsa-pss-sha256 ed25519; key = PEM */
#define DATONG_CRYPTO_VERIFY 6u       /* output empty; DATONG_DENIED when it does not verify */
#define DATONG_CRYPTO_SEAL 7u         /* algorithm rsa-oaep-sha256 rsa-pkcs1; key = public PEM */
#define DATONG_CRYPTO_OPEN 8u

#define DATONG_CRYPTO_SORT_SEGMENTS 0x1u /* order the segments bytewise ascending before joining */
#define DATONG_CRYPTO_NO_PADDING 0x2u    /* CBC: the plugin pads (vendors pad to 32) */

typedef struct datong_crypto_request {
    uint32_t size;
    uint32_t flags;
    uint32_t operation;           /* DATONG_CRYPTO_* */
    uint32_t reserved;
    datong_bytes algorithm;
    datong_segment key;
    datong_bytes iv;
    const datong_segment *input;
    uint64_t input_count;
    datong_bytes signature;       /* VERIFY */
    datong_bytes additional;      /* GCM: authenticated data */
} datong_crypto_request;

typedef struct datong_reply {
    uint32_t size;
    uint32_t flags;
    datong_bytes bytes;
    void *host_private;
} datong_reply;

typedef struct datong_crypto_service {
    uint32_t size;
    uint32_t flags;
    /* [in-call] DATONG_OK; DATONG_DENIED: unknown algorithm, secret or step, or no valid padding. */
    int32_t (*run)(const datong_call *call, const datong_crypto_request *request, datong_reply *reply);
} datong_crypto_service;
#define DATONG_SERVICE_CRYPTO "datong.crypto/1"

/* ---- service datong.secret/1 ----------------------------------------------------------------- */

typedef struct datong_secret_service {
    uint32_t size;
    uint32_t flags;
    /* 1 if the connection names this secret and the vault holds it. [in-call] */
    int32_t (*exists)(const datong_call *call, datong_bytes name);
    /* The bytes themselves. Only with the capability `reveal` in the signed manifest and the
     * operator's approval; every reveal is audited; the reply is wiped when the call ends.
     * DATONG_DENIED otherwise. Prefer insertions and crypto. [in-call] */
    int32_t (*reveal)(const datong_call *call, datong_bytes expression, datong_reply *reply);
    /* Store a new version (a rotating refresh token). Durable before it returns. [in-call] */
    int32_t (*replace)(const datong_call *call, datong_bytes name, datong_bytes value);
} datong_secret_service;
#define DATONG_SERVICE_SECRET "datong.secret/1"

/* ---- service datong.session/1 ----------------------------------------------------------------
 * Access tokens and logged-in sessions live in the host, in memory only, shared by every worker and
 * connection of the same principal. One log-in at a time: the first caller gets a lease, the others
 * wait for its value. Invalidation names the value that failed, so sixteen refusals cost one log-in. */

typedef struct datong_session_request {
    uint32_t size;
    uint32_t flags;
    datong_bytes name;        /* e.g. "token" or "login"; the jar of the same name goes with it */
    datong_bytes principal;   /* who logs in (client id, account set + user); part of the key */
    uint32_t max_in_flight;   /* calls the vendor bears at once in this session; 0 = no bound */
    uint32_t reserved;
} datong_session_request;

typedef struct datong_session_reply {
    uint32_t size;
    uint32_t flags;
    uint32_t must_log_in;     /* 1: you hold the log-in lease; call publish or abandon */
    uint32_t reserved;
    datong_bytes value;       /* what publish stored; empty when must_log_in */
    uint64_t lease;
    void *host_private;
} datong_session_reply;

typedef struct datong_session_service {
    uint32_t size;
    uint32_t flags;
    /* The session's value, or the lease to make one. Waits while another caller logs in, and while
     * max_in_flight callers are inside; the place is given up when the plugin function returns.
     * DATONG_AUTH_DENIED at once while a refused log-in is fresh (no hammering). [in-call] */
    int32_t (*acquire)(const datong_call *call, const datong_session_request *request, datong_session_reply *reply);
    /* Store what the log-in gave. ttl_ms: how long the vendor says it lives; the host renews early. */
    int32_t (*publish)(const datong_call *call, uint64_t lease, datong_bytes value, int64_t ttl_ms);
    /* The log-in failed. error_class AUTH_DENIED makes the host refuse further log-ins for a while. */
    int32_t (*abandon)(const datong_call *call, uint64_t lease, uint32_t error_class);
    /* The vendor refused this value. No effect if the session already has another one. */
    int32_t (*invalidate)(const datong_call *call, const datong_session_request *request, datong_bytes value);
} datong_session_service;
#define DATONG_SERVICE_SESSION "datong.session/1"

/* ---- service datong.state/1, datong.checkpoint/1 ------------------------------------------------ */

typedef struct datong_state_service {
    uint32_t size;
    uint32_t flags;
    /* Connector state of this connection, at most 64 KiB a key. Durable before put returns. An absent
     * key is an empty value with DATONG_OK. [in-call] */
    int32_t (*get)(const datong_call *call, datong_bytes key, datong_reply *reply);
    int32_t (*put)(const datong_call *call, datong_bytes key, datong_bytes value);
} datong_state_service;
#define DATONG_SERVICE_STATE "datong.state/1"

typedef struct datong_checkpoint_service {
    uint32_t size;
    uint32_t flags;
    /* Remember how far record `index` of the current write or poll has come (save done, submit next),
     * at most 4 KiB. Durable before it returns; handed back in the record on the next attempt. [in-call] */
    int32_t (*save)(const datong_call *call, uint64_t index, datong_bytes bytes);
} datong_checkpoint_service;
#define DATONG_SERVICE_CHECKPOINT "datong.checkpoint/1"

/* ---- service datong.blob/1 --------------------------------------------------------------------
 * Invoices and attachments: fetched, bounded and uploaded by reference. */
typedef struct datong_blob_service {
    uint32_t size;
    uint32_t flags;
    int32_t (*length)(const datong_call *call, datong_bytes blob, uint64_t *length);
    int32_t (*read)(const datong_call *call, datong_bytes blob, uint64_t offset, uint64_t size, datong_reply *reply);
    int32_t (*create)(const datong_call *call, datong_bytes bytes, datong_bytes media_type, datong_reply *handle);
} datong_blob_service;
#define DATONG_SERVICE_BLOB "datong.blob/1"

/* ---- service datong.sql/1 ---------------------------------------------------------------------
 * Databases of ERPs without an API. Statements are declared in the connection and named here; values
 * are bound, never spliced. Rows come as one JSON array of objects, numbers as text. */
typedef struct datong_sql_request {
    uint32_t size;
    uint32_t flags;
    uint32_t effect;              /* DATONG_EFFECT_* */
    uint32_t timeout_ms;
    datong_bytes statement;       /* the declared name */
    datong_bytes parameters;      /* JSON object: name -> string, null or boolean */
    uint64_t max_rows;
    uint64_t max_bytes;
} datong_sql_request;
typedef struct datong_sql_service {
    uint32_t size;
    uint32_t flags;
    /* One statement, or one declared transaction. Same outcome classes as http.send. [in-call] */
    int32_t (*run)(const datong_call *call, const datong_sql_request *request, datong_reply *rows);
} datong_sql_service;
#define DATONG_SERVICE_SQL "datong.sql/1"

/* ---- service datong.clock/1, id/1, log/1, metric/1, progress/1 ----------------------------------- */

typedef struct datong_clock_service {
    uint32_t size;
    uint32_t flags;
    /* Since 1970, UTC; 0 when the host answers this call no more: then fail as DATONG_CANCELLED, since no
     * window up to 1970 holds anything. [in-call] */
    int64_t (*now_ms)(const datong_call *call);
} datong_clock_service;
#define DATONG_SERVICE_CLOCK "datong.clock/1"

typedef struct datong_id_service {
    uint32_t size;
    uint32_t flags;
    /* `count` unpredictable bytes, at most 1024, for nonces and padding. Recorded, so a replay gets
     * the same. [in-call] */
    int32_t (*random)(const datong_call *call, uint64_t count, datong_reply *reply);
} datong_id_service;
#define DATONG_SERVICE_ID "datong.id/1"

#define DATONG_LOG_DEBUG 1u
#define DATONG_LOG_INFO 2u
#define DATONG_LOG_WARNING 3u
#define DATONG_LOG_ERROR 4u
typedef struct datong_log_service {
    uint32_t size;
    uint32_t flags;
    /* One line for the engineer. Known secrets are masked by the host. [in-call] */
    void (*write)(const datong_call *call, uint32_t level, datong_bytes text);
} datong_log_service;
#define DATONG_SERVICE_LOG "datong.log/1"

typedef struct datong_metric_service {
    uint32_t size;
    uint32_t flags;
    void (*count)(const datong_call *call, datong_bytes name, int64_t amount); /* [in-call] */
} datong_metric_service;
#define DATONG_SERVICE_METRIC "datong.metric/1"

typedef struct datong_progress_service {
    uint32_t size;
    uint32_t flags;
    /* How far a long call is, for the engineer's log. total 0: unknown. [in-call] */
    void (*report)(const datong_call *call, uint64_t done, uint64_t total);
} datong_progress_service;
#define DATONG_SERVICE_PROGRESS "datong.progress/1"

/* ---- sinks ------------------------------------------------------------------------------------
 * Results go into a sink the host gives. Every sink function copies what it is given before it
 * returns, may be called only during its call on its thread, and returns 0 to go on or 1 when the
 * host wants no more (a limit was reached, or the call is cancelled): the plugin then returns. What it
 * left out then is not taken for absent: the call counts as cancelled, results of records are kept. */

/* ability datong.describe/1 */
typedef struct datong_text_sink {
    uint32_t size;
    uint32_t flags;
    void *context;
    int32_t (*put)(void *context, datong_bytes json); /* at most once */
} datong_text_sink;

typedef struct datong_describe_ability {
    uint32_t size;
    uint32_t flags;
    /* What this library is and can do, as one JSON document: docs/describe.md gives its shape.
     * Needs no connection, calls no service except log, and always gives the same text. [any] */
    int32_t (*describe)(const datong_call *call, const datong_text_sink *sink);
} datong_describe_ability;
#define DATONG_ABILITY_DESCRIBE "datong.describe/1"

/* ability datong.probe/1 */
typedef struct datong_probe_ability {
    uint32_t size;
    uint32_t flags;
    /* Prove address, credentials and permissions with harmless calls, and fingerprint the vendor's
     * version and the customer's schema: {"vendor":"..","version":"..","fingerprint":"..",
     * "checks":[{"id","ok","zh","en"}]}. [any] */
    int32_t (*probe)(void *connection, const datong_call *call, const datong_text_sink *sink);
} datong_probe_ability;
#define DATONG_ABILITY_PROBE "datong.probe/1"

/* ability datong.read/1 */
typedef struct datong_read_request {
    uint32_t size;
    uint32_t flags;
    datong_bytes document;    /* document type, "approval" */
    datong_bytes filter;      /* JSON object: what the stream narrows by, as describe declares it */
    datong_bytes cursor;      /* opaque, empty at the beginning; at most 4096 bytes */
    int64_t since_ms;         /* never go back before this instant; -1: no bound */
    const datong_bytes *ids;  /* not NULL: fetch exactly these documents, no paging */
    uint64_t id_count;
    uint64_t max_records;     /* a page need not be full; never more */
} datong_read_request;

typedef struct datong_record {
    uint32_t size;
    uint32_t flags;           /* DATONG_RECORD_* */
    datong_bytes id;          /* the document's id at the vendor, stable, at most 256 bytes */
    datong_bytes version;     /* the vendor's own version or time of change, or empty */
    datong_bytes json;        /* the document; with HINT what is known of it without fetching it, an
                               * object by the document's own names, or empty; empty with DELETED */
} datong_record;
#define DATONG_RECORD_HINT 0x1u    /* only the id is known: the host fetches it if it is news */
#define DATONG_RECORD_DELETED 0x2u /* the vendor says it is gone */

typedef struct datong_read_sink {
    uint32_t size;
    uint32_t flags;
    void *context;
    int32_t (*record)(void *context, const datong_record *record);
    /* Once, last; for named documents it may be left out. `more` 1: ask again at once with this cursor.
     * `more` 0: all seen; the cursor is where the next sweep begins. */
    int32_t (*page)(void *context, datong_bytes next_cursor, uint32_t more);
} datong_read_sink;

typedef struct datong_read_ability {
    uint32_t size;
    uint32_t flags;
    /* One page, or the named documents. A named document that does not exist is left out. [any] */
    int32_t (*read)(void *connection, const datong_call *call, const datong_read_request *request,
                    const datong_read_sink *sink);
} datong_read_ability;
#define DATONG_ABILITY_READ "datong.read/1"

/* abilities datong.write/1, datong.poll/1, datong.void/1 */
typedef struct datong_write_record {
    uint32_t size;
    uint32_t flags;
    datong_bytes key;         /* idempotency key, within the length and alphabet describe declares */
    datong_bytes json;        /* the document */
    datong_bytes checkpoint;  /* what an earlier attempt saved, or empty */
    datong_bytes token;       /* poll: what `accepted` or `waiting` gave; void: the target's number */
    datong_bytes expected;    /* the version the target must still have, or empty */
} datong_write_record;

typedef struct datong_write_request {
    uint32_t size;
    uint32_t flags;
    datong_bytes document;
    datong_bytes settings;    /* the flow's `to.settings`, JSON object */
    const datong_write_record *records;
    uint64_t record_count;
} datong_write_request;

#define DATONG_APPLIED 1u   /* done: number and read-back are set */
#define DATONG_EXISTED 2u   /* it was there already under our key: number is set */
#define DATONG_ACCEPTED 3u  /* queued at the vendor: token and poll_after_ms are set */
#define DATONG_WAITING 4u   /* stored, but a person at the vendor must act: token, number */
#define DATONG_REFUSED 5u   /* failure is set */

typedef struct datong_write_result {
    uint32_t size;
    uint32_t flags;
    uint64_t index;           /* which record of the request */
    uint32_t outcome;         /* DATONG_APPLIED ... DATONG_REFUSED */
    uint32_t reserved;
    datong_bytes number;      /* what a person finds the document by */
    datong_bytes id;          /* the vendor's internal id */
    datong_bytes read_back;   /* JSON the vendor now holds, for hashes and links; may be empty */
    datong_bytes token;
    int64_t poll_after_ms;
    const datong_failure *failure;
} datong_write_result;

typedef struct datong_write_sink {
    uint32_t size;
    uint32_t flags;
    void *context;
    /* Exactly once for every record. A record without a result is an unknown outcome and a bug. */
    int32_t (*result)(void *context, const datong_write_result *result);
} datong_write_sink;

typedef int32_t datong_write_function(void *connection, const datong_call *call,
                                      const datong_write_request *request, const datong_write_sink *sink);
typedef struct datong_write_ability {
    uint32_t size;
    uint32_t flags;
    /* Bring the documents into effect, resuming from each record's checkpoint. [any] */
    datong_write_function *write;
} datong_write_ability;
#define DATONG_ABILITY_WRITE "datong.write/1"
typedef struct datong_poll_ability {
    uint32_t size;
    uint32_t flags;
    /* Ask what became of accepted or waiting records. ACCEPTED again: still queued. [any] */
    datong_write_function *poll;
} datong_poll_ability;
#define DATONG_ABILITY_POLL "datong.poll/1"
typedef struct datong_void_ability {
    uint32_t size;
    uint32_t flags;
    /* Take back what was written: delete the draft, or post the reversal. APPLIED carries the reversal's
     * number, or the deleted one's. [any] */
    datong_write_function *undo;
} datong_void_ability;
#define DATONG_ABILITY_VOID "datong.void/1"

/* ability datong.find/1 */
typedef struct datong_find_request {
    uint32_t size;
    uint32_t flags;
    datong_bytes document;
    datong_bytes settings;
    datong_bytes key;         /* idempotency key, or */
    datong_bytes business;    /* JSON object of business fields (amount, date, person) */
    datong_bytes json;        /* the document as it was sent, for connectors that compare */
    datong_bytes checkpoint;
} datong_find_request;
typedef struct datong_find_sink {
    uint32_t size;
    uint32_t flags;
    void *context;
    /* Once per match. No call and DATONG_OK: absent now. */
    int32_t (*found)(void *context, datong_bytes number, datong_bytes id, datong_bytes read_back);
} datong_find_sink;
typedef struct datong_find_ability {
    uint32_t size;
    uint32_t flags;
    /* Look for a document without changing anything. [any] */
    int32_t (*find)(void *connection, const datong_call *call, const datong_find_request *request,
                    const datong_find_sink *sink);
} datong_find_ability;
#define DATONG_ABILITY_FIND "datong.find/1"

/* ability datong.query/1: on demand, read-only, answered to a person */
typedef struct datong_query_ability {
    uint32_t size;
    uint32_t flags;
    /* `name` and `parameters` as describe declares them; one JSON document back. [any] */
    int32_t (*query)(void *connection, const datong_call *call, datong_bytes name, datong_bytes parameters,
                     const datong_text_sink *sink);
} datong_query_ability;
#define DATONG_ABILITY_QUERY "datong.query/1"

/* ability datong.rotate/1: change a credential at the vendor */
typedef struct datong_rotate_ability {
    uint32_t size;
    uint32_t flags;
    /* step "apply": make the new secret current at the vendor. step "retire": revoke the old one. The
     * new value is the secret `name` + "@new"; it never crosses this border. [any] */
    int32_t (*rotate)(void *connection, const datong_call *call, datong_bytes name, datong_bytes step,
                      const datong_text_sink *sink);
} datong_rotate_ability;
#define DATONG_ABILITY_ROTATE "datong.rotate/1"

/* ability datong.migrate-state/1 */
typedef struct datong_migrate_state_ability {
    uint32_t size;
    uint32_t flags;
    /* Pure: state of schema `from` in, state of this version's schema out. No service. [any] */
    int32_t (*migrate)(const datong_call *call, uint32_t from, datong_bytes key, datong_bytes value,
                       const datong_text_sink *sink);
} datong_migrate_state_ability;
#define DATONG_ABILITY_MIGRATE_STATE "datong.migrate-state/1"

/* abilities datong.listen/1 and datong.receive/1: events. The host owns the socket. */
typedef struct datong_hint {
    uint32_t size;
    uint32_t flags;
    datong_bytes document;    /* document type */
    datong_bytes id;          /* which document: it is fetched for the truth */
    datong_bytes event_id;    /* the vendor's id of this event, for de-duplication; may be empty */
    datong_bytes kind;        /* the vendor's word for what happened, for logs */
    datong_bytes json;        /* what the event itself says, a JSON object or empty: for an interactive
                               * request the message; else fields by the document's own names
                               * ({"template":"..."}), so that the host need not fetch what no flow wants */
} datong_hint;

typedef struct datong_event_sink {
    uint32_t size;
    uint32_t flags;
    void *context;
    int32_t (*hint)(void *context, const datong_hint *hint);
    /* Send at once (pong, hello). */
    int32_t (*send_now)(void *context, datong_bytes frame);
    /* Send once every hint of this call is durable: the acknowledgement. */
    int32_t (*send_after_durable)(void *context, datong_bytes frame);
    /* The vendor will close this stream: open the next one now and keep reading the old. */
    int32_t (*reconnect)(void *context, datong_bytes reason);
} datong_event_sink;

typedef struct datong_listen_endpoint {
    uint32_t size;
    uint32_t flags;
    datong_bytes url;         /* ws:// or wss://; checked against the allow-list again */
    const datong_header *headers;
    uint64_t header_count;
    uint32_t ping_interval_ms;  /* our own RFC 6455 pings; 0: the host's default */
    uint32_t idle_timeout_ms;   /* nothing heard for so long: the stream is dead */
} datong_listen_endpoint;
typedef struct datong_listen_sink {
    uint32_t size;
    uint32_t flags;
    void *context;
    int32_t (*endpoint)(void *context, const datong_listen_endpoint *endpoint);
} datong_listen_sink;

typedef struct datong_listen_ability {
    uint32_t size;
    uint32_t flags;
    /* Where to connect now. Called before every connection: tickets work once. [any] */
    int32_t (*open)(void *connection, const datong_call *call, const datong_listen_sink *sink);
    /* One text or binary frame from the vendor. [any] */
    int32_t (*frame)(void *connection, const datong_call *call, datong_bytes frame, const datong_event_sink *sink);
} datong_listen_ability;
#define DATONG_ABILITY_LISTEN "datong.listen/1"

typedef struct datong_receive_request {
    uint32_t size;
    uint32_t flags;
    datong_bytes method;
    datong_bytes path;
    datong_bytes query;
    const datong_header *headers;
    uint64_t header_count;
    datong_bytes body;
} datong_receive_request;
typedef struct datong_receive_sink {
    uint32_t size;
    uint32_t flags;
    void *context;
    int32_t (*hint)(void *context, const datong_hint *hint);
    /* The answer, once: `after_durable` 1 waits until every hint of this call is durable. */
    int32_t (*answer)(void *context, uint32_t status, const datong_header *headers, uint64_t header_count,
                      datong_bytes body, uint32_t after_durable);
} datong_receive_sink;
typedef struct datong_receive_ability {
    uint32_t size;
    uint32_t flags;
    /* Verify, decrypt and answer one webhook. [any] */
    int32_t (*receive)(void *connection, const datong_call *call, const datong_receive_request *request,
                       const datong_receive_sink *sink);
} datong_receive_ability;
#define DATONG_ABILITY_RECEIVE "datong.receive/1"

/* ability datong.identify/1: who is this person (roles, departments) at the vendor */
typedef struct datong_identify_ability {
    uint32_t size;
    uint32_t flags;
    int32_t (*identify)(void *connection, const datong_call *call, datong_bytes user, const datong_text_sink *sink);
} datong_identify_ability;
#define DATONG_ABILITY_IDENTIFY "datong.identify/1"

/* ---- the plugin ------------------------------------------------------------------------------- */

typedef struct datong_open_request {
    uint32_t size;
    uint32_t flags;
    datong_bytes connection;  /* the connection's name */
    datong_bytes product;     /* product line, as describe lists it */
    datong_bytes endpoint;    /* base URL as the operator wrote it */
    datong_bytes settings;    /* JSON object, already checked against describe's schema */
    datong_bytes secrets;     /* JSON array: the names this connection has */
    datong_bytes time_zone;   /* the customer's zone, e.g. "Asia/Shanghai" */
} datong_open_request;

typedef struct datong_plugin {
    uint32_t size;
    uint32_t flags;
    uint32_t magic;           /* DATONG_MAGIC */
    uint32_t epoch;           /* DATONG_EPOCH */
    uint32_t minor_needs;
    uint32_t minor_built;
    const char *id;           /* "example-erp": [a-z0-9-]{1,32}, equal to the manifest's */
    const char *version;      /* semantic version */
    const char *build;        /* free text for support, or "" */
    /* Counted and idempotent: may be called again, each init is paired with one shutdown. [once] */
    int32_t (*init)(const datong_host *host);
    void (*shutdown)(void);
    /* An ability by id and revision, NULL when not offered. Constant for the process. [any] */
    const void *(*get_ability)(const char *id);
    /* Make a connection object. Must not talk to the vendor: probe does. [any] */
    int32_t (*open)(const datong_call *call, const datong_open_request *request, void **connection);
    /* After every call on it has returned. [any] */
    void (*close)(void *connection);
} datong_plugin;

/* The only exported symbol of a plugin. */
#define DATONG_PLUGIN_SYMBOL "datong_plugin_v0"
#if defined(__GNUC__)
#define DATONG_EXPORT __attribute__((visibility("default")))
#else
#define DATONG_EXPORT
#endif

/* The whole shim of a plugin written in another language. In C a plugin can use it as well. */
#define DATONG_DEFINE_PLUGIN(plugin_id, plugin_version, plugin_build, init_fn, shutdown_fn, ability_fn, open_fn, \
                             close_fn)                                                                           \
    extern const datong_plugin datong_plugin_v0;                                                                 \
    DATONG_EXPORT const datong_plugin datong_plugin_v0 = {                                                       \
        (uint32_t)sizeof(datong_plugin), 0u, DATONG_MAGIC, DATONG_EPOCH, 1u, DATONG_MINOR,                       \
        plugin_id, plugin_version, plugin_build, init_fn, shutdown_fn, ability_fn, open_fn, close_fn}

#ifdef __cplusplus
}
#endif
#endif
