/*
 * The layout of the contract, pinned. Every struct's size and every field's offset as plugins in the field know them: a
 * change that moves one does not compile. Appending a field changes one SIZE line and adds one AT line; any other edit
 * of this file breaks every connector that was built before.
 */
#include "datong_plugin.h"

#define SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), "size of " #type)
#define AT(type, field, bytes) _Static_assert(offsetof(struct type, field) == (bytes), #type "." #field)

_Static_assert(sizeof(void *) == 8 && sizeof(size_t) == 8, "64-bit only");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "little endian only");

SIZE(datong_bytes, 16);
AT(datong_bytes, data, 0);
AT(datong_bytes, size, 8);

SIZE(datong_message, 48);
AT(datong_message, text, 0);
AT(datong_message, language, 16);
AT(datong_message, vendor_code, 32);

SIZE(datong_failure, 80);
AT(datong_failure, size, 0);
AT(datong_failure, flags, 4);
AT(datong_failure, error_class, 8);
AT(datong_failure, message_count, 12);
AT(datong_failure, messages, 16);
AT(datong_failure, vendor_code, 24);
AT(datong_failure, field, 40);
AT(datong_failure, existing, 56);
AT(datong_failure, retry_after_ms, 72);

SIZE(datong_call, 64);
AT(datong_call, size, 0);
AT(datong_call, flags, 4);
AT(datong_call, host, 8);
AT(datong_call, call_id, 16);
AT(datong_call, deadline_ms, 24);
AT(datong_call, fence_epoch, 32);
AT(datong_call, attempt, 40);
AT(datong_call, reserved, 44);
AT(datong_call, trace_id, 48);

SIZE(datong_host, 56);
AT(datong_host, size, 0);
AT(datong_host, flags, 4);
AT(datong_host, minor_min, 8);
AT(datong_host, minor_max, 12);
AT(datong_host, version, 16);
AT(datong_host, get_service, 24);
AT(datong_host, fail, 32);
AT(datong_host, explain, 40);
AT(datong_host, is_cancelled, 48);

SIZE(datong_insertion, 32);
AT(datong_insertion, part, 0);
AT(datong_insertion, index, 4);
AT(datong_insertion, offset, 8);
AT(datong_insertion, secret, 16);

SIZE(datong_header, 32);
AT(datong_header, name, 0);
AT(datong_header, value, 16);

SIZE(datong_http_request, 152);
AT(datong_http_request, size, 0);
AT(datong_http_request, flags, 4);
AT(datong_http_request, effect, 8);
AT(datong_http_request, timeout_ms, 12);
AT(datong_http_request, method, 16);
AT(datong_http_request, url, 32);
AT(datong_http_request, headers, 48);
AT(datong_http_request, header_count, 56);
AT(datong_http_request, body, 64);
AT(datong_http_request, insertions, 80);
AT(datong_http_request, insertion_count, 88);
AT(datong_http_request, session, 96);
AT(datong_http_request, max_reply_bytes, 112);
AT(datong_http_request, body_blob, 120);
AT(datong_http_request, meter, 136);

SIZE(datong_http_reply, 56);
AT(datong_http_reply, size, 0);
AT(datong_http_reply, flags, 4);
AT(datong_http_reply, status, 8);
AT(datong_http_reply, may_have_arrived, 12);
AT(datong_http_reply, headers, 16);
AT(datong_http_reply, header_count, 24);
AT(datong_http_reply, body, 32);
AT(datong_http_reply, host_private, 48);

SIZE(datong_http_service, 24);
AT(datong_http_service, size, 0);
AT(datong_http_service, flags, 4);
AT(datong_http_service, send, 8);
AT(datong_http_service, release, 16);

SIZE(datong_segment, 32);
AT(datong_segment, literal, 0);
AT(datong_segment, secret, 16);

SIZE(datong_crypto_request, 128);
AT(datong_crypto_request, size, 0);
AT(datong_crypto_request, flags, 4);
AT(datong_crypto_request, operation, 8);
AT(datong_crypto_request, reserved, 12);
AT(datong_crypto_request, algorithm, 16);
AT(datong_crypto_request, key, 32);
AT(datong_crypto_request, iv, 64);
AT(datong_crypto_request, input, 80);
AT(datong_crypto_request, input_count, 88);
AT(datong_crypto_request, signature, 96);
AT(datong_crypto_request, additional, 112);

SIZE(datong_reply, 32);
AT(datong_reply, size, 0);
AT(datong_reply, flags, 4);
AT(datong_reply, bytes, 8);
AT(datong_reply, host_private, 24);

SIZE(datong_crypto_service, 16);
AT(datong_crypto_service, size, 0);
AT(datong_crypto_service, flags, 4);
AT(datong_crypto_service, run, 8);

SIZE(datong_secret_service, 32);
AT(datong_secret_service, size, 0);
AT(datong_secret_service, flags, 4);
AT(datong_secret_service, exists, 8);
AT(datong_secret_service, reveal, 16);
AT(datong_secret_service, replace, 24);

SIZE(datong_session_request, 48);
AT(datong_session_request, size, 0);
AT(datong_session_request, flags, 4);
AT(datong_session_request, name, 8);
AT(datong_session_request, principal, 24);
AT(datong_session_request, max_in_flight, 40);
AT(datong_session_request, reserved, 44);

SIZE(datong_session_reply, 48);
AT(datong_session_reply, size, 0);
AT(datong_session_reply, flags, 4);
AT(datong_session_reply, must_log_in, 8);
AT(datong_session_reply, reserved, 12);
AT(datong_session_reply, value, 16);
AT(datong_session_reply, lease, 32);
AT(datong_session_reply, host_private, 40);

SIZE(datong_session_service, 40);
AT(datong_session_service, size, 0);
AT(datong_session_service, flags, 4);
AT(datong_session_service, acquire, 8);
AT(datong_session_service, publish, 16);
AT(datong_session_service, abandon, 24);
AT(datong_session_service, invalidate, 32);

SIZE(datong_state_service, 24);
AT(datong_state_service, size, 0);
AT(datong_state_service, flags, 4);
AT(datong_state_service, get, 8);
AT(datong_state_service, put, 16);

SIZE(datong_checkpoint_service, 16);
AT(datong_checkpoint_service, size, 0);
AT(datong_checkpoint_service, flags, 4);
AT(datong_checkpoint_service, save, 8);

SIZE(datong_blob_service, 32);
AT(datong_blob_service, size, 0);
AT(datong_blob_service, flags, 4);
AT(datong_blob_service, length, 8);
AT(datong_blob_service, read, 16);
AT(datong_blob_service, create, 24);

SIZE(datong_sql_request, 64);
AT(datong_sql_request, size, 0);
AT(datong_sql_request, flags, 4);
AT(datong_sql_request, effect, 8);
AT(datong_sql_request, timeout_ms, 12);
AT(datong_sql_request, statement, 16);
AT(datong_sql_request, parameters, 32);
AT(datong_sql_request, max_rows, 48);
AT(datong_sql_request, max_bytes, 56);

SIZE(datong_sql_service, 16);
AT(datong_sql_service, size, 0);
AT(datong_sql_service, flags, 4);
AT(datong_sql_service, run, 8);

SIZE(datong_clock_service, 16);
AT(datong_clock_service, size, 0);
AT(datong_clock_service, flags, 4);
AT(datong_clock_service, now_ms, 8);

SIZE(datong_id_service, 16);
AT(datong_id_service, size, 0);
AT(datong_id_service, flags, 4);
AT(datong_id_service, random, 8);

SIZE(datong_log_service, 16);
AT(datong_log_service, size, 0);
AT(datong_log_service, flags, 4);
AT(datong_log_service, write, 8);

SIZE(datong_metric_service, 16);
AT(datong_metric_service, size, 0);
AT(datong_metric_service, flags, 4);
AT(datong_metric_service, count, 8);

SIZE(datong_progress_service, 16);
AT(datong_progress_service, size, 0);
AT(datong_progress_service, flags, 4);
AT(datong_progress_service, report, 8);

SIZE(datong_text_sink, 24);
AT(datong_text_sink, size, 0);
AT(datong_text_sink, flags, 4);
AT(datong_text_sink, context, 8);
AT(datong_text_sink, put, 16);

SIZE(datong_describe_ability, 16);
AT(datong_describe_ability, size, 0);
AT(datong_describe_ability, flags, 4);
AT(datong_describe_ability, describe, 8);

SIZE(datong_probe_ability, 16);
AT(datong_probe_ability, size, 0);
AT(datong_probe_ability, flags, 4);
AT(datong_probe_ability, probe, 8);

SIZE(datong_read_request, 88);
AT(datong_read_request, size, 0);
AT(datong_read_request, flags, 4);
AT(datong_read_request, document, 8);
AT(datong_read_request, filter, 24);
AT(datong_read_request, cursor, 40);
AT(datong_read_request, since_ms, 56);
AT(datong_read_request, ids, 64);
AT(datong_read_request, id_count, 72);
AT(datong_read_request, max_records, 80);

SIZE(datong_record, 56);
AT(datong_record, size, 0);
AT(datong_record, flags, 4);
AT(datong_record, id, 8);
AT(datong_record, version, 24);
AT(datong_record, json, 40);

SIZE(datong_read_sink, 32);
AT(datong_read_sink, size, 0);
AT(datong_read_sink, flags, 4);
AT(datong_read_sink, context, 8);
AT(datong_read_sink, record, 16);
AT(datong_read_sink, page, 24);

SIZE(datong_read_ability, 16);
AT(datong_read_ability, size, 0);
AT(datong_read_ability, flags, 4);
AT(datong_read_ability, read, 8);

SIZE(datong_write_record, 88);
AT(datong_write_record, size, 0);
AT(datong_write_record, flags, 4);
AT(datong_write_record, key, 8);
AT(datong_write_record, json, 24);
AT(datong_write_record, checkpoint, 40);
AT(datong_write_record, token, 56);
AT(datong_write_record, expected, 72);

SIZE(datong_write_request, 56);
AT(datong_write_request, size, 0);
AT(datong_write_request, flags, 4);
AT(datong_write_request, document, 8);
AT(datong_write_request, settings, 24);
AT(datong_write_request, records, 40);
AT(datong_write_request, record_count, 48);

SIZE(datong_write_result, 104);
AT(datong_write_result, size, 0);
AT(datong_write_result, flags, 4);
AT(datong_write_result, index, 8);
AT(datong_write_result, outcome, 16);
AT(datong_write_result, reserved, 20);
AT(datong_write_result, number, 24);
AT(datong_write_result, id, 40);
AT(datong_write_result, read_back, 56);
AT(datong_write_result, token, 72);
AT(datong_write_result, poll_after_ms, 88);
AT(datong_write_result, failure, 96);

SIZE(datong_write_sink, 24);
AT(datong_write_sink, size, 0);
AT(datong_write_sink, flags, 4);
AT(datong_write_sink, context, 8);
AT(datong_write_sink, result, 16);

SIZE(datong_write_ability, 16);
AT(datong_write_ability, size, 0);
AT(datong_write_ability, flags, 4);
AT(datong_write_ability, write, 8);

SIZE(datong_poll_ability, 16);
AT(datong_poll_ability, size, 0);
AT(datong_poll_ability, flags, 4);
AT(datong_poll_ability, poll, 8);

SIZE(datong_void_ability, 16);
AT(datong_void_ability, size, 0);
AT(datong_void_ability, flags, 4);
AT(datong_void_ability, undo, 8);

SIZE(datong_find_request, 104);
AT(datong_find_request, size, 0);
AT(datong_find_request, flags, 4);
AT(datong_find_request, document, 8);
AT(datong_find_request, settings, 24);
AT(datong_find_request, key, 40);
AT(datong_find_request, business, 56);
AT(datong_find_request, json, 72);
AT(datong_find_request, checkpoint, 88);

SIZE(datong_find_sink, 24);
AT(datong_find_sink, size, 0);
AT(datong_find_sink, flags, 4);
AT(datong_find_sink, context, 8);
AT(datong_find_sink, found, 16);

SIZE(datong_find_ability, 16);
AT(datong_find_ability, size, 0);
AT(datong_find_ability, flags, 4);
AT(datong_find_ability, find, 8);

SIZE(datong_query_ability, 16);
AT(datong_query_ability, size, 0);
AT(datong_query_ability, flags, 4);
AT(datong_query_ability, query, 8);

SIZE(datong_rotate_ability, 16);
AT(datong_rotate_ability, size, 0);
AT(datong_rotate_ability, flags, 4);
AT(datong_rotate_ability, rotate, 8);

SIZE(datong_migrate_state_ability, 16);
AT(datong_migrate_state_ability, size, 0);
AT(datong_migrate_state_ability, flags, 4);
AT(datong_migrate_state_ability, migrate, 8);

SIZE(datong_hint, 88);
AT(datong_hint, size, 0);
AT(datong_hint, flags, 4);
AT(datong_hint, document, 8);
AT(datong_hint, id, 24);
AT(datong_hint, event_id, 40);
AT(datong_hint, kind, 56);
AT(datong_hint, json, 72);

SIZE(datong_event_sink, 48);
AT(datong_event_sink, size, 0);
AT(datong_event_sink, flags, 4);
AT(datong_event_sink, context, 8);
AT(datong_event_sink, hint, 16);
AT(datong_event_sink, send_now, 24);
AT(datong_event_sink, send_after_durable, 32);
AT(datong_event_sink, reconnect, 40);

SIZE(datong_listen_endpoint, 48);
AT(datong_listen_endpoint, size, 0);
AT(datong_listen_endpoint, flags, 4);
AT(datong_listen_endpoint, url, 8);
AT(datong_listen_endpoint, headers, 24);
AT(datong_listen_endpoint, header_count, 32);
AT(datong_listen_endpoint, ping_interval_ms, 40);
AT(datong_listen_endpoint, idle_timeout_ms, 44);

SIZE(datong_listen_sink, 24);
AT(datong_listen_sink, size, 0);
AT(datong_listen_sink, flags, 4);
AT(datong_listen_sink, context, 8);
AT(datong_listen_sink, endpoint, 16);

SIZE(datong_listen_ability, 24);
AT(datong_listen_ability, size, 0);
AT(datong_listen_ability, flags, 4);
AT(datong_listen_ability, open, 8);
AT(datong_listen_ability, frame, 16);

SIZE(datong_receive_request, 88);
AT(datong_receive_request, size, 0);
AT(datong_receive_request, flags, 4);
AT(datong_receive_request, method, 8);
AT(datong_receive_request, path, 24);
AT(datong_receive_request, query, 40);
AT(datong_receive_request, headers, 56);
AT(datong_receive_request, header_count, 64);
AT(datong_receive_request, body, 72);

SIZE(datong_receive_sink, 32);
AT(datong_receive_sink, size, 0);
AT(datong_receive_sink, flags, 4);
AT(datong_receive_sink, context, 8);
AT(datong_receive_sink, hint, 16);
AT(datong_receive_sink, answer, 24);

SIZE(datong_receive_ability, 16);
AT(datong_receive_ability, size, 0);
AT(datong_receive_ability, flags, 4);
AT(datong_receive_ability, receive, 8);

SIZE(datong_identify_ability, 16);
AT(datong_identify_ability, size, 0);
AT(datong_identify_ability, flags, 4);
AT(datong_identify_ability, identify, 8);

SIZE(datong_open_request, 104);
AT(datong_open_request, size, 0);
AT(datong_open_request, flags, 4);
AT(datong_open_request, connection, 8);
AT(datong_open_request, product, 24);
AT(datong_open_request, endpoint, 40);
AT(datong_open_request, settings, 56);
AT(datong_open_request, secrets, 72);
AT(datong_open_request, time_zone, 88);

SIZE(datong_plugin, 88);
AT(datong_plugin, size, 0);
AT(datong_plugin, flags, 4);
AT(datong_plugin, magic, 8);
AT(datong_plugin, epoch, 12);
AT(datong_plugin, minor_needs, 16);
AT(datong_plugin, minor_built, 20);
AT(datong_plugin, id, 24);
AT(datong_plugin, version, 32);
AT(datong_plugin, build, 40);
AT(datong_plugin, init, 48);
AT(datong_plugin, shutdown, 56);
AT(datong_plugin, get_ability, 64);
AT(datong_plugin, open, 72);
AT(datong_plugin, close, 80);
