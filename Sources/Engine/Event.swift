/// What the mapping made of a received document.
public enum Disposition: Sendable, Equatable {
    /// A target document; `orderKey` names what must stay in order.
    case ready(orderKey: String)
    /// No valid target document could be made.
    case hold
    /// No effect wanted.
    case skip(SkipRule)
}

/// What the ledger knows of earlier forms of the same source document in the same flow and ordinal.
public enum Prior: Sendable, Equatable {
    /// Nothing, or only skipped forms.
    case none
    /// A form that was never sent: the newer one replaces it.
    case unattempted(ItemID)
    /// A form that was sent, is on its way, or is settled.
    case effect(ItemID)
}

/// What a flow does with a document that changed after its first form was sent.
public enum ChangePolicy: Int, Sendable {
    /// Skip the change.
    case ignore = 1
    /// A person decides.
    case hold = 2
}

/// What became of one record of a write or a poll.
public enum Outcome: Sendable, Equatable {
    /// In effect; or it was there already under our key.
    case applied
    /// Stored at the target, to be asked for after so many milliseconds.
    case atVendor(AtVendor.Reason, pollAfter: Milliseconds)
    /// It failed. `mayHaveArrived`: the host handed the first byte of a write to the network in this
    /// attempt. `retryAfter`: from now, when the target said so.
    case failed(FailureClass, mayHaveArrived: Bool, retryAfter: Milliseconds?)
}

/// The answer of a look-up by key.
public enum FindAnswer: Sendable, Equatable {
    /// So many documents carry the key.
    case found(count: Int)
    /// None now. No proof: a slow target may commit later.
    case absent
    /// The connector cannot look.
    case unsupported
    /// The look-up itself failed.
    case failed(FailureClass, retryAfter: Milliseconds?)
}

/// Everything the engine is told. It asks nothing and looks at no clock.
public enum Event: Sendable, Equatable {
    /// The target's properties, from `describe` and the connection file. Again at each revision.
    case lane(LaneID, LaneRules)
    /// A flow's rules. Again at each revision.
    case flow(FlowID, FlowRules)
    /// A flow is not part of the running revision: its items stay where they are until it comes back.
    case flowGone(FlowID)
    /// The connection behind a lane leads to another company's books since this writer generation: what older ones
    /// wrote is not there, and looking for it there proves nothing.
    case targetChanged(LaneID, since: Int64)
    /// A newer form of the document has no such part any more.
    case supersede(ItemID)
    /// An item found in the ledger at start.
    case recovered(Item)
    /// A document was received and mapped.
    case received(ItemID, flow: FlowID, lane: LaneID, Disposition, prior: Prior, revision: Int)
    /// The answer to `Effect.remap`.
    case remapped(ItemID, Disposition, revision: Int)
    /// The answer to `Effect.deliver`. One whose epoch is not the intent's is dropped.
    case delivered(ItemID, epoch: Int64, Outcome)
    /// The answer to `Effect.find`.
    case found(ItemID, FindAnswer)
    /// The answer to `Effect.poll`.
    case polled(ItemID, Outcome)
    /// Time has passed.
    case tick
    /// A person, a probe or a swap stops a lane.
    case pauseLane(LaneID, LanePause)
    /// The connection works again: a person said so or a probe passed.
    case resumeLane(LaneID)
    /// A person stops or starts a flow.
    case pauseFlow(FlowID, Bool)
    /// A new revision runs: what was never sent is mapped again.
    case revision(Int)
    /// A person wants a held or waiting item tried again.
    case retry(ItemID)
    /// A person says it is in effect at the target.
    case resolve(ItemID)
    /// A person says no effect is wanted.
    case skip(ItemID)
}

/// Why a lane stands still.
public enum LanePause: Sendable, Equatable {
    /// A person, or wrong credentials: until someone resumes it.
    case stopped(FailureClass?)
    /// Until a time.
    case until(Milliseconds, FailureClass)
}

/// The properties of a target connection that decide what is safe.
public struct LaneRules: Sendable, Equatable {
    /// Writes in flight at once.
    public var maxInFlight: Int
    /// The target itself refuses a second document with our key.
    public var enforcesUniqueKey: Bool
    /// `find` exists.
    public var canFind: Bool
    /// How long after our last byte the target may still commit.
    public var commitHorizon: Milliseconds
    /// The writer generation.
    public var epoch: Int64
    /// An unknown outcome is taken as done: a repeat annoys more than a loss (messages, comments).
    public var settlesUnknown: Bool

    /// The properties of a target.
    public init(
        maxInFlight: Int, enforcesUniqueKey: Bool = false, canFind: Bool, commitHorizon: Milliseconds, epoch: Int64,
        settlesUnknown: Bool = false
    ) {
        self.maxInFlight = maxInFlight
        self.enforcesUniqueKey = enforcesUniqueKey
        self.canFind = canFind
        self.commitHorizon = commitHorizon
        self.epoch = epoch
        self.settlesUnknown = settlesUnknown
    }
}

/// The rules of a flow that the engine applies.
public struct FlowRules: Sendable, Equatable {
    /// Waits between tries; one more try than entries.
    public var ladder: [Milliseconds]
    /// What to do with a changed document.
    public var onChange: ChangePolicy
    /// Stopped by a person.
    public var isPaused: Bool

    /// The rules of a flow.
    public init(ladder: [Milliseconds], onChange: ChangePolicy, isPaused: Bool = false) {
        self.ladder = ladder
        self.onChange = onChange
        self.isPaused = isPaused
    }
}

/// Everything the engine wants done. `persist` effects of one step are durable before any other effect of
/// that step is carried out.
public enum Effect: Sendable, Equatable {
    /// The item's row as it stands now.
    case persist(Item)
    /// An intent row: attempt and epoch, before the first byte.
    case openIntent(ItemID, attempt: Int, epoch: Int64)
    /// The intent's end.
    case closeIntent(ItemID, attempt: Int, IntentEnd)
    /// A lane stopped or runs again.
    case persistLane(LaneID, LanePause?)
    /// Send it.
    case deliver(ItemID, attempt: Int, epoch: Int64)
    /// Look for it by key.
    case find(ItemID)
    /// Ask what became of it.
    case poll(ItemID)
    /// Map it again under the running revision.
    case remap(ItemID)
    /// An event that does not fit: told to the log, changes nothing.
    case dropped(ItemID, DropReason)
}

/// How an attempt ended.
public enum IntentEnd: Int, Sendable {
    /// In effect.
    case applied = 1
    /// The target has it and will say later.
    case atVendor = 2
    /// A clear no, or nothing was sent.
    case notApplied = 3
    /// It may have been applied.
    case unknown = 4
}

/// Why an event changed nothing.
public enum DropReason: Int, Sendable {
    /// The answer of an older writer generation or attempt.
    case stale = 1
    /// No such item is open.
    case unknownItem = 2
    /// The item is not in a state this event fits.
    case wrongState = 3
}
