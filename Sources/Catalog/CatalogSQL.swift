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
    static let columnDependents = text(PackageResources.column_dependents_sql)

    /// What is compared as it is, one kind of object after the other: what others are parts of comes first.
    static let objects = [
        PackageResources.difference_database_sql, PackageResources.difference_schemas_sql,
        PackageResources.difference_extensions_sql, PackageResources.difference_types_sql,
        PackageResources.difference_relations_sql, PackageResources.difference_columns_sql,
        PackageResources.difference_constraints_sql, PackageResources.difference_indexes_sql,
        PackageResources.difference_sequences_sql, PackageResources.difference_functions_sql,
        PackageResources.difference_rules_sql, PackageResources.difference_operators_sql,
        PackageResources.difference_text_sql, PackageResources.difference_statistics_sql,
        PackageResources.difference_foreign_sql, PackageResources.difference_replication_sql,
    ].map(text)
    /// What publications publish, as a server of a major version knows it.
    static func members(of major: Int) -> SQL {
        text(major < 15 ? PackageResources.difference_members_14_sql : PackageResources.difference_members_sql)
    }
    /// What may be said about objects of many kinds.
    static let facets = [
        PackageResources.difference_default_privileges_sql, PackageResources.difference_privileges_sql,
        PackageResources.difference_comments_sql,
    ].map(text)

    private static func text(_ bytes: [UInt8]) -> SQL {
        SQL(trusting: String(decoding: bytes, as: UTF8.self))
    }
}
