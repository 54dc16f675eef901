/// A way to copy a running server into another one, or a database of it.
public enum CloneProvider: String, Sendable, CaseIterable {
    /// The file system shares the blocks of both until one of them writes: XFS, btrfs. Seconds for any size.
    case reflink
    /// A command of the operator copies or clones the folder: a snapshot of ZFS or LVM, of a storage system.
    case command
    /// The whole is read and written: pg_basebackup, also over the network.
    case basebackup
    /// One database is copied by its rows, where nobody may copy files: managed servers.
    case logical
    /// One database is copied by its own server, beside itself; only when asked for, as that server then does the work of both.
    case template
}
