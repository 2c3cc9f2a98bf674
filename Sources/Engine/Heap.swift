/// A binary heap of (time, item): the engine's timers. Entries are not removed when an item moves on;
/// a popped entry is checked against the item's state.
struct TimerHeap: Sendable, Equatable {
    struct Entry: Sendable, Equatable {
        var at: Milliseconds
        var item: ItemID
    }
    private(set) var entries: [Entry] = []

    var first: Entry? { entries.first }

    mutating func push(_ at: Milliseconds, _ item: ItemID) {
        entries.append(Entry(at: at, item: item))
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if !precedes(child, parent) { break }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    mutating func pop() -> Entry? {
        guard let top = entries.first else { return nil }
        let last = entries.removeLast()
        if entries.isEmpty { return top }
        entries[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count && precedes(child, least) {
                least = child
            }
            if least == parent { return top }
            entries.swapAt(parent, least)
            parent = least
        }
    }

    private func precedes(_ a: Int, _ b: Int) -> Bool {
        (entries[a].at, entries[a].item) < (entries[b].at, entries[b].item)
    }
}
