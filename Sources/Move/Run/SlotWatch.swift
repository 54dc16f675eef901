import Postgres

/// Warns before a server throws away log that a slot still needs (`max_slot_wal_keep_size`).
///
/// The slot keeps what is not confirmed, and what the oldest transaction that is open has written since it began. At half of
/// the limit the spool takes over: what is safe on our disk is confirmed from then on, whatever the target has.
struct SlotWatch {
    /// How near the end is, as it is told once.
    private enum Level: Int {
        case fine, half, fifth, over
    }

    let slot: Identifier
    private var told = Level.fine

    init(slot: Identifier) {
        self.slot = slot
    }

    /// Looks, and tells the monitor when it is worse than it was, or well again.
    mutating func look(on server: Connection, _ monitor: Monitor) throws(PostgresError) {
        guard let row = try server.query(MoveSQL.slotRetention, slot).first,
            let left = try row.optional("safe_wal_size", as: Int64.self),
            let limit = try row.optional("limit_bytes", as: Int64.self), limit > 0
        else { return }
        let status = try row.optional("wal_status", as: String.self)
        let level = Self.level(left: left, of: limit, isOver: status == "unreserved")
        defer { told = level }
        guard level != .fine else { return monitor.warning(nil) }
        let oldest = try row.optional("oldest", as: String.self).map { "; the oldest open transaction: \($0)" } ?? ""
        let text =
            "slot \"\(slot.name)\" is lost when the server has written \(max(0, left) >> 20) MB more of its log, "
            + "of the \(limit >> 20) MB that max_slot_wal_keep_size allows\(oldest)"
        monitor.warning(text)
        guard level.rawValue > told.rawValue else { return }
        monitor.event("warning: \(text)")
        monitor.confirmSpooled()
    }

    private static func level(left: Int64, of limit: Int64, isOver: Bool) -> Level {
        if isOver || left <= 0 { return .over }
        if left < limit / 5 { return .fifth }
        return left < limit / 2 ? .half : .fine
    }
}
