import Postgres

/// The questions of this target, one file each, embedded at build time.
enum CareSQL {
    static let sessions = text(PackageResources.sessions_sql)
    static let size = text(PackageResources.size_sql)
    static let ownTables = text(PackageResources.own_tables_sql)
    static let occupants = text(PackageResources.occupants_sql)

    private static func text(_ bytes: [UInt8]) -> SQL {
        SQL(trusting: String(decoding: bytes, as: UTF8.self))
    }
}
