/// The members of a JSON object, in insertion order, each key once.
///
/// Equality does not look at the order. Keys are told apart byte for byte. A look-up walks small objects and
/// uses an index above `Limits.objectIndexAbove` members.
public struct JSONObject: Sendable {
    struct Member: Sendable {
        let key: String
        /// The key's tag: unequal tags are unequal keys, so that a look-up compares one word per member.
        let tag: UInt64
        var value: JSON

        init(key: String, value: JSON) {
            self.key = key
            tag = keyTag(key)
            self.value = value
        }
    }

    var members: [Member]
    /// Where each key is; present only for large objects.
    private var index: [ByteKey: Int]?

    /// An empty object.
    public init() { members = [] }

    /// An object of members, refused (nil) when a key comes twice.
    init?(members: [Member]) {
        self.members = members
        if members.count > Limits.objectIndexAbove {
            index = Self.makeIndex(members)
            if index?.count != members.count { return nil }
        } else {
            for later in members.indices.dropFirst() {
                let (tag, key) = (members[later].tag, members[later].key)
                for earlier in 0..<later where members[earlier].tag == tag && sameBytes(members[earlier].key, key) {
                    return nil
                }
            }
        }
    }

    /// An empty object with room.
    package init(capacity: Int) {
        members = []
        members.reserveCapacity(capacity)
    }

    /// Appends a member whose key the caller knows to be new.
    package mutating func append(newKey key: String, _ value: JSON) {
        if members.count >= Limits.objectIndexAbove {
            self[key] = value
        } else {
            members.append(Member(key: key, value: value))
        }
    }

    private static func makeIndex(_ members: [Member]) -> [ByteKey: Int] {
        var index: [ByteKey: Int] = [:]
        index.reserveCapacity(members.count)
        for (at, member) in members.enumerated() { index[ByteKey(text: member.key)] = at }
        return index
    }

    private func position(_ key: String) -> Int? {
        if let index { return index[ByteKey(text: key)] }
        let tag = keyTag(key)
        for at in members.indices where members[at].tag == tag && sameBytes(members[at].key, key) { return at }
        return nil
    }

    /// The value under a key. Setting a new key appends it, setting nil removes the member.
    public subscript(_ key: String) -> JSON? {
        get {
            if let at = position(key) { members[at].value } else { nil }
        }
        set {
            switch (position(key), newValue) {
            case (.some(let at), .some(let value)):
                members[at].value = value
            case (.some(let at), .none):
                members.remove(at: at)
                index = members.count > Limits.objectIndexAbove ? Self.makeIndex(members) : nil
            case (.none, .some(let value)):
                members.append(Member(key: key, value: value))
                if index != nil {
                    index?[ByteKey(text: key)] = members.count - 1
                } else if members.count > Limits.objectIndexAbove {
                    index = Self.makeIndex(members)
                }
            case (.none, .none): break
            }
        }
    }

    /// The keys in insertion order.
    public var keys: [String] { members.map(\.key) }
    /// The values in insertion order.
    public var values: [JSON] { members.map(\.value) }
    /// How many members there are.
    public var count: Int { members.count }
    /// Whether there is no member.
    public var isEmpty: Bool { members.isEmpty }
}

extension JSONObject: Hashable {
    /// Equality by content, without the order.
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        guard left.members.count == right.members.count else { return false }
        return left.members.allSatisfy { right[$0.key] == $0.value }
    }

    /// Hashes the members without their order.
    public func hash(into hasher: inout Hasher) {
        var sum = 0
        for member in members {
            var one = Hasher()
            hashBytes(member.key, into: &one)
            one.combine(member.value)
            sum &+= one.finalize()
        }
        hasher.combine(sum)
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    /// An object; a key given twice keeps the later value.
    public init(dictionaryLiteral elements: (String, JSON)...) {
        self.init()
        for (key, value) in elements { self[key] = value }
    }
}

extension JSONObject: Sequence {
    /// Walks the members in insertion order.
    public struct Iterator: IteratorProtocol {
        var rest: IndexingIterator<[Member]>

        /// The next member.
        public mutating func next() -> (key: String, value: JSON)? {
            rest.next().map { (key: $0.key, value: $0.value) }
        }
    }

    /// An iterator over the members in insertion order.
    public func makeIterator() -> Iterator { Iterator(rest: members.makeIterator()) }
    /// The exact number of members.
    public var underestimatedCount: Int { members.count }
}

/// A text that hashes and compares by its bytes: quicker than `String`, which normalizes, and exact.
package struct ByteKey: Sendable, Hashable {
    /// The text.
    package let text: String

    /// A key of a text.
    package init(text: String) { self.text = text }

    package static func == (left: ByteKey, right: ByteKey) -> Bool { sameBytes(left.text, right.text) }
    package func hash(into hasher: inout Hasher) { hashBytes(text, into: &hasher) }
}

/// A word that differs for most texts that differ: the length, the first and the last eight bytes.
package func keyTag(_ text: String) -> UInt64 {
    let tag = text.utf8.withContiguousStorageIfAvailable { bytes in
        let count = bytes.count
        guard count >= 8, let base = UnsafeRawPointer(bytes.baseAddress) else {
            return bytes.reduce(UInt64(count)) { $0 << 8 | UInt64($1) }
        }
        let first = base.loadUnaligned(as: UInt64.self)
        let last = (base + count - 8).loadUnaligned(as: UInt64.self)
        return first ^ (last << 32 | last >> 32) &* 0x9e37_79b9_7f4a_7c15 ^ UInt64(count)
    }
    return tag ?? 0
}
