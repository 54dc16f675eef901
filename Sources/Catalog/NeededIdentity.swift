/// The replica identity that a table must be given so that its updates and deletes can be followed.
public enum NeededIdentity: Sendable, Hashable {
    /// A unique index.
    case index(Index)
    /// The whole row.
    case full
}

extension Schema {
    /// What a table lacks to be followed; nil when it can be followed as it is.
    ///
    /// A partitioned table is followed as a whole, so its partitions must all name a row by the columns
    /// that name it in the whole table: by their parts of its index, or by the whole row, which has every
    /// column. A partition's own primary key is of no use when the whole table has none. And where the whole
    /// table says FULL, so must each partition: the stream says of an old row whether it is complete by what
    /// the whole table has (`logicalrep_write_update` in PostgreSQL), while the partition decides what it holds.
    public func neededIdentity(of table: Table) -> NeededIdentity? {
        guard !table.isUnlogged, table.replicaIdentity != .full else { return nil }
        guard table.isPartition else {
            if table.canFollowUpdates { return nil }
            return table.candidateIdentity.map(NeededIdentity.index) ?? .full
        }
        guard table.kind == .ordinary else { return nil }
        let root = root(of: table)
        guard root.replicaIdentity != .full, let whole = root.key.isEmpty ? root.candidateIdentity : root.identityIndex
        else { return .full }
        if let own = table.identityIndex, isPart(own, of: whole) { return nil }
        return table.indexes.first { $0.isValid && isPart($0, of: whole) }.map(NeededIdentity.index) ?? .full
    }

    /// Whether UPDATE and DELETE of a table fail as soon as a server of this version publishes it.
    ///
    /// Since PostgreSQL 18 a replica identity, the whole row too, must not hold a generated column that is not published
    /// (CheckCmdReplicaIdentity).
    public func cannotBePublished(_ table: Table, by major: Int) -> Bool {
        guard major >= 18, table.kind == .ordinary, !table.isUnlogged, table.columns.contains(where: \.isGenerated)
        else { return false }
        return table.replicaIdentity == .full || neededIdentity(of: table) == .full
    }

    private func isPart(_ index: Index, of whole: Index) -> Bool {
        var current = index
        while let parent = current.parent.flatMap({ self.index(oid: $0) }) {
            if parent.oid == whole.oid { return true }
            current = parent
        }
        return false
    }
}
