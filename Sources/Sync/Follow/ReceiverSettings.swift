import Postgres

/// Settings of the session that streams, whose output functions write the text form of values.
///
/// They are those of ``Connection/useNeutralSettings(encoding:)`` that a value's text depends on: what a
/// role or a database sets must not show. Without `search_path` a `regclass` of a table that is on the
/// owner's path would come without its schema, and be found nowhere on the target.
///
/// A transaction that does not fit into `logical_decoding_work_mem` goes through files of the source, which takes
/// twice as long. It may have what is set, or what one `maintenance_work_mem` is, or a quarter of `shared_buffers`; at
/// least 256 MB, and more than 1 GB only where that is set.
enum ReceiverSettings {
    static func sql(for connection: Connection, encoding: String) -> SQL {
        let limits: SQL = connection.majorVersion >= 17 ? "; SET transaction_timeout = 0" : ""
        return """
            SET search_path = pg_catalog; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET timezone = 'UTC';
            SET extra_float_digits = 3; SET bytea_output = 'hex';
            SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = 0;
            SET wal_sender_timeout = '2min'; SET client_encoding = \(literal: encoding)\(limits);
            SELECT set_config('logical_decoding_work_mem', greatest(
                       pg_size_bytes(current_setting('logical_decoding_work_mem')), least(1 << 30, greatest(256 << 20,
                       pg_size_bytes(current_setting('maintenance_work_mem')),
                       pg_size_bytes(current_setting('shared_buffers')) / 4))) / 1024 || 'kB', false)
            """
    }
}
