import Engine
import Host
import Values

/// People: they file claims, and come in the morning to what waits for them.
extension VirtualWorld {
    mutating func morning(_ day: Int) throws {
        try workThroughHeld()
        if day >= plan.days || day % 7 >= 5 { return }
        let faults = plan.faults
        for _ in 0..<plan.claimsPerDay {
            let at = time.now + random.wait(0...(9 * VirtualLimits.hour))
            let id = "C\(order.count + 1)"
            let kinds = VirtualCustomer.knownKinds + [VirtualCustomer.missingKind]
            let kind = kinds[random.happens(60) ? kinds.count - 1 : Int.random(in: 0..<kinds.count - 1, using: &random)]
            let claim = Claim(
                id: id, kind: kind, amount: random.wait(VirtualLimits.cents), isApproved: !random.happens(100),
                finishedAt: at)
            claims[id] = claim
            order.append(id)
            amounts[id] = [claim.amount]
            agenda.add(at, .approved(id))
            if random.happens(faults.change) { agenda.add(at + random.wait(VirtualLimits.change), .changed(id)) }
        }
        if random.happens(faults.kill) { agenda.add(time.now + random.wait(0...VirtualLimits.day), .killed) }
        if random.happens(faults.clock) {
            let step = random.wait(VirtualLimits.clockStep)
            agenda.add(time.now + random.wait(0...VirtualLimits.day), .clockSet(random.happens(500) ? step : -step))
        }
        if random.happens(faults.down) {
            note("books down for a day")
            booksDownUntil = time.now + VirtualLimits.day
        }
    }

    /// What is held is looked at where it can be, and decided.
    private mutating func workThroughHeld() throws {
        guard let host else { return }
        if host.isStopped { try tell { try $0.resumeConnections() } }
        for shown in try self.host?.shown(openOnly: true) ?? [] {
            guard case .held(let cause) = shown.state else { continue }
            let item = shown.item
            let inBooks = shown.key.flatMap { books.vouchers[$0]?.first }
            switch cause {
            case .mapping:
                if !isComplete {
                    isComplete = true
                    revision += 1
                    let (files, number) = (VirtualCustomer.files(complete: true), revision)
                    try tell { try $0.apply(files, revision: number) }
                }
                try tell { try $0.retry([item]) }
            case .changedAfterEffect: try tell { try $0.skip(item) }
            case .refused, .triesSpent: try tell { try $0.retry([item]) }
            case .cannotFind, .otherBooks, .vendorSilent:
                if let inBooks {
                    report.byPerson += 1
                    try tell { try $0.resolve(item, number: inBooks.number) }
                } else {
                    try tell { try $0.absent(item) }
                }
            case .severalFound: throw broken("item \(item) stands in the books more than once")
            }
        }
    }

    // MARK: the end

    /// Every claim is accounted for.
    func checkEnd() throws {
        guard let host, let ledger else { throw broken("the host does not run at the end") }
        for count in try ledger.counts() where !count.isBalanced { throw broken("flow \(count.flow) does not add up") }
        _ = try ledger.verifyAudit(knowing: nil)
        let shown = try host.shown(openOnly: false)
        if let open = shown.first(where: { !$0.state.isSettled }) {
            throw broken("item \(open.item) of \(open.document) is still \(open.state)")
        }
        let own = Dictionary(grouping: shown.filter { !$0.isWriteBack }, by: \.document)
        let comments = Dictionary(grouping: shown.filter(\.isWriteBack), by: \.document)
        for id in order {
            guard let claim = claims[id] else { continue }
            guard let items = own[id] else { throw broken("\(id) was never received") }
            let done = items.filter { $0.state == .done }
            if !claim.isApproved {
                if !done.isEmpty { throw broken("\(id) was refused and is booked") }
                continue
            }
            guard done.count == 1, let key = done[0].key, let vouchers = books.vouchers[key] else {
                throw broken("\(id) is approved and has \(done.count) vouchers: \(items.map(\.state))")
            }
            guard vouchers.count == 1, amounts[id]?.contains(vouchers[0].amount) == true else {
                throw broken("\(id) is booked as \(vouchers), claimed \(amounts[id] ?? [])")
            }
            let written = (comments[id] ?? []).filter { $0.state == .done }
            guard written.count == 1, let comment = written[0].key, books.vouchers[comment]?.count == 1 else {
                throw broken("\(id) has \(written.count) comments")
            }
        }
    }

    /// The figures of the end.
    mutating func count() {
        report.claims = order.count
        report.approved = claims.values.filter(\.isApproved).count
        report.booked = books.vouchers.values.filter { $0.first.map { $0.amount > 0 } ?? false }.count
    }
}
