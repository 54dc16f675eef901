import Postgres
import Testing

@testable import Sync

struct PgOutputTests {
    @Test func `a relation names its columns and its key`() {
        let relation = TestMessage.relation(77, columns: ["id", "we\"ird", "ä"]).withUnsafeBytes {
            PgOutput.Relation($0)
        }
        #expect(relation.id == 77)
        #expect(relation.name == QualifiedName(schema: "public", name: "t77"))
        #expect(relation.columns.map(\.name) == ["id", "we\"ird", "ä"])
        #expect(relation.columns.map(\.isKey) == [true, false, false])
    }

    @Test func `begin and commit carry positions`() {
        TestMessage.begin(0x16_0000_0010).withUnsafeBytes {
            #expect(PgOutput.kind(of: $0) == .begin)
            #expect(PgOutput.Begin($0).commit == LSN(0x16_0000_0010))
        }
        TestMessage.commit(5, end: 9).withUnsafeBytes {
            #expect(PgOutput.Commit($0).end == LSN(9))
            #expect(PgOutput.Commit($0).time == 5)
        }
    }

    @Test(arguments: [nil, "K", "O"]) func `an update has a new tuple, and an old one when it was sent`(mark: String?) {
        let old: TestTuple = ["1", nil]
        let bytes = TestMessage.update(3, old: mark.map { ($0, old) }, new: ["2", "~"])
        bytes.withUnsafeBytes { payload in
            let row = PgOutput.Row(payload)
            #expect(PgOutput.relation(of: payload) == 3)
            #expect(row.new.map(TestTuple.init(reading:)) == ["2", "~"])
            #expect(row.old.map(TestTuple.init(reading:)) == (mark == nil ? nil : old))
            #expect(row.oldIsWhole == (mark == "O"))
        }
    }

    @Test func `a truncate lists its tables, and a message its words`() {
        var truncate = Array("T".utf8) + TestTuple.number(Int32(2))
        truncate += [3] + TestTuple.number(UInt32(8)) + TestTuple.number(UInt32(9))
        #expect(truncate.withUnsafeBytes { PgOutput.Truncate($0).relations } == [8, 9])
        var message: [UInt8] = Array("M".utf8) + [1]
        message += TestTuple.number(UInt64(5)) + Array("martlet\0".utf8)
        message += TestTuple.number(Int32(3)) + Array("1.5".utf8)
        message.withUnsafeBytes {
            #expect(PgOutput.Message($0).prefix == "martlet")
            #expect(Heartbeat.time(of: PgOutput.Message($0).content) == 1.5)
        }
    }

    @Test func `nothing is no message`() {
        #expect(PgOutput.kind(of: UnsafeRawBufferPointer(start: nil, count: 0)) == nil)
    }

    @Test func `merging takes what was not sent from the older tuple, also while memory moves`() {
        let long = String(repeating: "x", count: 200_000)
        let older = TestTuple([.text("1"), .text(long), .null])
        let newer: TestTuple = ["2", "~", "~"]
        let bytes = Bytes(capacity: 16)
        let first = older.bytes.withUnsafeBytes { (offset: bytes.append($0), length: $0.count) }
        let second = newer.bytes.withUnsafeBytes { (offset: bytes.append($0), length: $0.count) }
        let (offset, length) = Tuple.merge(newer: second, older: first, in: bytes)
        #expect(TestTuple(reading: bytes.view(offset, length)) == TestTuple([.text("2"), .text(long), .null]))
        let (some, count) = Tuple.merge(newer: second, older: first, places: [1], in: bytes)
        #expect(TestTuple(reading: bytes.view(some, count)) == TestTuple([.text("2"), .text(long), .unchanged]))
    }

    @Test func `the length of a tuple is the place where the next begins`() {
        let tuple: TestTuple = ["abc", nil, "~", ""]
        (tuple.bytes + [9, 9, 9]).withUnsafeBytes { #expect(Tuple.length(of: $0) == tuple.bytes.count) }
    }
}
