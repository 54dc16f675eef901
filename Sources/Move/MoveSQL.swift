import Postgres

/// The statements of this target that are files, embedded at build time.
enum MoveSQL {
    static let materializedViews = text(PackageResources.materialized_views_sql)
    static let unanalyzed = text(PackageResources.unanalyzed_sql)
    static let moveSchema = text(PackageResources.move_schema_sql)
    static let dropCopied = text(PackageResources.drop_copied_sql)
    static let dropCopiedLargeObjects = text(PackageResources.drop_copied_large_objects_sql)
    static let replicaTriggers = text(PackageResources.replica_triggers_sql)
    static let foreignKeysAside = text(PackageResources.foreign_keys_aside_sql)
    static let slotRetention = text(PackageResources.slot_retention_sql)
    static let laneWaits = text(PackageResources.lane_waits_sql)
    static let fence = text(PackageResources.fence_sql)
    static let fenceOpen = text(PackageResources.fence_open_sql)
    static let fenceTriggers = text(PackageResources.fence_triggers_sql)
    static let publicSchema = text(PackageResources.public_schema_sql)
    static let withoutIdentity = text(PackageResources.without_identity_sql)
    static let largeObjects = text(PackageResources.large_objects_sql)
    static let changedLargeObjects = text(PackageResources.changed_large_objects_sql)
    static let largeObjectWriters = text(PackageResources.large_object_writers_sql)
    static let largeObjectDigests = text(PackageResources.large_object_digests_sql)

    private static func text(_ bytes: [UInt8]) -> SQL {
        SQL(trusting: String(decoding: bytes, as: UTF8.self))
    }
}
