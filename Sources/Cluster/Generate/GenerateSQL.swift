import Postgres

/// The questions of generated rows, one file each, embedded at build time.
enum GenerateSQL {
    static let tables = text(PackageResources.generate_tables_sql)
    static let columns = text(PackageResources.generate_columns_sql)
    static let checks = text(PackageResources.generate_checks_sql)
    static let keys = text(PackageResources.generate_keys_sql)
    static let references = text(PackageResources.generate_references_sql)

    private static func text(_ bytes: [UInt8]) -> SQL { SQL(trusting: String(decoding: bytes, as: UTF8.self)) }
}
