import Foundation
import Testing

@testable import Move
@testable import martlet

/// What people and programs read about a move, from what its journal says.
struct StatusTextTests {
    /// A report as the journal has it.
    static func report(
        _ phase: Phase,
        activity: String = "waiting for changes",
        more: String = ""
    ) throws -> StatusReport {
        let json = """
            {"id": "x1", "phase": "\(phase.rawValue)", "activity": "\(activity)", "source": "old:5432/shop",
             "target": "new:5432/shop", "started": "2026-03-01T10:00:00Z", "at": "2026-03-01T10:01:05Z", "tables": [],
             "follow": {"received": "0/1", "applied": "0/1", "confirmed": "0/1", "spoolBytes": 10, "standing": [], "counters":
              {"transactions": 1, "changes": 1200, "rows": 3, "groups": 1, "replays": 0, "lastCommitTime": 826_000_000,
               "heartbeatMilliseconds": 12.34567}}\(more)}
            """
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return try decoder.decode(
            StatusReport.self,
            from: Data(json.replacing("826_000_000", with: "826000000000000").utf8)
        )
    }

    static let lag = #", "lag": {"bytes": 0, "seconds": 0, "heartbeatMilliseconds": 12.34567}"#

    static func reading(_ report: StatusReport, _ runner: StatusReading.Runner, error: String? = nil) -> StatusReading {
        StatusReading(
            report: report,
            runner: runner,
            who: (host: "mover", process: 7),
            lastHeard: Date(timeIntervalSince1970: 1_772_359_265),
            error: error
        )
    }

    static func lines(_ report: StatusReport, _ reading: StatusReading? = nil, width: Int? = nil) -> [String] {
        var painter = Painter(output: Output())
        return painter.lines(report, width: width, reading: reading)
    }

    @Test func `a live view says what is next, and fits every width`() throws {
        let report = try Self.report(
            .following,
            more: Self.lag + #", "waiting": "\#(String(repeating: "who ", count: 60))""#
        )
        let text = Self.lines(report).joined(separator: "\n")
        #expect(text.contains("next: martlet verify, martlet cutover (in another terminal); ^C stops"))
        #expect(text.contains("1,200 changes in 1 transaction · lag 0 B, 0.0 s · heartbeat 12 ms"))
        for width in [20, 40, 79, 119] {
            for line in Self.lines(report, width: width) { #expect(Layout.columns(line) <= width) }
        }
    }

    @Test func `a move that nobody runs says so first, with its error and what to do`() throws {
        let report = try Self.report(.following, activity: "")
        let error = "could not connect to old:5432/shop\nDETAIL: refused\nHINT: Start it."
        let lines = Self.lines(report, Self.reading(report, .stopped, error: error))
        #expect(lines[1].hasPrefix("stopped: no martlet runs this move (last heard of at 2026-"))
        #expect(
            lines[2...4] == ["error: could not connect to old:5432/shop", "  DETAIL: refused", "  HINT: Start it."]
        )
        #expect(lines[5] == "following changes")
        #expect(lines.last == "next: run martlet migrate again; it goes on where it was")
        #expect(!lines.joined().contains("lag"))
        #expect(!lines.joined().contains("^C"))
    }

    @Test(arguments: [
        (Phase.reversing, StatusReading.Runner.running, "next: martlet rollback, or martlet finish"),
        (.rolledBack, .stopped, "next: martlet finish"), (.switched, .stopped, "next: martlet finish"),
        (.copied, .stopped, "next: martlet verify, then martlet finish"),
        (.following, .running, "next: martlet verify, martlet cutover"),
    ])
    func `each phase says what is next`(phase: Phase, runner: StatusReading.Runner, next: String) throws {
        let report = try Self.report(phase)
        let lines = Self.lines(report, Self.reading(report, runner))
        #expect(lines.last == next)
        #expect(!lines.contains { $0.hasPrefix("stopped") })
    }

    @Test(arguments: [(3_000_000_000, "grows by 1.0 GB/s"), (1_000_000_000, "shrinks by 1.0 GB/s, eta 1 s")])
    func `who is far behind is told how long it will last`(later: Int, outlook: String) throws {
        var painter = Painter(output: Output())
        let reports = try [2_000_000_000, later].enumerated().map { second, bytes in
            var report = try Self.report(
                .following,
                more: Self.lag.replacing(#""bytes": 0"#, with: #""bytes": \#(bytes)"#)
            )
            report.at += Double(second)
            return report
        }
        let first = painter.lines(reports[0], width: nil).joined(separator: "\n")
        #expect(first.contains("catching up") && first.contains("· lag 2.0 GB, 0.0 s ·"), "\(first)")
        let second = painter.lines(reports[1], width: nil).joined(separator: "\n")
        #expect(second.contains(outlook), "\(second)")
    }

    @Test func `the lag is unknown while a server is gone`() throws {
        let report = try Self.report(.following, more: #", "waiting": "could not connect", "isDisconnected": true"#)
        #expect(Self.lines(report).joined().contains("· lag unknown ·"))
        #expect(Self.lines(report, Self.reading(report, .waiting)).joined().contains("· lag unknown ·"))
    }

    @Test(arguments: [(12.4, "12 ms"), (999.4, "999 ms"), (999.6, "1.0 s"), (2345, "2.3 s")])
    func `a heartbeat of a second and more is told in seconds`(milliseconds: Double, text: String) {
        #expect(Painter.heartbeat(milliseconds) == text)
    }

    @Test func `machines read dates and no more digits than mean something`() throws {
        let reading = Self.reading(try Self.report(.following, more: Self.lag), .running)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        let text = String(decoding: try encoder.encode(StatusDocument(reading)), as: UTF8.self)
        #expect(text.contains(#""lastCommitTime":"2026-03-05T"#), "\(text)")
        #expect(text.contains(#""lag":{"bytes":0,"heartbeatMilliseconds":12.3,"seconds":0}"#), "\(text)")
        #expect(text.contains(#""runner":"running""#) && text.contains(#""phase":"following""#), "\(text)")
    }

    @Test func `an interruption says what is kept`() {
        #expect(MigrateCommand.interruption(in: .following, isOnce: false).contains("the source keeps its log"))
        #expect(!MigrateCommand.interruption(in: .loading, isOnce: true).contains("log"))
        #expect(MigrateCommand.interruption(in: .loading, isOnce: true).contains("copies every table anew"))
    }

    @Test func `a comparison beside a stopped move says that what lags differs`() {
        #expect(VerifyCommand.reservation(.following).hasPrefix("a move in phase \"following changes\" is stopped"))
        #expect(VerifyCommand.reservation(nil).hasPrefix("no martlet runs a move"))
        #expect(VerifyCommand.reservation(.copied).hasPrefix("no martlet runs a move"))
    }
}
