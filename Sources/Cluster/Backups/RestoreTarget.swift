public import Foundation
public import Postgres

/// The moment that a server is to be restored to.
public enum RestoreTarget: Sendable, Hashable {
    /// All that was committed until then.
    case time(Date)
    /// All that stands before a place of the log.
    case lsn(LSN)
    /// All that was committed before a transaction, and that one, too.
    case transaction(UInt64)
    /// A name that `pg_create_restore_point` has given.
    case name(String)
    /// All there is.
    case latest

    /// Recovery's settings for it (manual, "Recovery Target").
    var settings: [String: String] {
        switch self {
        case .time(let date): ["recovery_target_time": Self.text(date)]
        case .lsn(let lsn): ["recovery_target_lsn": "\(lsn)", "recovery_target_inclusive": "off"]
        case .transaction(let number): ["recovery_target_xid": "\(number)"]
        case .name(let name): ["recovery_target_name": name]
        case .latest: [:]
        }
    }

    /// The place, when it is one.
    var place: LSN? {
        if case .lsn(let lsn) = self { return lsn }
        return nil
    }

    /// In words, for people.
    public var title: String {
        switch self {
        case .time(let date): Self.text(date)
        case .lsn(let lsn): "\(lsn)"
        case .transaction(let number): "transaction \(number)"
        case .name(let name): "restore point \"\(name)\""
        case .latest: "the end of the log"
        }
    }

    private static func text(_ date: Date) -> String {
        // Foundation's formatters know milliseconds only.
        let microseconds = Int((date.timeIntervalSince1970 * 1_000_000).rounded())
        var buffer = RowBuffer(.text)
        Moments(first: microseconds / 1000, count: 1, hasZone: false).append(0, to: &buffer)
        buffer.append(UInt64(microseconds % 1000), digits: 3)
        return String(decoding: buffer.bytes, as: UTF8.self) + "+00"
    }

    /// Reads `2026-11-23 02:50:11`, with fractions and an offset if they are there; without an offset it is local time.
    public static func date(_ text: String) -> Date? {
        let form = /(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?/
        guard let match = text.wholeMatch(of: form) else { return nil }
        var parts = DateComponents()
        (parts.year, parts.month, parts.day) = (Int(match.1), Int(match.2), Int(match.3))
        (parts.hour, parts.minute, parts.second) = (Int(match.4), Int(match.5), Int(match.6 ?? "0"))
        var calendar = Calendar(identifier: .gregorian)
        if let zone = match.8.map({ TimeZone(secondsFromGMT: seconds(ofOffset: $0)) }) {
            calendar.timeZone = zone ?? calendar.timeZone
        }
        guard let date = calendar.date(from: parts),
            calendar.dateComponents([.month, .day, .hour, .minute], from: date)
                == DateComponents(month: parts.month, day: parts.day, hour: parts.hour, minute: parts.minute)
        else { return nil }
        return date.addingTimeInterval(Double("0." + (match.7 ?? "0")) ?? 0)
    }

    /// The seconds of `+01`, `-0330`, `+05:30`; 0 of `Z` and `UTC`.
    private static func seconds(ofOffset text: Substring) -> Int {
        let digits = text.filter(\.isNumber)
        guard let hours = Int(digits.prefix(2)) else { return 0 }
        return (text.hasPrefix("-") ? -60 : 60) * (hours * 60 + (Int(digits.dropFirst(2)) ?? 0))
    }

    /// The newest of some backups from which it can be reached, and those before it, in case that one is too young after all.
    ///
    /// - Throws: when it lies before all of them, or in the future.
    func backups(among all: [Backup], now: Date = .now) throws(PostgresError) -> [Backup] {
        guard let oldest = all.first else {
            throw PostgresError("there is no backup", hint: "Of a sandbox one is taken with martlet backup take.")
        }
        if case .time(let date) = self, date > now {
            throw PostgresError("\(title) is in the future")
        }
        let able = all.filter { backup in
            switch self {
            case .time(let date): backup.ended <= date
            case .lsn(let lsn): backup.stop <= lsn
            case .transaction(let number): backup.nextTransaction.map { Self.whole(number, near: $0) >= $0 } ?? true
            case .name, .latest: true
            }
        }
        guard !able.isEmpty else {
            throw PostgresError(
                "\(title) lies before the oldest backup",
                detail: "Backup \(oldest.name) ended at \(Self.text(oldest.ended)), \(oldest.stop).",
                hint: "Nothing earlier can be restored from here."
            )
        }
        return able.reversed()
    }

    /// The number with its epoch, when it has 32 bits only, as `xmin` and the log show it: the one that is nearest to a known one.
    private static func whole(_ number: UInt64, near known: UInt64) -> UInt64 {
        guard number < 1 << 32 else { return number }
        let epoch = (known >> 32) << 32
        let candidates = [epoch &- (1 << 32), epoch, epoch + (1 << 32)].map { $0 &+ number }
        return candidates.min { max($0, known) - min($0, known) < max($1, known) - min($1, known) } ?? number
    }

    /// Whether it may lie before a backup after all, as nobody could tell from what is known of it.
    func mayBeBefore(_ backup: Backup) -> Bool {
        switch self {
        case .name: true
        case .transaction: backup.nextTransaction == nil
        case .time, .lsn, .latest: false
        }
    }
}
