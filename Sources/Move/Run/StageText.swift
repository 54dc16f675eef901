import Sync

extension Stages.Report {
    /// Where the time of a run went, for the log: a line per stage that did something; nil when none did.
    var text: String? {
        var lines: [String] = []
        if load.seconds > 0 {
            let shares: [(String, Double)] = [
                ("waiting for the source", load.sourceSeconds), ("waiting for the target", load.targetSeconds),
                ("building indexes", load.indexSeconds), ("held or kept to a rate", load.heldSeconds),
                ("idle", load.idleSeconds),
            ]
            lines.append(
                Self.line("load", of: load.seconds, shares)
                    + "; \(Quantity.of(load.rows, "row")), \(Finding.bytes(load.bytes)), \(Quantity.of(load.parts, "part")), "
                    + Quantity.of(load.indexes, "index", "indexes")
            )
        }
        if receive.seconds > 0 {
            let shares: [(String, Double)] = [
                ("idle", receive.idleSeconds), ("writing the spool", receive.writeSeconds),
                ("making it safe", receive.syncSeconds),
            ]
            lines.append(
                Self.line("receive", of: receive.seconds, shares)
                    + "; \(Finding.bytes(receive.bytes)) in \(Quantity.of(receive.messages, "message"))"
            )
        }
        if lanes.seconds > 0 {
            let shares: [(String, Double)] = [
                ("waiting for changes", lanes.inputSeconds), ("waiting for the server", lanes.serverSeconds),
                ("standing still", lanes.parkedSeconds),
            ]
            lines.append(
                Self.line("apply", of: lanes.seconds, shares)
                    + "; \(Quantity.of(lanes.changes, "change")) as \(Quantity.of(lanes.rows, "row")), "
                    + "\(lanes.copiedRows) of them by COPY, in "
                    + "\(Quantity.of(lanes.groups, "group")), the largest of \(lanes.largestGroup)" + fallbacks
            )
        }
        lines += slowestIndexes.filter { $0.seconds >= 1 }.prefix(3).map {
            "index \"\($0.index)\": \(Self.seconds($0.seconds))"
        }
        return lines.isEmpty ? nil : "where the time went, of all workers of a stage:\n" + lines.joined(separator: "\n")
    }

    private var fallbacks: String {
        let reasons = lanes.fallbacks
        let counts: [(Int, String)] = [
            (reasons.uniqueReplays, "groups replayed for a unique value"),
            (reasons.otherReplays, "groups replayed for another reason"),
            (reasons.largeRows, "large rows"), (reasons.keyChanges, "changes of a key"),
            (reasons.orderedRows, "rows in order"), (reasons.refusedNulls, "rows that refuse NULL"),
        ]
        let parts = counts.filter { $0.0 > 0 }.map { "\(Quantity.grouped($0.0)) \($0.1)" }
        return parts.isEmpty ? "" : "; not as sets: " + parts.joined(separator: ", ")
    }

    private static func line(_ stage: String, of total: Double, _ shares: [(name: String, seconds: Double)]) -> String {
        let parts = shares.filter { $0.seconds >= total / 200 }.map {
            "\(Int((100 * $0.seconds / total).rounded())) % \($0.name)"
        }
        return "\(stage): \(seconds(total))" + (parts.isEmpty ? "" : ", " + parts.joined(separator: ", "))
    }

    private static func seconds(_ seconds: Double) -> String { "\((seconds * 10).rounded() / 10) s" }
}
