import Postgres

/// The catalog queries, one file each, embedded at build time.
enum CatalogSQL {
    static let tables = text(PackageResources.tables_sql)
    static let columns = text(PackageResources.columns_sql)
    static let types = text(PackageResources.types_sql)
    static let indexes = text(PackageResources.indexes_sql)
    static let foreignKeys = text(PackageResources.foreign_keys_sql)
    static let sequences = text(PackageResources.sequences_sql)
    static let shape = text(PackageResources.shape_sql)
    static let dependents = text(PackageResources.dependents_sql)

    private static func text(_ bytes: [UInt8]) -> SQL {
        SQL(trusting: String(decoding: bytes, as: UTF8.self))
    }
}
