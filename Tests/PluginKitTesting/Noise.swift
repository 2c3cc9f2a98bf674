import Values

/// Answers as no vendor should give them and some do: broken bytes, cut ends, odd types. For one thread at a time.
public final class Noise: @unchecked Sendable {
    private struct Dice: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 33)
        }
    }

    private var dice: Dice

    /// Everything follows from the seed, so that a failing round can be run again.
    public init(seed: UInt64) { dice = Dice(state: seed) }

    private static let odd: [JSON] = [
        nil, true, false, "", " ", "0", "1", 0, -1, 9_223_372_036_854_775_807, [], [[]], [nil], [:],
        .number(JSONNumber("1e999") ?? JSONNumber(0)),
        .number(JSONNumber("-0.0000000000000000000000000001") ?? JSONNumber(0)),
        .string(String(repeating: "9", count: 60)), ["Result": nil], [[["Result": ["ResponseStatus": []]]]],
        ["result": nil], "[{\"rowValue\":5}]", "null", "[[]]",
    ]

    /// One of them.
    public func pick<Element>(_ items: [Element]) -> Element? { items.randomElement(using: &dice) }

    /// The value with one node, somewhere, replaced by something odd.
    public func bent(_ json: JSON) -> JSON {
        if Int.random(in: 0..<4, using: &dice) == 0 { return pick(Self.odd) ?? .null }
        switch json {
        case .array(var items):
            guard let index = pick(Array(items.indices)) else { return json }
            items[index] = bent(items[index])
            return .array(items)
        case .object(var object):
            guard let key = pick(Array(object.keys)), let value = object[key] else { return json }
            object[key] = bent(value)
            return .object(object)
        case .null, .bool, .number, .string: return pick(Self.odd) ?? .null
        }
    }

    /// The answer with broken bytes, a cut end, or an odd value inside; what is no answer stays.
    public func noisy(_ answer: FakeAnswer) -> FakeAnswer {
        guard case .reply(let status, let headers, var body) = answer else { return answer }
        switch Int.random(in: 0..<4, using: &dice) {
        case 0:
            for _ in 0..<3 {
                guard let index = pick(Array(body.indices)) else { break }
                body[index] = UInt8.random(in: 0...255, using: &dice)
            }
        case 1: body = Array(body.prefix(Int.random(in: 0...body.count, using: &dice)))
        default: if let json = try? JSON.parse(body) { body = bent(json).serialized() }
        }
        return .reply(status: status, headers: headers, body: body)
    }
}
