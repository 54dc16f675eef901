import Postgres

/// Finds where a stream goes on, and refuses to go on where changes would be missing.
enum StartPosition {
    /// Where to stream from: behind what the spool holds, or else behind what the slowest lane has applied.
    static func find(_ plan: FollowPlan, spooled: LSN, applied: LSN) async throws -> LSN {
        let from = max(spooled, applied)
        return try await withNeutralConnection(to: plan.source) { connection in
            let slot = try connection.query(
                """
                SELECT confirmed_flush_lsn, wal_status, to_jsonb(s) ->> 'invalidation_reason' AS reason
                  FROM pg_replication_slots s WHERE slot_name = $1
                """,
                plan.slot
            ).first
            guard let slot else {
                throw PostgresError(
                    "replication slot \"\(plan.slot.name)\" does not exist on the source",
                    detail: "Without it the changes since \(from) cannot be read any more.",
                    hint: "Begin again: martlet abort, then martlet migrate."
                )
            }
            if try slot.optional("wal_status", as: String.self) == "lost" {
                throw lostSlot(plan.slot, because: try slot.optional("reason"))
            }
            let confirmed: LSN = try slot("confirmed_flush_lsn")
            guard confirmed <= from else {
                throw lostChanges(
                    "The target has applied \(applied), the spool ends at \(spooled), "
                        + "but slot \"\(plan.slot.name)\" was confirmed up to \(confirmed).",
                    hint:
                        "The spool was lost, or the target was restored to an older state. Run again with the same --work-dir, or begin again"
                )
            }
            return from
        }
    }

    static func lostChanges(_ detail: String, hint: String) -> PostgresError {
        PostgresError(
            "the source no longer has all changes that the target needs",
            detail: detail,
            hint: hint + ": martlet abort, martlet migrate."
        )
    }

    /// What the server tells since PostgreSQL 17 of why it gave a slot up; before, there was one reason.
    private static func lostSlot(_ slot: Identifier, because reason: String?) -> PostgresError {
        let (detail, hint) =
            switch reason {
            case "idle_timeout":
                (
                    "Nobody read it for longer than idle_replication_slot_timeout allows.",
                    "Set idle_replication_slot_timeout to 0 on the source"
                )
            case nil, "wal_removed":
                (
                    "The source removed it because of max_slot_wal_keep_size.",
                    "Raise max_slot_wal_keep_size on the source"
                )
            case .some(let other):
                ("The server gave it up, with the reason \"\(other)\".", "Remove the cause")
            }
        return PostgresError(
            "replication slot \"\(slot.name)\" lost the log it needs",
            detail: detail,
            hint: "\(hint), then begin again: martlet abort, martlet migrate."
        )
    }
}
