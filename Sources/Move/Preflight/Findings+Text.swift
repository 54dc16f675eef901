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

    /// The findings for people: a group per server, what is worst first, a summary at the end.
    ///
    /// A remedy stands alone on its lines, so that it can be copied.
    ///
    /// - Parameter style: gives a piece of text its colour; what it adds must not take up room.
    /// - Returns: lines, the last one ended too.
    public func text(style: (String, Style) -> String = { text, _ in text }) -> String {
        var lines = headings.map { style($0, .heading) }
        for side in Finding.Side.allCases {
            let group = findings.filter { $0.side == side }
            guard !group.isEmpty else { continue }
            lines += ["", style(Self.title(of: side), .heading)]
            for level in Finding.Level.allCases.reversed() {
                for finding in group where finding.level == level { lines += Self.lines(of: finding, style) }
            }
        }
        lines += ["", style(summary, .heading)]
        return lines.joined(separator: "\n") + "\n"
    }

    /// How many findings of each level there are, in one line.
    public var summary: String {
        let passes = findings.count - blockers.count - warnings.count
        return [
            Finding.count(blockers.count, "blocker"), Finding.count(warnings.count, "warning"),
            Finding.count(passes, "pass", "passes"),
        ].joined(separator: ", ")
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

    /// Breaks a line at spaces, so that it is no longer than 100 characters where it can be.
    private static func wrapped(_ line: Substring) -> [String] {
        var lines = [""]
        for word in line.split(separator: " ") {
            let last = lines[lines.count - 1]
            if last.isEmpty {
                lines[lines.count - 1] = String(word)
            } else if last.count + 1 + word.count <= 100 {
                lines[lines.count - 1] += " " + word
            } else {
                lines.append(String(word))
            }
        }
        return lines
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

    private static func lines(of finding: Finding, _ style: (String, Style) -> String) -> [String] {
        let word = finding.level == .pass ? "ok" : finding.level.rawValue
        let gap = String(repeating: " ", count: 9 - word.count)
        let indent = String(repeating: " ", count: 11)
        var lines = ["  " + style(word, .level(finding.level)) + gap + style(finding.message, .message)]
        let details = (finding.detail ?? "").split(separator: "\n").flatMap(wrapped).map { indent + style($0, .detail) }
        let remedies = finding.remedy.prefix(mostRemedies).map { indent + "  " + style($0, .remedy) }
        lines += details + remedies
        let more = finding.remedy.count - mostRemedies
        if more > 0 { lines.append(indent + "  " + style("-- and \(more) more, which --json lists", .detail)) }
        return lines
    }
}
