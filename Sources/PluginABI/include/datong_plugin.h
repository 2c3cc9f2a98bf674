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
 *             Besides what its own comment lists, EVERY service may return: DATONG_BUG, when the plugin
 *             broke this contract (a NULL pointer, a size or flag no version has, bytes longer than
 *             the field may be, another thread, after the call); DATONG_CANCELLED, when the call was
 *             cancelled, its deadline passed or the host is gone: return soon; DATONG_DENIED, when the
 *             request is larger than 64 MiB or this host does not serve it. After anything but
 *             DATONG_OK a reply struct holds zeros, unless its comment says otherwise.
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
 *  Coverage   this release of the host calls describe, probe, read, write, poll, find and listen. It
 *             carries the other abilities to the plugin, but nothing in it asks for them. It serves
 *             http, crypto, secret (but not reveal), session, state, checkpoint, clock, id, log and
 *             progress; it refuses sql and blob with DATONG_DENIED, and drops what metric counts.
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
    uint64_t fence_epoch;         /* the writer generation: for logs, and for a vendor that can fence by it.
                                   * The host takes no outcome of an older one; no service looks at it */
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
    const char *version;          /* the host's version, e.g. "0.1.0", for logs */
    /* A service by id and revision, e.g. "datong.http/1": a pointer to its struct of functions, which lives
     * as long as the process and is never freed. NULL: no service of this id and revision is in the
     * contract this host knows. One that is known and not served (see Coverage) is there, and its
     * functions return DATONG_DENIED. No errors. [any], also outside a call. */
    const void *(*get_service)(const char *id);
    /* Record why the current call fails, then return DATONG_FAILED. `failure` and all it points to is
     * copied before this returns; texts above 8 KiB are cut, of more than 32 messages the first count. A
     * second call in the same call is ignored and logged. No errors. [in-call] */
    void (*fail)(const datong_call *call, const datong_failure *failure);
    /* English text of the last service refusal in this call, empty if none; for `fail` and the log, not for
     * decisions. What the network did begins with its code and a space: "E-NET-032 the reply ...". Borrowed until
     * the next service call or release. No errors. [in-call] */
    datong_bytes (*explain)(const datong_call *call);
    /* 1 once the host wants this call to end early or its deadline has passed, else 0; look in long loops, and
     * fail as DATONG_CANCELLED. Costs no message. No errors: 1 outside of the call. [in-call] */
    int32_t (*is_cancelled)(const datong_call *call);
};

/* ---- service datong.http/1 ------------------------------------------------------------------
 * The one way out. The host enforces the allow-list, TLS, proxy, limits and size, fills in secrets, and
 * keeps the cookie jar. One attempt, never a redirect. */

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
    uint32_t timeout_ms;          /* 0: what the deadline leaves, less a little for the answer; never more */
    datong_bytes method;          /* "GET", "POST" ... */
    datong_bytes url;             /* absolute; its origin must be on the connection's allow-list */
    const datong_header *headers;
    uint64_t header_count;
    datong_bytes body;            /* sent exactly as given, after insertions */
    const datong_insertion *insertions;
    uint64_t insertion_count;
    datong_bytes session;         /* session whose cookie jar is used, or empty: no cookies */
    uint64_t max_reply_bytes;     /* 0: the host's default; above it the reply is refused */
    datong_bytes body_blob;       /* upload this blob instead of `body`; see datong.blob/1 */
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
    /* Send one request and wait. Set reply->size first. The request is copied; the reply and all it points to
     * is borrowed until the plugin function returns, or until `release`. DATONG_OK: an HTTP answer of any
     * status arrived whole. Errors: UNREACHABLE (nothing sent), TRANSIENT (a read or auth failed on the way,
     * or its answer was cut, malformed or too large), UNKNOWN_OUTCOME (the same of a write: it may have
     * arrived), CANCELLED (deadline, or our own limits leave no call before it; nothing sent), QUOTA_SPENT
     * (our own daily or monthly allowance; nothing sent), DENIED (allow-list, a secret or session that is not
     * there, blobs, a malformed request; nothing sent). `may_have_arrived` is set whatever is returned. [in-call] */
    int32_t (*send)(const datong_call *call, const datong_http_request *request, datong_http_reply *reply);
    /* Give the memory of a reply of `send` back before the call ends, for long calls with many large ones.
     * Optional. Clears headers and body; a reply of something else, or one given back, is left alone. No
     * errors. [in-call] */
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
    /* Do one operation on the joined input. Set reply->size first; VERIFY may pass NULL. The request is copied;
     * the result is borrowed until the plugin function returns, then wiped. Errors: DENIED (an algorithm,
     * secret or step that is not known, a key or initial value of the wrong length, no valid padding, a
     * signature that does not verify; `explain` says which). [in-call] */
    int32_t (*run)(const datong_call *call, const datong_crypto_request *request, datong_reply *reply);
} datong_crypto_service;
#define DATONG_SERVICE_CRYPTO "datong.crypto/1"

/* ---- service datong.secret/1 ----------------------------------------------------------------- */

typedef struct datong_secret_service {
    uint32_t size;
    uint32_t flags;
    /* 1 if the connection names this secret and the vault holds it, else 0, also when the host cannot say.
     * `name` is copied. No errors. [in-call] */
    int32_t (*exists)(const datong_call *call, datong_bytes name);
    /* The bytes themselves, for a vendor whose algorithm the host does not have. Needs a capability that the
     * operator grants; this release grants it to nobody, so it returns DENIED. The reply would be
     * borrowed until the plugin function returns, then wiped. Use insertions and crypto. [in-call] */
    int32_t (*reveal)(const datong_call *call, datong_bytes expression, datong_reply *reply);
    /* Store a new version (a rotating refresh token), and forget the old one. Both arguments are copied. Durable
     * before it returns DATONG_OK. Errors: DENIED (the connection names no such secret, or the vault did not
     * take the value: the old one is still there). [in-call] */
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
    /* The session's value, or the lease to make one. Set reply->size first. Waits while another caller logs in,
     * and while max_in_flight callers are inside; the place is given up when the plugin function returns.
     * The request is copied; the value is borrowed until the plugin function returns, then wiped. Errors:
     * AUTH_DENIED at once while a refused log-in is fresh (no hammering), CANCELLED (the call ended while
     * it waited). [in-call] */
    int32_t (*acquire)(const datong_call *call, const datong_session_request *request, datong_session_reply *reply);
    /* Store what the log-in gave, for this caller and those who wait. `value` is copied; it stays in memory and
     * is masked in logs. ttl_ms: how long the vendor says it lives; the host renews a tenth of it, at most
     * ten minutes, early. Ends the lease. Errors: DENIED (no such lease, or another call's). [in-call] */
    int32_t (*publish)(const datong_call *call, uint64_t lease, datong_bytes value, int64_t ttl_ms);
    /* The log-in failed: the next who waits gets a lease. error_class AUTH_DENIED makes `acquire` refuse at once
     * for a minute instead; any other class says nothing about the secret. Ends the lease; one that is
     * neither published nor abandoned ends with its call. Errors: DENIED (no such lease, or another
     * call's). [in-call] */
    int32_t (*abandon)(const datong_call *call, uint64_t lease, uint32_t error_class);
    /* The vendor refused this value: the next `acquire` gives a lease. Both arguments are copied. No effect, and
     * no error, if the session has another value by now. [in-call] */
    int32_t (*invalidate)(const datong_call *call, const datong_session_request *request, datong_bytes value);
} datong_session_service;
#define DATONG_SERVICE_SESSION "datong.session/1"

/* ---- service datong.state/1, datong.checkpoint/1 ------------------------------------------------ */

typedef struct datong_state_service {
    uint32_t size;
    uint32_t flags;
    /* Connector state of this connection: what a plugin must remember beyond its worker (where a list was left),
     * never a secret. Set reply->size first. An absent key is an empty value with DATONG_OK. The value is
     * borrowed until the plugin function returns. Errors: DENIED (the key is not UTF-8), TRANSIENT (the
     * ledger could not be read). [in-call] */
    int32_t (*get)(const datong_call *call, datong_bytes key, datong_reply *reply);
    /* Replace a key's value, at most 64 KiB; an empty one is as if absent. Copied, durable before it returns
     * DATONG_OK. The last of several writers counts. Errors: DENIED (the key is not UTF-8, or the value too
     * long). [in-call] */
    int32_t (*put)(const datong_call *call, datong_bytes key, datong_bytes value);
} datong_state_service;
#define DATONG_SERVICE_STATE "datong.state/1"

typedef struct datong_checkpoint_service {
    uint32_t size;
    uint32_t flags;
    /* Remember how far record `index` of the current write or poll has come (save done, submit next),
     * at most 4 KiB. Copied, durable before it returns DATONG_OK; the last one is handed back in the record
     * on the next attempt and to `find`. Errors: BUG (no such record in the request, or a call that
     * has none), DENIED (too long). [in-call] */
    int32_t (*save)(const datong_call *call, uint64_t index, datong_bytes bytes);
} datong_checkpoint_service;
#define DATONG_SERVICE_CHECKPOINT "datong.checkpoint/1"

/* ---- service datong.blob/1 --------------------------------------------------------------------
 * Invoices and attachments: fetched, bounded and uploaded by reference. This release serves none of it:
 * every function returns DENIED, and so does http.send for `body_blob` and DATONG_HTTP_REPLY_TO_BLOB. */
typedef struct datong_blob_service {
    uint32_t size;
    uint32_t flags;
    /* How many bytes a blob has, into *length; 0 there after an error. `blob` is copied. Errors: DENIED (no such
     * blob of this connection). [in-call] */
    int32_t (*length)(const datong_call *call, datong_bytes blob, uint64_t *length);
    /* At most `size` bytes of a blob from `offset`; fewer at its end. Set reply->size first. The bytes are
     * borrowed until the plugin function returns. Errors: DENIED (no such blob, or an offset beyond its
     * end). [in-call] */
    int32_t (*read)(const datong_call *call, datong_bytes blob, uint64_t offset, uint64_t size, datong_reply *reply);
    /* Keep bytes as a blob, for an upload or for the host; *handle names it. Set handle->size first. The bytes are
     * copied; the handle is borrowed until the plugin function returns, the blob lives until its document is
     * settled. Errors: DENIED (too large, or no room). [in-call] */
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
    /* One statement, or one declared transaction. Set rows->size first. The request is copied; the rows are
     * borrowed until the plugin function returns. Errors: those of http.send, and DENIED where the
     * connection declares no such statement. This release serves no SQL: DENIED. [in-call] */
    int32_t (*run)(const datong_call *call, const datong_sql_request *request, datong_reply *rows);
} datong_sql_service;
#define DATONG_SERVICE_SQL "datong.sql/1"

/* ---- service datong.clock/1, id/1, log/1, metric/1, progress/1 ----------------------------------- */

typedef struct datong_clock_service {
    uint32_t size;
    uint32_t flags;
    /* The host's time in ms since 1970, UTC, the clock of `deadline_ms`. 0 when the host answers this call no
     * more: then fail as DATONG_CANCELLED, since no window up to 1970 holds anything. No errors. [in-call] */
    int64_t (*now_ms)(const datong_call *call);
} datong_clock_service;
#define DATONG_SERVICE_CLOCK "datong.clock/1"

typedef struct datong_id_service {
    uint32_t size;
    uint32_t flags;
    /* `count` unpredictable bytes, at most 1024, for nonces and padding; never for a document's key, which has to
     * be the same at the next attempt. Set reply->size first. Borrowed until the plugin function returns,
     * then wiped. Errors: DENIED (more than 1024). [in-call] */
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
    /* One line for the engineer, copied, cut at 16 KiB. Known secrets are masked by the host. A level that is none
     * is INFO. Does not wait for the host. No errors. [in-call] */
    void (*write)(const datong_call *call, uint32_t level, datong_bytes text);
} datong_log_service;
#define DATONG_SERVICE_LOG "datong.log/1"

typedef struct datong_metric_service {
    uint32_t size;
    uint32_t flags;
    /* Add `amount` to the counter `name`, which is copied. This release keeps no counters. Does not wait for the
     * host. No errors. [in-call] */
    void (*count)(const datong_call *call, datong_bytes name, int64_t amount);
} datong_metric_service;
#define DATONG_SERVICE_METRIC "datong.metric/1"

typedef struct datong_progress_service {
    uint32_t size;
    uint32_t flags;
    /* How far a long call is, for the engineer's log; it moves no deadline. total 0: unknown. Does not wait for the
     * host. No errors. [in-call] */
    void (*report)(const datong_call *call, uint64_t done, uint64_t total);
} datong_progress_service;
#define DATONG_SERVICE_PROGRESS "datong.progress/1"

/* ---- sinks ------------------------------------------------------------------------------------
 * Results go into a sink the host gives. What holds for EVERY sink function: it is [in-call] with the
 * sink's own `context`; it copies what it is given before it returns, so all of it stays the plugin's; it
 * returns 0 to go on, or 1 when the host wants no more (a limit was reached, the call is cancelled, or
 * what was given broke the contract): the plugin then returns. What it left out then is not taken for
 * absent: the call counts as cancelled, results of records are kept. One call collects at most 64 MiB.
 * A sink struct lives until the plugin function that received it returns.
 *
 * What holds for EVERY ability: it returns DATONG_OK, or DATONG_FAILED after `fail`, and nothing else; the
 * comments list only what a class means there. Requests are borrowed until it returns. `connection` is
 * what `open` gave. */

/* ability datong.describe/1 */
typedef struct datong_text_sink {
    uint32_t size;
    uint32_t flags;
    void *context;
    /* The one JSON document this call answers with, exactly once. */
    int32_t (*put)(void *context, datong_bytes json);
} datong_text_sink;

typedef struct datong_describe_ability {
    uint32_t size;
    uint32_t flags;
    /* What this library is and can do, as one JSON document: docs/describe.md gives its shape.
     * Needs no connection, calls no service except log, always gives the same text and does not fail. [any] */
    int32_t (*describe)(const datong_call *call, const datong_text_sink *sink);
} datong_describe_ability;
#define DATONG_ABILITY_DESCRIBE "datong.describe/1"

/* ability datong.probe/1 */
typedef struct datong_probe_ability {
    uint32_t size;
    uint32_t flags;
    /* Prove address, credentials and permissions with harmless calls, and fingerprint the vendor's
     * version and the customer's schema: {"vendor":"..","version":"..","fingerprint":"..",
     * "checks":[{"id","ok","zh","en"}]}, the check of the credentials first. What a check finds is a check
     * with "ok" false and DATONG_OK; fail (UNREACHABLE, ...) when nothing could be checked. [any] */
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
#define DATONG_RECORD_DELETED 0x2u /* the vendor says it is gone. This release passes over it: what was read of the
                                    * document before stays as it is */

typedef struct datong_read_sink {
    uint32_t size;
    uint32_t flags;
    void *context;
    /* One document, hint or deletion, in the vendor's order; never more than `max_records`. */
    int32_t (*record)(void *context, const datong_record *record);
    /* Once, last; for named documents it may be left out. `more` 1: ask again at once with this cursor.
     * `more` 0: all seen; the cursor is where the next sweep begins. */
    int32_t (*page)(void *context, datong_bytes next_cursor, uint32_t more);
} datong_read_sink;

typedef struct datong_read_ability {
    uint32_t size;
    uint32_t flags;
    /* One page, or the named documents. A named document that does not exist is left out. Changes nothing at the
     * vendor. Records given before a failure are not used: the page is asked for again. UNSUPPORTED: not in
     * this product line or edition. [any] */
    int32_t (*read)(void *connection, const datong_call *call, const datong_read_request *request,
                    const datong_read_sink *sink);
} datong_read_ability;
#define DATONG_ABILITY_READ "datong.read/1"

/* abilities datong.write/1, datong.poll/1, datong.void/1 */
typedef struct datong_write_record {
    uint32_t size;
    uint32_t flags;
    datong_bytes key;         /* idempotency key: 32 characters of a to z and 2 to 7 */
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
    /* What became of one record, exactly once for every record, in any order, as soon as it is known: results
     * given before a failure or a crash count. A record without a result is an unknown outcome and, after
     * DATONG_OK, a bug. */
    int32_t (*result)(void *context, const datong_write_result *result);
} datong_write_sink;

/* The shape of write, poll and undo. DATONG_FAILED is for what concerns all records alike and left no result of its
 * own (no session, no connection); what concerns one record is its result REFUSED. [any] */
typedef int32_t datong_write_function(void *connection, const datong_call *call,
                                      const datong_write_request *request, const datong_write_sink *sink);
typedef struct datong_write_ability {
    uint32_t size;
    uint32_t flags;
    /* Bring the documents into effect, resuming from each record's checkpoint. A record that is there under its
     * key already is EXISTED. UNKNOWN_OUTCOME, or a failure after a request with effect `write` left, makes
     * the host look with `find` before anything is sent again. [any] */
    datong_write_function *write;
} datong_write_ability;
#define DATONG_ABILITY_WRITE "datong.write/1"
typedef struct datong_poll_ability {
    uint32_t size;
    uint32_t flags;
    /* Ask what became of accepted or waiting records, by their token. ACCEPTED again: still queued. A failure
     * leaves them as they were, to be asked again. [any] */
    datong_write_function *poll;
} datong_poll_ability;
#define DATONG_ABILITY_POLL "datong.poll/1"
typedef struct datong_void_ability {
    uint32_t size;
    uint32_t flags;
    /* Take back what was written: delete the draft, or post the reversal. APPLIED carries the reversal's
     * number, or the deleted one's; EXISTED: it was taken back already. UNSUPPORTED: the vendor offers no
     * way. [any] */
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
    datong_bytes business;    /* JSON object of business fields (amount, date, person); this release sends none */
    datong_bytes json;        /* the document as it was sent, for connectors that compare */
    datong_bytes checkpoint;
} datong_find_request;
typedef struct datong_find_sink {
    uint32_t size;
    uint32_t flags;
    void *context;
    /* One match, once each: what a person finds it by, the vendor's internal id, what the vendor holds (JSON, may be
     * empty). No call and DATONG_OK: absent now. */
    int32_t (*found)(void *context, datong_bytes number, datong_bytes id, datong_bytes read_back);
} datong_find_sink;
typedef struct datong_find_ability {
    uint32_t size;
    uint32_t flags;
    /* Look for a document without changing anything; report every match, since two are what a person must hear
     * of. UNSUPPORTED: cannot look for this one, which then waits for a person. Any other failure: not known,
     * asked again. Never report absent what could not be looked for. [any] */
    int32_t (*find)(void *connection, const datong_call *call, const datong_find_request *request,
                    const datong_find_sink *sink);
} datong_find_ability;
#define DATONG_ABILITY_FIND "datong.find/1"

/* ability datong.query/1: on demand, read-only, answered to a person */
typedef struct datong_query_ability {
    uint32_t size;
    uint32_t flags;
    /* Answer one question by harmless calls. `name` and `parameters` (a JSON object) as describe declares them; one
     * JSON document into the sink. INVALID_RECORD: parameters that cannot be asked. [any] */
    int32_t (*query)(void *connection, const datong_call *call, datong_bytes name, datong_bytes parameters,
                     const datong_text_sink *sink);
} datong_query_ability;
#define DATONG_ABILITY_QUERY "datong.query/1"

/* ability datong.rotate/1: change a credential at the vendor */
typedef struct datong_rotate_ability {
    uint32_t size;
    uint32_t flags;
    /* step "apply": make the new secret current at the vendor. step "retire": revoke the old one. The
     * new value is the secret `name` + "@new"; it never crosses this border. Both steps may be repeated. Into
     * the sink what was done, as one JSON document. AUTH_DENIED: the vendor does not let this account. [any] */
    int32_t (*rotate)(void *connection, const datong_call *call, datong_bytes name, datong_bytes step,
                      const datong_text_sink *sink);
} datong_rotate_ability;
#define DATONG_ABILITY_ROTATE "datong.rotate/1"

/* ability datong.migrate-state/1 */
typedef struct datong_migrate_state_ability {
    uint32_t size;
    uint32_t flags;
    /* One key's state of schema `from` in, of this version's schema out, as JSON into the sink. Pure: no service
     * but log, the same for the same. UNSUPPORTED: a schema it does not read. [any] */
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
    /* One document something happened to; several of one frame are stored together. */
    int32_t (*hint)(void *context, const datong_hint *hint);
    /* Send at once (pong, hello). */
    int32_t (*send_now)(void *context, datong_bytes frame);
    /* Send once every hint of this call is durable: the acknowledgement. */
    int32_t (*send_after_durable)(void *context, datong_bytes frame);
    /* The vendor will close this stream: open the next one now and keep reading the old. `reason` is for the log. */
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
    /* Where to connect, exactly once. */
    int32_t (*endpoint)(void *context, const datong_listen_endpoint *endpoint);
} datong_listen_sink;

typedef struct datong_listen_ability {
    uint32_t size;
    uint32_t flags;
    /* Where to connect now. Called before every connection: tickets work once. A failure of the connection's kind
     * (AUTH_DENIED, QUOTA_SPENT ...) pauses it; any other is tried again ever more rarely. [any] */
    int32_t (*open)(void *connection, const datong_call *call, const datong_listen_sink *sink);
    /* Understand one text or binary frame from the vendor: hints, answers. One that says nothing is DATONG_OK
     * without a call of the sink. After a failure nothing is acknowledged and the stream is opened anew. [any] */
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
    /* One document something happened to. */
    int32_t (*hint)(void *context, const datong_hint *hint);
    /* The answer, exactly once, with a status of 200 to 599: `after_durable` 1 waits until every hint of this call is durable. */
    int32_t (*answer)(void *context, uint32_t status, const datong_header *headers, uint64_t header_count,
                      datong_bytes body, uint32_t after_durable);
} datong_receive_sink;
typedef struct datong_receive_ability {
    uint32_t size;
    uint32_t flags;
    /* Verify, decrypt and answer one webhook. One that does not verify is answered with the vendor's refusal, no
     * hint and DATONG_OK; a failure answers 500, so that the vendor sends again. [any] */
    int32_t (*receive)(void *connection, const datong_call *call, const datong_receive_request *request,
                       const datong_receive_sink *sink);
} datong_receive_ability;
#define DATONG_ABILITY_RECEIVE "datong.receive/1"

/* ability datong.identify/1: who is this person (roles, departments) at the vendor */
typedef struct datong_identify_ability {
    uint32_t size;
    uint32_t flags;
    /* Say who the vendor's user id `user` is, by harmless calls: name, roles and departments as one JSON document
     * into the sink, {} for one nobody knows. UNSUPPORTED: the edition does not tell. [any] */
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
    /* Get ready: the first function called. `host` lives as long as the process and may be kept. Counted and
     * idempotent: may be called again, each init is paired with one shutdown. There is no call to `fail`:
     * anything but DATONG_OK refuses the library. [once] */
    int32_t (*init)(const datong_host *host);
    /* Give back what init took; the last function called. May be skipped: a worker may be killed. No errors. [once] */
    void (*shutdown)(void);
    /* An ability by id and revision: a pointer to its struct of functions, which the plugin owns and keeps as long
     * as the process lives. NULL when not offered. Constant for the process. No errors. [any] */
    const void *(*get_ability)(const char *id);
    /* Make a connection object, which the plugin owns, and set *connection to it, never NULL with DATONG_OK. The
     * request is borrowed: copy what is needed later. Must not talk to the vendor: probe does. Services may
     * be used, as in any call. DATONG_FAILED after `fail`: INVALID_RECORD for settings that cannot work. [any] */
    int32_t (*open)(const datong_call *call, const datong_open_request *request, void **connection);
    /* Give the connection object back, after every call on it has returned. There is no call, so no service. May be
     * skipped, as shutdown may. No errors. [any] */
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
