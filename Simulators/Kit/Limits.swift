/// Bounds of the simulator server.
enum KitLimits {
    /// Nesting of JSON, levels: a bound on recursion.
    static let jsonDepth = 128
    /// Bytes of one request body: above every vendor's own limit, below what hurts a test machine.
    static let requestBody = 32 << 20
    /// Requests the journal remembers: enough for a demo, bounded for a soak.
    static let journalEntries = 5_000
    /// Bytes of a body that the journal shows.
    static let journalBody = 8 << 10
    /// Bytes of the answer that tests a client's own limit.
    static let hugeBody = 50 << 20
    /// Bytes written at once of a huge answer.
    static let hugeChunk = 64 << 10
    /// Bytes of one WebSocket message.
    static let socketMessage = 1 << 20
    /// Frames of one WebSocket message.
    static let socketFragments = 256
}
