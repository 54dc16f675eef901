import Postgres

/// The file that holds a table's rows, which VACUUM FULL, CLUSTER, TRUNCATE, pg_repack and many an ALTER TABLE replace.
///
/// In a newer file a snapshot sees either nothing (TRUNCATE, ALTER TABLE, pg_repack) or its rows in other places (VACUUM FULL,
/// CLUSTER), where parts of the table are not looked for; and in another table of the same name it sees nothing.
enum TableFile {
    /// Asks, as `is_other`, whether a table has another file, or is another table, than the transaction's snapshot knows.
    ///
    /// `pg_class` is read under the snapshot, the functions look at the catalog as it is now. No row means as much.
    static func isOther(_ table: QualifiedName) -> SQL {
        """
        SELECT c.relfilenode IS DISTINCT FROM pg_relation_filenode(c.oid)
               OR c.oid IS DISTINCT FROM to_regclass(\(literal: table.quoted))::oid AS is_other
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = \(literal: table.schema) AND c.relname = \(literal: table.name)
        """
    }
}
