extension Findings {
    /// What a piece of the text is, so that the caller can colour it.
    public enum Style: Sendable, Hashable {
        /// A heading.
        case heading
        /// The word that says how much a finding matters.
        case level(Finding.Level)
        /// What was found.
        case message
        /// Facts.
        case detail
        /// A command to run.
        case remedy
    }

    /// Gives a piece of text its colour; what it adds must not take up room.
    public typealias Styling = (String, Style) -> String

    /// Breaks a text into lines that leave room for an indent of so many columns.
    public typealias Wrap = (String, Int) -> [String]

    /// The findings for people: a group per server, what is worst first, a summary at the end.
    ///
    /// A remedy stands alone on its lines and is never broken, so that it can be copied.
    ///
    /// - Returns: lines, the last one ended too.
    public func text(
        wrap: Wrap = { text, _ in [text] },
        style: Styling = { text, _ in text }
    ) -> String {
        let lines =
            headings.flatMap { Self.indented($0, by: 8, wrap) { style($0, .heading) } }
            + groups(of: Finding.Level.allCases, wrap, style)
            + ["", style(summary, .heading)]
        return lines.joined(separator: "\n") + "\n"
    }

    /// Only blockers and warnings, in the same form.
    public func problems(
        wrap: Wrap = { text, _ in [text] },
        style: Styling = { text, _ in text }
    ) -> String {
        groups(of: [.warning, .blocker], wrap, style).dropFirst().joined(separator: "\n") + "\n"
    }

    private func groups(of levels: [Finding.Level], _ wrap: Wrap, _ style: Styling) -> [String] {
        var lines: [String] = []
        for side in Finding.Side.allCases {
            let group = findings.filter { $0.side == side && levels.contains($0.level) }
            guard !group.isEmpty else { continue }
            lines += ["", style(Self.title(of: side), .heading)]
            for level in levels.reversed() {
                for finding in group where finding.level == level { lines += Self.lines(of: finding, wrap, style) }
            }
        }
        return lines
    }

    /// A text whose first line stands as it is, and the others under its column.
    private static func indented(_ text: String, by indent: Int, _ wrap: Wrap, _ style: (String) -> String) -> [String]
    {
        wrap(String(text.dropFirst(indent)), indent).enumerated().map { number, line in
            style((number == 0 ? String(text.prefix(indent)) : String(repeating: " ", count: indent)) + line)
        }
    }

    /// How many findings of each level there are, in one line.
    public var summary: String {
        let passes = findings.count - blockers.count - warnings.count - advice.count
        var counts = [Finding.count(blockers.count, "blocker"), Finding.count(warnings.count, "warning")]
        if !advice.isEmpty { counts.append(Finding.count(advice.count, "piece of advice", "pieces of advice")) }
        counts.append(Finding.count(passes, "pass", "passes"))
        return counts.joined(separator: ", ")
    }

    private var headings: [String] {
        var lines = ["source  \(Self.heading(of: source))"]
        if let target { lines.append("target  \(Self.heading(of: target))") }
        let rows = volume.largest.first.map { ", the largest is \"\($0.table)\" with \(Finding.bytes($0.bytes))" } ?? ""
        lines.append(
            "volume  \(Finding.count(volume.tables, "table")), \(Finding.bytes(volume.tableBytes)) "
                + "and \(Finding.bytes(volume.indexBytes)) of indexes\(rows)"
        )
        lines.append("copy    about \(Finding.duration(volume.estimatedSeconds)), \(volume.assumption)")
        return lines
    }

    private static func heading(of server: Server) -> String {
        "database \"\(server.database)\" on PostgreSQL \(server.versionText), \(server.encoding), \(server.collation), "
            + Finding.bytes(server.bytes)
    }

    /// How many commands of one finding people are shown; a database may have thousands of tables without a key.
    private static let mostRemedies = 20

    private static func title(of side: Finding.Side) -> String {
        switch side {
        case .source: "On the source"
        case .target: "On the target"
        case .both: "Between them"
        }
    }

    private static func lines(of finding: Finding, _ wrap: Wrap, _ style: Styling) -> [String] {
        let word = finding.level == .pass ? "ok" : finding.level.rawValue
        let gap = String(repeating: " ", count: 9 - word.count)
        let indent = String(repeating: " ", count: 11)
        var lines = wrap(finding.message, indent.count).enumerated().map { number, line in
            (number == 0 ? "  " + style(word, .level(finding.level)) + gap : indent) + style(line, .message)
        }
        let details = (finding.detail ?? "").split(separator: "\n").flatMap { wrap(String($0), indent.count) }
        lines += details.map { indent + style($0, .detail) }
        let remedies = finding.remedy.prefix(mostRemedies).map { indent + "  " + style($0, .remedy) }
        lines += remedies
        let more = finding.remedy.count - mostRemedies
        if more > 0 { lines.append(indent + "  " + style("-- and \(more) more, which --json lists", .detail)) }
        return lines
    }
}
