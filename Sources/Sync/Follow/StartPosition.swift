import Postgres

/// Finds where a stream goes on, and refuses to go on where changes would be missing.
struct StartPosition {
    let plan: FollowPlan

    /// After a cutover changes flow from the new server, and nothing can be begun again.
    private var isWayBack: Bool { plan.stream == "reverse" }
    private var followed: String { isWayBack ? "new server" : "source" }
    private var written: String { isWayBack ? "old server" : "target" }

    /// Where to stream from: behind what the spool holds, or else behind what the slowest lane has applied.
    func find(spooled: LSN, applied: LSN) async throws -> LSN {
        let from = max(spooled, applied)
        return try await withNeutralConnection(to: plan.source) { connection in
            let slot = try connection.query(
                """
                SELECT confirmed_flush_lsn, wal_status, to_jsonb(s) ->> 'invalidation_reason' AS reason,
                       pg_current_wal_insert_lsn() AS end
                  FROM pg_replication_slots s WHERE slot_name = $1
                """,
                plan.slot
            ).first
            guard let slot else {
                throw PostgresError(
                    "replication slot \"\(plan.slot.name)\" does not exist on the \(followed)",
                    detail: "Without it the changes since \(from) cannot be read any more.",
                    hint: hint(nil)
                )
            }
            if try slot.optional("wal_status", as: String.self) == "lost" {
                throw lostSlot(because: try slot.optional("reason"))
            }
            let confirmed: LSN = try slot("confirmed_flush_lsn")
            guard confirmed <= from else {
                throw lostChanges(
                    "The \(written) has applied \(applied), the spool ends at \(spooled), "
                        + "but slot \"\(plan.slot.name)\" was confirmed up to \(confirmed).",
                    hint:
                        "The spool was lost, or the \(written) was restored to an older state. Run again with the same "
                        + "--work-dir if it is another one"
                )
            }
            let end: LSN = try slot("end")
            guard from <= end else {
                throw PostgresError(
                    "the \(followed) has lost changes that the \(written) has",
                    detail:
                        "The \(written) has applied \(applied), and the spool ends at \(spooled), but the log of the \(followed) "
                        + "ends at \(end): it was restored to an older state, or a standby took over that lacked the last changes.",
                    hint: hint(nil)
                )
            }
            return from
        }
    }

    /// What to throw where the spool and the position show that changes are missing.
    func lostChanges(_ detail: String, hint text: String) -> PostgresError {
        PostgresError(
            "the \(followed) no longer has all changes that the \(written) needs",
            detail: detail,
            hint: hint(text)
        )
    }

    /// What the server tells since PostgreSQL 17 of why it gave a slot up; before, there was one reason.
    private func lostSlot(because reason: String?) -> PostgresError {
        let (detail, text) =
            switch reason {
            case "idle_timeout":
                (
                    "Nobody read it for longer than idle_replication_slot_timeout allows.",
                    "Set idle_replication_slot_timeout to 0 on the \(followed)"
                )
            case nil, "wal_removed":
                (
                    "The \(followed) removed it because of max_slot_wal_keep_size.",
                    "Raise max_slot_wal_keep_size on the \(followed)"
                )
            case .some(let other):
                ("The server gave it up, with the reason \"\(other)\".", "Remove the cause")
            }
        return PostgresError(
            "replication slot \"\(plan.slot.name)\" lost the log it needs",
            detail: detail,
            hint: hint(isWayBack ? nil : text)
        )
    }

    /// What to do: after a cutover a move cannot be begun again.
    private func hint(_ text: String?) -> String {
        let end =
            isWayBack
            ? "The way back is lost, and the application stays on the new server: martlet finish."
            : "Begin again: martlet abort, then martlet migrate."
        return text.map { "\($0). \(end)" } ?? end
    }
}
