import Postgres

/// What a slot would have to wait for.
///
/// It waits until every transaction of the whole server that has written and is open has ended,
/// prepared ones too (SnapBuildFindSnapshot).
extension SourceChecks {
    /// A finding per transaction that is long, and one when ages cannot be seen.
    var transactions: [Finding] {
        let long = source.transactions.filter { ($0.seconds ?? 0) >= options.longTransaction || $0.gid != nil }
        var findings = long.prefix(20).map(finding)
        let hidden = source.transactions.filter { $0.pid != nil && $0.seconds == nil }
        if !hidden.isEmpty {
            findings.append(
                Finding(
                    "source.transactions_hidden",
                    .warning,
                    "cannot see how old \(Finding.count(hidden.count, "open transaction")) of other roles are",
                    detail: "A slot waits for all that have written. Processes: "
                        + hidden.prefix(10).compactMap { $0.pid.map(String.init) }.joined(separator: ", ") + ".",
                    remedy: ["GRANT pg_read_all_stats TO \(role.quoted);"]
                )
            )
        }
        if findings.isEmpty {
            findings.append(
                Finding("source.transactions", .pass, "no long transaction is in the way of a slot")
            )
        }
        return findings
    }

    private func finding(of transaction: SourceSurvey.OpenTransaction) -> Finding {
        let age = transaction.seconds.map { Finding.duration($0) } ?? "an unknown time"
        let database = transaction.database ?? ""
        let facts = "It is of role \"\(transaction.role ?? "")\" in database \"\(database)\""
        if let gid = transaction.gid {
            let sql: SQL = "ROLLBACK PREPARED \(literal: gid);"
            return Finding(
                "source.prepared_transactions",
                .warning,
                "prepared transaction \"\(gid)\" has been open for \(age), and a slot would wait for it",
                detail: facts + ", where it must be ended: with COMMIT PREPARED, or if nobody needs it:",
                remedy: [sql.text]
            )
        }
        return Finding(
            "source.transactions",
            .warning,
            "process \(transaction.pid ?? 0) has had a transaction open for \(age), and a slot would wait for it",
            detail: facts + ", application \"\(transaction.application)\", state \"\(transaction.state ?? "")\".",
            remedy: ["SELECT pg_terminate_backend(\(transaction.pid ?? 0));"]
        )
    }
}
