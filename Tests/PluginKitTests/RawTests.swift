import PluginABI
import PluginKit
import Testing

/// The border with a host that is older, newer or wrong, which the ordinary fake host never is.
@Suite(.serialized) struct RawTests {
    /// What a newer host's record looks like: fields this kit does not know follow.
    private struct NewerRecord {
        var known = datong_write_record()
        var unknown: (UInt64, UInt64) = (1, 2)
    }

    private func withCall(
        flags: UInt32 = 0, size: Int = MemoryLayout<datong_call>.size, _ body: (UnsafePointer<datong_call>) -> Void
    ) {
        var host = datong_host()
        host.size = UInt32(MemoryLayout<datong_host>.size)
        host.get_service = { _ in nil }
        host.fail = { _, failure in RawTests.failures.append(failure?.pointee.error_class ?? 0) }
        withUnsafePointer(to: host) { host in
            var call = datong_call()
            call.size = UInt32(size)
            call.flags = flags
            call.host = host
            body(&call)
        }
    }

    nonisolated(unsafe) private static var failures: [UInt32] = []
    nonisolated(unsafe) private static var indices: [UInt64] = []

    @Test func nullsAndUnreadableStructsAreRefusedWithoutATrap() {
        #expect(echoInit(nil) == DATONG_FAILED)
        #expect(echoDescribe(nil, nil) == DATONG_FAILED)
        #expect(echoOpen(nil, nil, nil) == DATONG_FAILED)
        #expect(echoAbility(nil) == nil)
        echoClose(nil)
        var host = datong_host()
        host.size = UInt32(MemoryLayout<datong_host>.size)
        #expect(echoInit(&host) == DATONG_FAILED)
        host.get_service = { _ in nil }
        host.fail = { _, _ in }
        #expect(echoInit(&host) == DATONG_OK)
        // A flag in the high half refuses the struct, one in the low half is passed over.
        host.flags = 0x0001_0000
        #expect(echoInit(&host) == DATONG_FAILED)
        host.flags = 0x0000_8000
        #expect(echoInit(&host) == DATONG_OK)
        // A host that knows less than the functions needed.
        host.flags = 0
        host.size = 16
        #expect(echoInit(&host) == DATONG_FAILED)
    }

    @Test func aCallIsReadAsFarAsItsWriterKnewIt() {
        RawTests.failures = []
        withCall(flags: 0x8000_0000) { call in #expect(echoOpen(call, nil, nil) == DATONG_FAILED) }
        // Nobody to tell: the context itself was refused.
        #expect(RawTests.failures.isEmpty)
        withCall(size: 16) { call in #expect(echoOpen(call, nil, nil) == DATONG_FAILED) }
        #expect(RawTests.failures == [UInt32(DATONG_BUG)])
    }

    @Test func recordsOfANewerHostAreStrodeByTheirOwnSize() throws {
        RawTests.indices = []
        let table = try #require(echoAbility(DATONG_ABILITY_WRITE))
            .assumingMemoryBound(to: datong_write_ability.self).pointee
        var records = [NewerRecord(), NewerRecord()]
        let document = Array("{\"throw\":\"conflict\"}".utf8)
        let endpoint = Array("https://vendor.example.test/".utf8)
        document.withUnsafeBufferPointer { json in
            for index in records.indices {
                records[index].known.size = UInt32(MemoryLayout<NewerRecord>.size)
                records[index].known.json = datong_bytes(data: json.baseAddress, size: UInt64(json.count))
            }
            withCall { call in
                var connection: UnsafeMutableRawPointer?
                endpoint.withUnsafeBufferPointer { bytes in
                    var open = datong_open_request()
                    open.size = UInt32(MemoryLayout<datong_open_request>.size)
                    open.endpoint = datong_bytes(data: bytes.baseAddress, size: UInt64(bytes.count))
                    #expect(echoOpen(call, &open, &connection) == DATONG_OK)
                }
                var sink = datong_write_sink()
                sink.size = UInt32(MemoryLayout<datong_write_sink>.size)
                sink.result = { _, result in
                    RawTests.indices.append(result?.pointee.index ?? 99)
                    return 0
                }
                records.withUnsafeBytes { raw in
                    var request = datong_write_request()
                    request.size = UInt32(MemoryLayout<datong_write_request>.size)
                    request.records = raw.baseAddress?.assumingMemoryBound(to: datong_write_record.self)
                    request.record_count = 2
                    #expect(table.write(connection, call, &request, &sink) == DATONG_OK)
                }
                echoClose(connection)
            }
        }
        #expect(RawTests.indices == [0, 1])
    }
}
