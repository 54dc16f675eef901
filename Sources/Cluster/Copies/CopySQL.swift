import Postgres

/// The questions that are asked of a server before it is copied, one file each, embedded at build time.
enum CopySQL {
    static let source = text(PackageResources.copy_source_sql)
    static let settings = text(PackageResources.copy_settings_sql)
    static let tablespaces = text(PackageResources.copy_tablespaces_sql)
    static let recorder = text(PackageResources.recorder_sql)

    private static func text(_ bytes: [UInt8]) -> SQL { SQL(trusting: String(decoding: bytes, as: UTF8.self)) }
}
