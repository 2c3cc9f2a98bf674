import Engine
import Testing
import Values
import Workers

@testable import Host

@Suite("Whose fault a failed call is, and under which code it is told")
struct RunningBlameTests {
    private static let some = Problem("E-SOME-001", zh: "某", en: "some", nextZH: "", nextEN: "")

    private static func died(_ cause: WorkerDeath.Cause) -> CallFailure {
        .workerDied(WorkerDeath(cause: cause, stderrTail: "", problem: some))
    }

    private static func code(_ failure: CallFailure) throws -> String? {
        try JSON.parse(Dispatcher.told(failure).detail)["code"]?.string
    }

    @Test("a connector that hangs, crashes or breaks its contract is at fault, and the words name it")
    func connector() throws {
        let breach = CallFailure.contractBreach(ContractBreach(breaches: ["x"], problem: Self.some))
        for failure in [.overran(Self.some), breach, Self.died(.signal(11)), Self.died(.exited(3))] {
            #expect(Dispatcher.told(failure).cls == .bug)
            #expect(try Self.code(failure) == "E-SOME-001")
            #expect(Problem.called("books", failure).code == "E-SOME-001")
        }
    }

    @Test("what the network or the answer as such did keeps its code; a connector cannot borrow another")
    func codes() throws {
        func codes(_ own: String) throws -> [String?] {
            let failure = CallFailure.plugin(
                Failure(.transient, messages: [.init(text: "x", language: "en", code: own)]))
            return [try Self.code(failure), Problem.called("books", failure).code]
        }
        for code in ["E-NET-032", "E-ANSWER-001"] { #expect(try codes(code) == [code, code]) }
        for code in ["", "77", "E-LEDGER-001", "E-NET-", "E-NET-32", "E-NET-0x2", "E-ANSWER-001 "] {
            #expect(try codes(code) == ["E-TARGET-transient", "E-CALL-transient"])
        }
    }

    @Test("a vendor that does not answer in time is slow, and its connector no culprit")
    func vendor() throws {
        #expect(Dispatcher.told(.deadlineExceeded).cls == .transient)
        #expect(try Self.code(.deadlineExceeded) == "E-DEADLINE")
    }

    @Test("the vendor has a little less time than the call, so that its connector can say who was slow")
    func lastWord() {
        #expect(PluginServices.patience(asked: nil, left: 3_000) == 2_700)
        #expect(PluginServices.patience(asked: nil, left: 60_000) == 60_000 - HostLimits.lastWordMs)
        #expect(PluginServices.patience(asked: 2_900, left: 3_000) == 2_700)
        #expect(PluginServices.patience(asked: 100, left: 3_000) == 100)
        for left in [0, -5] as [Int64] { #expect(PluginServices.patience(asked: nil, left: left) <= 0) }
        #expect(PluginServices.patience(asked: nil, left: 1) == 1)
    }

    @Test("a call whose worker was ended for another call, or stopped, spends no try of its document")
    func neighbour() {
        for cause in [WorkerDeath.Cause.killedForDeadline, .killedForBreach, .stopped] {
            #expect(Dispatcher.told(Self.died(cause)).cls == .cancelled)
        }
    }
}
