import WorkerCore

// What the host asks of a plugin, as the bodies of frames. docs/worker-protocol.md gives the layouts.

extension PluginRequest {
    /// The number of the call.
    var operation: UInt32 {
        switch self {
        case .describe: DW_OP_DESCRIBE
        case .probe: DW_OP_PROBE
        case .read: DW_OP_READ
        case .write: DW_OP_WRITE
        case .poll: DW_OP_POLL
        case .undo: DW_OP_UNDO
        case .find: DW_OP_FIND
        case .query: DW_OP_QUERY
        case .rotate: DW_OP_ROTATE
        case .listenOpen: DW_OP_LISTEN_OPEN
        case .listenFrame: DW_OP_LISTEN_FRAME
        case .receive: DW_OP_RECEIVE
        case .identify: DW_OP_IDENTIFY
        case .migrateState: DW_OP_MIGRATE_STATE
        }
    }

    /// What follows the context in a CALL.
    func encoded() -> [UInt8] {
        var out = FrameWriter()
        switch self {
        case .describe, .probe, .listenOpen: break
        case .read(let read):
            out.text(read.document)
            out.span(read.filter)
            switch read.selection {
            case .page(let cursor, let sinceMs, let max):
                out.u8(0)
                out.span(cursor)
                out.i64(sinceMs ?? -1)
                out.u64(UInt64(clamping: max))
            case .documents(let ids):
                out.u8(1)
                out.u32(UInt32(ids.count))
                for id in ids { out.text(id) }
            }
        case .write(let write), .poll(let write), .undo(let write):
            out.text(write.document)
            out.span(write.settings)
            out.u32(UInt32(write.records.count))
            for record in write.records {
                out.text(record.key)
                out.span(record.json)
                out.span(record.checkpoint)
                out.span(record.token)
                out.span(record.expected)
            }
        case .find(let find):
            out.text(find.document)
            out.span(find.settings)
            out.text(find.key)
            out.span(find.business)
            out.span(find.json)
            out.span(find.checkpoint)
        case .query(let name, let parameters):
            out.text(name)
            out.span(parameters)
        case .rotate(let secret, let step):
            out.text(secret)
            out.text(step.rawValue)
        case .listenFrame(let frame): out.span(frame)
        case .receive(let webhook):
            out.text(webhook.method)
            out.text(webhook.path)
            out.text(webhook.query)
            out.u32(UInt32(webhook.headers.count))
            for header in webhook.headers {
                out.text(header.name)
                out.text(header.value)
            }
            out.span(webhook.body)
        case .identify(let user): out.text(user)
        case .migrateState(let from, let key, let value):
            out.u32(from)
            out.span(key)
            out.span(value)
        }
        return out.bytes
    }
}

extension CallContext {
    /// Deadline in the plugin's terms, and what is left of it in the worker's.
    func encode(into out: inout FrameWriter, remainingMs: Int64) {
        out.i64(deadlineMs)
        out.i64(max(remainingMs, 0))
        out.u64(fenceEpoch)
        out.u32(attempt)
        out.u32(flags.rawValue)
        out.text(traceID)
    }
}

extension OpenRequest {
    /// What follows the context in an OPEN.
    static func encode(_ open: OpenRequest?, into out: inout FrameWriter) {
        guard let open else { return out.u8(0) }
        out.u8(1)
        out.text(open.connection)
        out.text(open.product)
        out.text(open.endpoint)
        out.span(open.settings.isEmpty ? Array("{}".utf8) : open.settings)
        out.text(jsonArray(open.secrets))
        out.text(open.timeZone)
    }

    /// Secret names as a JSON array. Names are plain words, but a quote in one must not make another document.
    private static func jsonArray(_ names: [String]) -> String {
        let items = names.map { name in
            var text = "\""
            for scalar in name.unicodeScalars {
                switch scalar {
                case "\"", "\\": text += "\\\(scalar)"
                case _ where scalar.value < 0x20:
                    let hex = String(scalar.value, radix: 16)
                    text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                default: text.unicodeScalars.append(scalar)
                }
            }
            return text + "\""
        }
        return "[" + items.joined(separator: ",") + "]"
    }
}
