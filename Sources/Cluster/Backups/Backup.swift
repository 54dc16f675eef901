public import Foundation
public import Postgres

/// A base backup, with what must be known to restore it; the log that follows it is in the archive.
public struct Backup: Sendable, Codable, Hashable {
    /// Its name, which is the moment at which it began: `20261123T025500Z`.
    public let name: String
    /// The major version of its server.
    public let major: Int
    /// The system identifier of its server.
    let system: String
    /// The timeline that it was taken on.
    public let timeline: Int
    /// Where its log begins, and where it must have been replayed to.
    public let start: LSN, stop: LSN
    /// When it had ended, by the clock of its server.
    public let ended: Date
    /// The transaction that was to come next when it had ended; nil where nobody has noted it.
    public let nextTransaction: UInt64?
    /// Its size in bytes.
    public let bytes: Int
    /// Settings that what is restored from it should have.
    let settings: [String: String]
    let superuser: String

    /// Reads what pg_basebackup has written into `backup_manifest`.
    struct Manifest: Decodable {
        struct Range: Decodable {
            let timeline: Int
            let start: String
            let end: String

            enum CodingKeys: String, CodingKey {
                case timeline = "Timeline"
                case start = "Start-LSN"
                case end = "End-LSN"
            }
        }
        let ranges: [Range]

        enum CodingKeys: String, CodingKey { case ranges = "WAL-Ranges" }
    }
}
