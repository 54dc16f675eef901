import TestSupport
import Testing

@testable import Sync

struct ChangeSetTests {
    typealias Net = ChangeSet.Net

    struct Step: Sendable, CustomTestStringConvertible {
        let before: [Net]
        let then: Net
        /// What remains; nil when it cannot be.
        let net: Net?
        var testDescription: String { "\(before), then \(then)" }
    }

    static let steps: [Step] = [
        Step(before: [], then: .insert, net: .insert), Step(before: [], then: .update, net: .update),
        Step(before: [], then: .delete, net: .delete), Step(before: [.insert], then: .insert, net: nil),
        Step(before: [.insert], then: .update, net: .insert), Step(before: [.insert], then: .delete, net: .nothing),
        Step(before: [.update], then: .insert, net: nil), Step(before: [.update], then: .update, net: .update),
        Step(before: [.update], then: .delete, net: .delete), Step(before: [.delete], then: .insert, net: .replace),
        Step(before: [.delete], then: .update, net: nil), Step(before: [.delete], then: .delete, net: nil),
        Step(before: [.delete, .insert], then: .insert, net: nil),
        Step(before: [.delete, .insert], then: .update, net: .replace),
        Step(before: [.delete, .insert], then: .delete, net: .delete),
        Step(before: [.insert, .delete], then: .insert, net: .insert),
        Step(before: [.insert, .delete], then: .update, net: nil),
        Step(before: [.insert, .delete], then: .delete, net: nil),
    ]

    @Test(arguments: steps) func `two changes of a key become one`(step: Step) {
        let set = ChangeSet(keyPlaces: [0])
        for net in step.before + [step.then] { set.add(net, ["1", "v"]) }
        #expect(set.isImpossible == (step.net == nil))
        if let net = step.net { #expect(set.entries.map(\.net) == [net]) }
    }

    @Test func `a value that was not sent keeps what an earlier change brought`() {
        let set = ChangeSet(keyPlaces: [0])
        set.add(.insert, ["1", "big", "a"])
        set.add(.update, ["1", "~", "b"])
        set.add(.update, ["2", "~", "c"])
        set.add(.update, ["2", "~", "d"])
        set.add(.update, ["2", "new", "~"])
        set.add(.update, ["3", "~", nil])
        #expect(set.entries.map(set.tuple) == [["1", "big", "b"], ["2", "new", "d"], ["3", "~", nil]])
        #expect(set.entries.map { set.gaps[$0.gap] } == [[], [], [1]])
    }

    @Test func `a key that was not sent is the same key`() {
        let set = ChangeSet(keyPlaces: [0, 1])
        #expect(TestTuple(["1", "a"]).isSameKey(as: ["~", "a"], in: set))
        #expect(!TestTuple(["1", "a"]).isSameKey(as: ["1", "b"], in: set))
        #expect(!TestTuple(["1", "a"]).isSameKey(as: ["1", nil], in: set))
    }

    @Test func `keys of several columns do not run into each other`() {
        let set = ChangeSet(keyPlaces: [0, 1])
        set.add(.insert, ["ab", "c"])
        set.add(.insert, ["a", "bc"])
        set.add(.insert, ["", "abc"])
        set.add(.insert, [nil, "abc"])
        #expect(set.entries.count == 4)
    }

    @Test func `a set can be emptied and used again`() {
        let set = ChangeSet(keyPlaces: [0])
        for id in 0..<1000 { set.add(.update, TestTuple([.text("\(id)"), .unchanged])) }
        set.removeAll()
        #expect(set.isEmpty)
        set.add(.insert, ["7", "x"])
        #expect(set.entries.map(set.tuple) == [["7", "x"]])
    }

    @Test func `random histories fold to what they do one by one`() {
        var random = SeededGenerator()
        for _ in 0..<300 {
            var rows = Dictionary(uniqueKeysWithValues: (0..<5).map { ("\($0)", ["p\($0)", "q\($0)"]) })
            let before = rows
            let set = ChangeSet(keyPlaces: [0])
            for step in 0..<Int.random(in: 1...60, using: &random) {
                let key = "\(Int.random(in: 0..<9, using: &random))"
                Self.change(&rows, key, step, set, &random)
            }
            #expect(!set.isImpossible)
            #expect(Self.apply(set, to: before) == rows, "seed \(random.seed)")
        }
    }

    private static func change(
        _ rows: inout [String: [String]],
        _ key: String,
        _ step: Int,
        _ set: ChangeSet,
        _ random: inout SeededGenerator
    ) {
        if let old = rows[key] {
            if Bool.random(using: &random) {
                rows[key] = nil
                set.add(.delete, TestTuple([.text(key), .null, .null]))
                return
            }
            var (sent, stored): ([TestTuple.Value], [String]) = ([.text(key)], [])
            for place in 0..<2 {
                let isSent = Bool.random(using: &random)
                sent.append(isSent ? .text("\(step)") : .unchanged)
                stored.append(isSent ? "\(step)" : old[place])
            }
            rows[key] = stored
            set.add(.update, TestTuple(sent))
        } else {
            rows[key] = ["\(step)", "i"]
            set.add(.insert, TestTuple([.text(key), .text("\(step)"), .text("i")]))
        }
    }

    /// Does what a lane does: deletes, then updates, then inserts.
    private static func apply(_ set: ChangeSet, to rows: [String: [String]]) -> [String: [String]] {
        var rows = rows
        func text(_ value: TestTuple.Value) -> String {
            if case .text(let text) = value { text } else { "?" }
        }
        for entry in set.entries where entry.net == .delete || entry.net == .replace {
            rows[text(set.tuple(entry).values[0])] = nil
        }
        for entry in set.entries where entry.net == .update {
            let values = set.tuple(entry).values
            for place in 0..<2 where !set.gaps[entry.gap].contains(place + 1) {
                rows[text(values[0])]?[place] = text(values[place + 1])
            }
        }
        for entry in set.entries where entry.net == .insert || entry.net == .replace {
            let values = set.tuple(entry).values
            rows[text(values[0])] = values.dropFirst().map(text)
        }
        return rows
    }
}

extension ChangeSet {
    func add(_ net: Net, _ tuple: TestTuple) {
        tuple.bytes.withUnsafeBytes { add(net, $0) }
    }

    func tuple(_ entry: Entry) -> TestTuple {
        TestTuple(reading: bytes.view(entry.tuple, entry.length))
    }
}

extension TestTuple {
    func isSameKey(as other: TestTuple, in set: ChangeSet) -> Bool {
        bytes.withUnsafeBytes { old in other.bytes.withUnsafeBytes { set.isSameKey(old, $0) } }
    }
}
