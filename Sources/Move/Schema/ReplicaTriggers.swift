import Catalog
import Engine
import Postgres
import Sync

/// Keeps triggers and rules from acting again on what they have acted on before.
///
/// Where martlet's sessions act as a replica, `ENABLE ALWAYS` and `ENABLE REPLICA` ones fire for them. On the server
/// that is written to, the former are set to fire for everybody else only, which is all the same to an application, and
/// the latter are disabled. Where they cannot act as a replica, those that fire for everybody are disabled, and given
/// back before an application writes there. The journal knows what each was.
struct ReplicaTriggers {
    static let kind = "trigger set aside"

    let side: Journal.Side
    let role: SessionRole
    /// The OIDs of the tables on that side.
    let tables: [UInt32]

    /// Sets them aside; to be called in a transaction, which takes SHARE ROW EXCLUSIVE on each table that has one, and
    /// ACCESS EXCLUSIVE for a rule.
    ///
    /// May be repeated. `journal` is another session, so that the entries are there before. Returns how many there were.
    @discardableResult
    func suspend(on server: Connection, journal: Connection) throws -> Int {
        let rows = try server.query(MoveSQL.replicaTriggers, tables, role == .replica ? ["A", "R"] : ["O", "A"])
        for row in rows {
            let table = QualifiedName(schema: try row("schema"), name: try row("table"))
            let name = Identifier(try row("name"))
            let isRule = try row("kind", as: String.self) == "RULE"
            let enabled = try row("enabled", as: String.self)
            let kind: SQL = isRule ? "RULE" : "TRIGGER"
            let giveBack: SQL = enabled == "A" ? "ENABLE ALWAYS" : enabled == "R" ? "ENABLE REPLICA" : "ENABLE"
            let undo: SQL = "ALTER TABLE ONLY \(table) \(giveBack) \(kind) \(name)"
            try Journal.note(
                Journal.Object(
                    side: side,
                    kind: Self.kind,
                    name: "\(kind.text.lowercased()) \(name.quoted) of \(table)",
                    undo: Self.ifThere(table, name, isRule: isRule, undo)
                ),
                on: journal
            )
            let aside: SQL = role == .replica && enabled == "A" ? "ENABLE" : "DISABLE"
            try server.execute("ALTER TABLE ONLY \(table) \(aside) \(kind) \(name)")
        }
        return rows.count
    }

    /// Somebody may have dropped it meanwhile.
    private static func ifThere(_ table: QualifiedName, _ name: Identifier, isRule: Bool, _ undo: SQL) -> SQL {
        let question: SQL =
            isRule
            ? "SELECT FROM pg_rewrite WHERE ev_class = to_regclass(\(literal: table.quoted)) AND rulename = \(literal: name.name)"
            : "SELECT FROM pg_trigger WHERE tgrelid = to_regclass(\(literal: table.quoted)) AND tgname = \(literal: name.name)"
        let block: SQL = "BEGIN IF EXISTS (\(question)) THEN \(undo); END IF; END"
        return "DO \(literal: block.text)"
    }
}
